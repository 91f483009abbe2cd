"""What was run, in a file beside its tables: written after them, with a seal of each, and read strictly."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from .plan import Plan
from .records import Records, RecordsError, environment
from .study import digest
from .whole_files import plain_file

NAME = "manifest.json"
AGAIN = "run it again: what has finished is not computed anew, and the table is written as it was"
Level = int | float | str
Table = Annotated[str, Meta(pattern=r"^\w+\Z")]
File = Annotated[str, Meta(pattern=r"^\w+\.csv\Z")]
"""Names that stay in the run's folder, whoever wrote the manifest."""


class DataRead(msgspec.Struct):
    """What a manifest's ``data`` is read for."""

    name: str
    fingerprint: str
    licence: str
    notices: list[str] = []
    reference: str | None = None


class SettingsRead(msgspec.Struct):
    """What a manifest's ``settings`` are read for."""

    seeds: int
    conditions: list[str]
    factors: dict[str, list[Level]]
    choices: dict[str, Any]


class BlocksRead(msgspec.Struct):
    """What a manifest's ``blocks`` are read for."""

    planned: int
    finished: int


class StudyRead(msgspec.Struct):
    """What a manifest's ``study`` is read for."""

    name: str
    version: int


class Manifest(msgspec.Struct):
    """What a manifest is read for, typed; what else it holds is for people.

    own_levels: condition → factor → levels, of a condition that was planned at others than the run's. seals: a table's
    file → sha256; none where the run is older than seals are.
    """

    experiment: str
    run: str
    profile: str
    data: DataRead
    settings: SettingsRead
    changed: dict[str, Any]
    units: list[str]
    blocks: BlocksRead
    cells: int
    study: StudyRead
    environment: dict[str, str]
    text: dict[Table, list[str]]
    protocol: dict[str, Any]
    own_levels: dict[str, dict[str, list[Level]]] = {}
    notes: list[str] = []
    seals: dict[File, str] = {}


def describe_run(
    plan: Plan,
    data: Mapping[str, Any],
    environments: Sequence[Mapping[str, str]],
    text: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """What was run, so that the numbers can be had again, as a manifest says it; no timings, and no seals yet.

    environments: of all blocks. Where they agree their processor is left out, so that the same run on another
    machine of the same kind leaves the same file; where they differ, all are listed under ``mixed``. text: which
    columns of each table hold names, so that one like 01 is not read as a number.
    """
    settings = plan.settings
    different = list({digest(e): dict(e) for e in environments}.values())
    common = {key: value for key, value in (different or [environment()])[0].items() if key != "processor"}
    content = {
        "experiment": plan.protocol.name,
        "run": plan.short_hash,
        "profile": settings.profile,
        "data": dict(data),
        "settings": {
            "seeds": settings.seeds,
            "conditions": list(settings.conditions),
            "factors": dict(settings.factors),
            "choices": dict(settings.choices),
        },
        "changed": dict(settings.changed),
        "units": list(dict.fromkeys(block.unit for block in plan.blocks)),
        "blocks": {"planned": len(plan.blocks), "finished": len(environments)},
        "cells": plan.cells,
        **({"own_levels": own_levels} if (own_levels := plan.own_levels) else {}),
        **({"methods": methods} if (methods := plan.methods) else {}),
        "study": {"name": plan.protocol.study, "version": plan.blocks[0].version if plan.blocks else 0},
        "environment": common,
        "text": dict(text),
        **({"mixed": different} if len(different) > 1 else {}),
        "protocol": plan.protocol,
    }
    described: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(content, order="sorted"))
    return described


def write_manifest(records: Records, manifest: Mapping[str, Any]) -> None:
    """Write it beside its tables; last, so that an interruption before leaves no seals of what is not there."""
    encoded = msgspec.json.format(msgspec.json.encode(manifest, order="sorted"), indent=2)
    records.write(NAME, encoded + b"\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """A run's manifest. Raises RecordsError where there is none or it is not as ``write_manifest`` leaves it."""
    try:
        content = msgspec.json.decode(plain_file(folder / NAME).read_bytes(), type=dict[str, Any])
        msgspec.convert(content, Manifest)
    except (OSError, msgspec.MsgspecError, RecursionError) as error:
        raise RecordsError(f"{folder} holds no readable manifest.json ({error}); run it again") from None
    return content


def seal(content: bytes) -> str:
    """What tells a table from one that was changed: its sha256."""
    return hashlib.sha256(content).hexdigest()


def verify_tables(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Raises RecordsError where a table is not as the run wrote it; line ends that git made Windows' own are allowed.

    A manifest without seals is of a run older than they are: its tables are taken as they lie.
    """
    seals = manifest.get("seals", {})
    if seals and (open_ones := [name for name in manifest["text"] if f"{name}.csv" not in seals]):
        raise RecordsError(f"{folder / NAME} has no seal of {open_ones[0]}.csv; {AGAIN}")
    for name, sealed in seals.items():
        path = folder / name
        try:
            with plain_file(path).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != sealed and seal(path.read_bytes().replace(b"\r\n", b"\n")) != sealed:
                raise RecordsError(f"{path} is not as its run wrote it: it was changed, or a run broke off; {AGAIN}")
        except OSError as error:
            raise RecordsError(f"{path} cannot be read ({error.strerror or error}); {AGAIN}") from None


def replaced_by(plan: Plan, folder: Path) -> str | None:
    """The short hash of another run whose results lie in the folder, which this plan's will replace."""
    try:
        there = str(read_manifest(folder)["run"])
    except (RecordsError, KeyError):
        return None
    return there if there != plan.short_hash else None


def finished_runs(results: Path, experiment: str | None = None) -> list[Path]:
    """Folders below ``results`` that hold a run, of one experiment or of all."""
    pattern = f"{experiment or '*'}/*/{NAME}"
    return sorted(path.parent for path in results.glob(pattern)) if results.is_dir() else []
