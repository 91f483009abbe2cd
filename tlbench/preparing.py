"""A run before anything is computed: its settings, the device, what is asked of the data, and the plan on them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from . import datasets, own_methods, studies
from .keeping import intact
from .plan import Plan, make_plan
from .protocol import Protocol, ProtocolError, read, shipped
from .records import Records, printable, run_folder
from .settings import Settings, resolve
from .study import Block, Study


@dataclass
class Prepared:
    """A run that is planned but not begun."""

    plan: Plan
    records: Records
    pack: datasets.Data
    data: dict[str, object]

    def scan(self) -> tuple[list[Block], int]:
        """The blocks that no trusted file holds, in the plan's order, and how many of them have a damaged one.

        A finished block counts among the missing where one of these needs its weights and they are lost.
        """
        unfinished = [block for block in self.plan.blocks if not self.records.is_finished(block)]
        missing = {block.key for block in unfinished}
        missing |= {key for key in needs_of(unfinished) - missing if not intact(self.records, key)}
        blocks = [block for block in self.plan.blocks if block.key in missing]
        return blocks, sum(self.records.exists(block) for block in unfinished)


def needs_of(blocks: Iterable[Block]) -> set[str]:
    """Keys of the blocks whose weights these start from."""
    return {key for block in blocks for key in block.needs}


def study_of(protocol: Protocol) -> Study:
    """The protocol's study, with the methods of a user's own that it names among its conditions.

    Raises ProtocolError where there is no such method or the study takes none, and BrokenMethodError where one cannot
    be used.
    """
    study = studies.find(protocol.study)
    if not protocol.methods:
        return study
    if study.methods is None:
        takes = [name for name in shipped() if studies.find(read(name).study).methods is not None]
        raise ProtocolError(f"own methods cannot take part in {protocol.name}; they can in {', '.join(takes)}")
    if protocol.folder is not None:
        own_methods.search_also(protocol.folder)
    return own_methods.join(study, [own_methods.find(reference) for reference in protocol.methods])


def settle(protocol: Protocol, profile: str | None, overrides: dict[str, str], reference: str) -> Settings:
    """The settings of a run before its data are opened; raises what ``plan.resolve`` raises.

    What the protocol chooses about its default data set does not carry over to another one.
    """
    kind = reference.partition(":")[0]
    settings = resolve(protocol, study_of(protocol), profile, overrides, kind)
    if reference == protocol.data.default:
        return settings
    kept = {*overrides, *settings.factors}
    return replace(settings, data={key: value if key in kept else None for key, value in settings.data.items()})


def with_scores(settings: Settings, study: Study) -> Settings:
    """The same with the score of every test example kept, in a folder of its own.

    Raises ProtocolError where the study has none.
    """
    if not study.keeps_scores:
        able = [name for name in shipped() if studies.find(read(name).study).keeps_scores]
        raise ProtocolError(f"this experiment keeps no scores of test examples; {', '.join(able)} do")
    return replace(settings, scores=True, changed={**settings.changed, "scores": "kept"})


def device_for(study: Study, wanted: str | None, elsewhere: bool = False) -> str:
    """The device to compute on. Raises ProtocolError for one that is not there or of no use to the experiment.

    elsewhere: it is a cluster's, whose workers see for themselves whether they have one.
    """
    if wanted in (None, "cpu"):
        return "cpu"
    if study.part != "networks":
        raise ProtocolError("this experiment computes on the processor; leave --device out")
    named = re.fullmatch("cuda(?::(0|[1-9][0-9]{0,2}))?", wanted)
    if named is None:
        raise ProtocolError(f"there is no device '{wanted}'; known are cpu, cuda and cuda:N")
    if elsewhere:
        return wanted
    import torch

    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if int(named[1] or 0) >= there:
        raise ProtocolError(f"device {wanted} is not here: torch sees {there} of that kind; use --device cpu")
    return wanted


def data_options(study: Study, settings: Settings, reference: str) -> datasets.Options:
    """What the settings choose about the data, and the size of pictures that the study asks for where there is one."""
    chosen = settings.data
    entry, _ = datasets.find(reference)
    categories, kinds = (tuple(chosen[key] or ()) for key in ("categories", "features"))
    side = study.side(msgspec.convert(settings.parameters, study.Parameters)) if "side" in entry.options else None
    setting = chosen["setting"]
    one, several = (None, tuple(setting)) if isinstance(setting, list) else (setting, ())
    if several and "setting" not in entry.options:
        several = ()  # a level of the factor is then a mere label
    return datasets.Options(one, several, chosen["background"], categories, kinds, side, chosen["class_list"])


def prepare(protocol: Protocol, settings: Settings, reference: str, pack: datasets.Data, results: Path) -> Prepared:
    """Plan the blocks on the data. Raises what ``cut`` of the study refuses."""
    plan = make_plan(protocol, study_of(protocol), settings, pack, pack.fingerprint)
    entry, _ = datasets.find(reference)
    name = printable(datasets.short_name(reference, pack))
    data: dict[str, object] = {
        "name": name,
        "reference": printable(datasets.public_name(reference)),
        "fingerprint": pack.fingerprint,
        "licence": entry.licence,
        "categories": len(pack.categories),
        **{key: value for key, value in settings.data.items() if value},
        "notices": [printable(notice) for notice in pack.notices],
    }
    folder = run_folder(results, protocol.name, name, settings.profile, settings.changed)
    return Prepared(plan, Records(folder), pack, data)
