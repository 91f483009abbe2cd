"""What was run, in a file beside its tables: written with the results, and read strictly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from .plan import Plan
from .records import Records, RecordsError, environment
from .study import digest

NAME = "manifest.json"
Level = int | float | str


class DataRead(msgspec.Struct):
    """What a manifest's ``data`` is read for."""

    name: str
    reference: str | None = None


class SettingsRead(msgspec.Struct):
    """What a manifest's ``settings`` are read for."""

    seeds: int
    conditions: list[str]
    factors: dict[str, list[Level]]


class Manifest(msgspec.Struct):
    """What a manifest is read for, typed; what else it holds is for people.

    own_levels: condition → factor → levels, of a condition that was planned at others than the run's.
    """

    experiment: str
    run: str
    profile: str
    data: DataRead
    settings: SettingsRead
    changed: dict[str, Any]
    units: list[str]
    cells: int
    text: dict[str, list[str]]
    protocol: dict[str, Any]
    own_levels: dict[str, dict[str, list[Level]]] = {}


def write_manifest(
    records: Records,
    plan: Plan,
    data: Mapping[str, Any],
    environments: Sequence[Mapping[str, str]],
    text: Mapping[str, Sequence[str]],
) -> None:
    """What was run, so that the numbers can be had again; no timings.

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
    encoded = msgspec.json.format(msgspec.json.encode(content, order="sorted"), indent=2)
    records.write(NAME, encoded + b"\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """A run's manifest. Raises RecordsError where there is none or it is not as ``write_manifest`` leaves it."""
    try:
        content = msgspec.json.decode((folder / NAME).read_bytes(), type=dict[str, Any])
        msgspec.convert(content, Manifest)
    except (OSError, msgspec.MsgspecError) as error:
        raise RecordsError(f"{folder} holds no readable manifest.json ({error}); run it again") from None
    return content


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
