"""A user's classifier by its name, and what tells it from an earlier version of itself."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any

from ..protocol import ProtocolError, nearest
from ..study import OWN, digest

ENTRY_POINTS = "tlbench.methods"
NOT_READ = {*sys.stdlib_module_names, "sklearn"}
"""Packages whose text does not tell versions of a method apart."""
ADDRESS = re.compile(r" at 0x[0-9a-f]+")


class BrokenMethodError(Exception):
    """A method is there but cannot be used; the message says why."""


@dataclass(frozen=True)
class OwnMethod:
    """A user's classifier.

    name: its class's, or its entry point's. reference: MODULE:Class. make: the class, or whatever makes an estimator
    when it is called. digest: 16 digits of its text and of the values it is constructed with.
    """

    name: str
    reference: str
    make: Callable[..., Any]
    digest: str

    @property
    def condition(self) -> str:
        """Its name among the conditions."""
        return f"{OWN}{self.name}"

    @property
    def group(self) -> str:
        """What its blocks are told apart by: an edited method is another one."""
        return f"{self.reference} {self.digest}"

    @property
    def says(self) -> str:
        """What it is, in a line: the first of its own documentation, if it has one."""
        written = (getattr(_made_by(self.make), "__doc__", None) or "").strip()
        return f"a method of your own, {self.reference}" + (f": {written.splitlines()[0]}" if written else "")


def installed() -> dict[str, EntryPoint]:
    """The methods that installed packages offer under the entry points ``tlbench.methods``, by name."""
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def search_also(folder: Path) -> None:
    """Find modules in a folder, too, after those that are installed; spawned processes do the same."""
    if (place := str(folder.resolve())) not in sys.path:
        sys.path.append(place)


def find(reference: str) -> OwnMethod:
    """The method that MODULE:Class or the name of an entry point stands for.

    Raises ProtocolError where there is none, and BrokenMethodError where its module cannot be imported or what it names
    cannot be called.
    """
    points = installed()
    if reference in points:
        point = points[reference]
        return _method(point.name, point.module, point.attr)
    module, colon, attribute = reference.partition(":")
    if not (colon and re.fullmatch(r"\w+(\.\w+)*", module) and re.fullmatch(r"\w+(\.\w+)*", attribute)):
        known = f", or one of {', '.join(points)}" if points else ""
        raise ProtocolError(f"there is no method '{reference}'; name one as MODULE:Class{known}")
    return _method(attribute.rpartition(".")[2], module, attribute)


def planned(group: str) -> OwnMethod:
    """The method of a block that was planned. Raises BrokenMethodError where it has been edited since."""
    method = find(group.partition(" ")[0])
    if method.group != group:
        raise BrokenMethodError(f"{method.reference} has changed since the run was planned; run it again")
    return method


def _method(name: str, module_name: str, attribute: str) -> OwnMethod:
    module = _imported(module_name)
    try:
        make = attrgetter(attribute)(module)
    except AttributeError:
        callables = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        hint = nearest(attribute, callables) if callables else "it holds no class"
        where = getattr(module, "__file__", None) or "it has no file"
        raise ProtocolError(f"module {module_name} ({where}) has no '{attribute}'; {hint}") from None
    reference = f"{module_name}:{attribute}"
    if not callable(make):
        raise BrokenMethodError(f"{reference} is no class, but {make!r}")
    about = {"reference": reference, "texts": _texts(module, make), "defaults": _defaults(make)}
    return OwnMethod(name, reference, make, digest(about)[:16])


def _imported(name: str) -> ModuleType:
    """Import a module; whatever its text does when it is imported may fail."""
    importlib.invalidate_caches()
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        packages = [name.rsplit(".", cut)[0] for cut in range(name.count(".") + 1)]
        if isinstance(error, ModuleNotFoundError) and error.name in packages:
            raise ProtocolError(
                f"there is no module '{error.name}' in {Path.cwd()}, nor is one installed; give MODULE:Class"
            ) from None
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise BrokenMethodError(f"module {name} cannot be imported ({why})") from error


def _made_by(make: Callable[..., Any]) -> Callable[..., Any]:
    return _made_by(make.func) if isinstance(make, partial) else make


def _texts(module: ModuleType, make: Callable[..., Any]) -> dict[str, str]:
    """The text of the module and of those that define the class and what it inherits from, by the modules' names."""
    made_by = _made_by(make)
    kinds = made_by.__mro__ if isinstance(made_by, type) else (made_by,)
    names = dict.fromkeys([module.__name__, *(kind.__module__ for kind in kinds)])
    texts = {}
    for name in names:
        file = getattr(sys.modules.get(name), "__file__", None)
        if name.partition(".")[0] not in NOT_READ and file is not None:
            texts[name] = Path(file).read_bytes().decode("utf-8", "backslashreplace")
    return texts


def _defaults(make: Callable[..., Any]) -> Mapping[str, str]:
    """The values that it is constructed with, in words."""
    try:
        parameters = inspect.signature(make).parameters.values()
    except ValueError:
        return {}
    return {one.name: ADDRESS.sub("", repr(one.default)) for one in parameters if one.default is not one.empty}
