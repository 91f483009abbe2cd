"""Plain data into strict types, and what is wrong with them in one sentence that names the key."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta
from msgspec.inspect import DictType, ListType, LiteralType, StructType, UnionType, VarTupleType, type_info

Text = Annotated[str, Meta(min_length=1)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]*\Z")]
Value = bool | int | float | str | list[int | float | str]

T = TypeVar("T")


class ProtocolError(Exception):
    """A protocol file, or what a user sets in it, cannot be used; the message names the key."""


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A table of a protocol file; what is as usual is not written, so that a new key changes no earlier manifest."""


def convert(content: object, shape: type[T], origin: str) -> T:
    """Plain data as a strict type. Raises ProtocolError that names the key, with what is known where that is a list."""
    try:
        return msgspec.convert(content, shape, strict=True)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"{origin}: {_in_words(str(error), shape)}") from None


def nearest(word: str, known: Sequence[str]) -> str:
    """Half a sentence that helps with a mistyped name."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"


def _in_words(message: str, shape: type) -> str:
    """Msgspec's message with the key first, and the known keys or values for an unknown one."""
    complaint, _, path = message.partition(" - at `$")
    place = path.rstrip("`").lstrip(".") or "the file"
    place = place.replace("[...]", "[…]")
    at = _type_at(path, shape)
    if (unknown := re.fullmatch(r"Invalid enum value '(.*)'", complaint, re.DOTALL)) and isinstance(at, LiteralType):
        values = [str(value) for value in at.values]
        known, close = f"known are {', '.join(values)}", nearest(unknown[1], values)
        return f"{place}: there is no '{unknown[1]}'; {known if close == known else f'{known}; {close}'}"
    unknown = re.search(r"contains unknown field `(.+)`", complaint)
    if not unknown:
        complaint = re.sub("^(Expected|Object|Invalid)", lambda word: word[0].lower(), complaint).replace("`", "'")
        return complaint if place == "the file" else f"{place}: {complaint}"
    names = [field.name for field in msgspec.structs.fields(at.cls if isinstance(at, StructType) else shape)]
    within = "" if place == "the file" else f" in {place}"
    return f"unknown key '{unknown[1]}'{within}; {nearest(unknown[1], names)}"


def _type_at(path: str, shape: type) -> msgspec.inspect.Type:
    """The type that msgspec's path of keys leads to, from ``shape`` on."""
    at = type_info(shape)
    for key in re.findall(r"\.(\w+)", path):
        fields = {field.name: field.type for field in at.fields} if isinstance(at, StructType) else {}
        at = _element(fields[key]) if key in fields else at
    return at


def _element(at: msgspec.inspect.Type) -> msgspec.inspect.Type:
    """The type that a list, tuple, dict or optional holds; any other as it is."""
    if isinstance(at, UnionType):
        return next((_element(option) for option in at.types if not _is_none(option)), at)
    if isinstance(at, DictType):
        return _element(at.value_type)
    if isinstance(at, ListType | VarTupleType):
        return _element(at.item_type)
    return at


def _is_none(at: msgspec.inspect.Type) -> bool:
    return isinstance(at, msgspec.inspect.NoneType)
