"""Folders of pictures as material for an advice: which pictures there are, and which must not be used twice."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import features, pretrained
from ..datasets import DataError, FeaturePack
from ..datasets.distinct_pictures import lookalikes
from ..datasets.feature_pack import USUAL_BACKGROUNDS
from ..datasets.picture_folder import folders_by_label, list_pictures, passed_over
from ..datasets.remote_files import hash_file, reading
from .material import Material, Rows, refuse_too_few

SHARE_SET_APART = 3
"""One picture in so many of each source serves as background where there is none."""

Pictures = dict[str, Path]
"""identity → file; the identity is the first half of the file's SHA-256 in hexadecimal."""


@dataclass(frozen=True)
class Found:
    """Distinct pictures, each with one use. set_apart: those of a source that serve as background."""

    target: str
    positives: Pictures
    sources: Mapping[str, Pictures]
    background: Pictures
    set_apart: Mapping[str, Pictures]
    notices: tuple[str, ...]

    @property
    def pictures(self) -> dict[str, Path]:
        """All of them, by identity."""
        parts = (self.positives, self.background, *self.sources.values(), *self.set_apart.values())
        return {identity: path for part in parts for identity, path in part.items()}


def find_pictures(target: Path, sources: Path, background: str | None) -> Found:
    """List the pictures of a target's folder, of a folder of sources, and of other things.

    background: a folder of pictures, or the name of one in ``sources``; None looks there for a usual name, and where
    there is none sets a third of each source's pictures apart. A folder that is the target or the background is no
    source. Raises DataError for what is no such folder, holds no picture or cannot be read, and for folders that
    are two things at once.
    """
    name = unicodedata.normalize("NFC", target.resolve().name)
    if re.search("[\ud800-\udfff]", name):
        raise DataError(f"the name of the target's folder, {name!r}, is not UTF-8; rename it")
    notices: list[str] = []
    positives = _pictures(target, "the target", notices)
    by_label = folders_by_label(sources)
    if same(target, sources):
        raise DataError(f"{target} is the folder of sources; the target is one folder of pictures")
    other = _background_folder(by_label, sources, background)
    if other is not None and same(other, target):
        raise DataError(f"{target} is both target and background; the background shows other things")
    folders = {name: path for name, path in by_label.items() if not same(path, target)}
    folders = {name: path for name, path in folders.items() if other is None or not same(path, other)}
    listed = {name: _pictures(path, "", notices) for name, path in folders.items()}
    notices += [f"'{name}' holds no picture: it is no source" for name, found in listed.items() if not found]
    listed = {name: found for name, found in listed.items() if found}
    apart = _pictures(other, "the background", notices) if other is not None else {}
    there = {identity for found in (*listed.values(), apart) for identity in found}
    listed, apart = _each_once(positives, listed, apart, notices)
    why = _left_out(there - {identity for found in (*listed.values(), apart) for identity in found}, positives)
    set_apart: dict[str, Pictures] = {}
    if other is None:
        set_apart = {name: dict(sorted(found.items())[::SHARE_SET_APART]) for name, found in listed.items()}
        listed = {name: _without(found, set_apart[name]) for name, found in listed.items()}
        notices.append(
            "there is no background: a third of each source's pictures serves as other things, and as nothing else"
        )
    listed = {name: found for name, found in listed.items() if found}
    refuse_too_few(len(positives), len(listed), len(apart) + sum(map(len, set_apart.values())), why)
    return Found(name, positives, listed, apart, set_apart, tuple(notices))


def describe(
    found: Found,
    kinds: Sequence[features.Kind],
    cache: Path,
    jobs: int,
    skip_broken: bool = False,
    progress: features.extraction.Progress = features.extraction.silent,
) -> FeaturePack:
    """The pictures as vectors; the categories are the sources, and pictures set apart belong to the background.

    Raises FeaturesError, and PictureError for pictures that cannot be read unless ``skip_broken``, which leaves them
    out with a notice.
    """
    everything = sorted(found.pictures.items())
    listed = [features.Picture(identity, path) for identity, path in everything]
    try:
        described = features.describe(listed, kinds, cache, jobs, skip_broken, progress)
    except features.PictureError as error:
        raise error.or_left_out from None
    identities = tuple(everything[place][0] for place in described.kept)
    vectors = described.taken()
    seen = [everything[place][1] for place in described.kept]
    alike = lookalikes(list(vectors.values()), lambda place: f"{seen[place].parent.name}/{seen[place].name}")
    sources = {name: _rows(identities, own) for name, own in found.sources.items()}
    return FeaturePack(
        identities,
        vectors,
        {name: own for name, own in sources.items() if len(own)},
        _rows(identities, found.background, *found.set_apart.values()),
        (*found.notices, *(f"{path} {reason}: left out" for path, reason in described.broken), *alike),
    )


def material_of(found: Found, pack: FeaturePack) -> Material:
    """Described pictures with the use of each. Raises DataError as ``Material`` does."""
    set_apart = {name: _rows(pack.identities, own) for name, own in found.set_apart.items()}
    return Material(pack, found.target, _rows(pack.identities, found.positives), set_apart)


def _rows(identities: Sequence[str], *parts: Pictures) -> Rows:
    wanted = {identity for part in parts for identity in part}
    return np.flatnonzero([identity in wanted for identity in identities]).astype(np.intp)


def settle(names: Sequence[str], folder: Path) -> list[features.Kind]:
    """The kinds of these names; weights of networks lie in the data folder.

    Raises FeaturesError for one that is unknown, or learned from the pictures, and as ``pretrained.settled``.
    """
    if learned := [name for name in names if name in features.BAGS]:
        raise features.FeaturesError(
            f"'{learned[0]}' counts words that are learned anew for each collection, which a model cannot carry; "
            f"take {', '.join(features.KINDS)}"
        )
    kinds = pretrained.settled(list(dict.fromkeys(names)), folder)
    return [features.find(kind) if isinstance(kind, str) else kind for kind in kinds]


def same(one: Path, other: Path) -> bool:
    """Whether two paths are the same folder."""
    return one.resolve() == other.resolve()


def identified(paths: Sequence[Path]) -> Pictures:
    """Picture files by what they hold; the same picture is there once."""
    found: Pictures = {}
    for path in paths:
        with reading(path):
            found.setdefault(hash_file(path, "sha256")[0].hexdigest()[:32], path)
    return found


def _pictures(folder: Path, role: str, notices: list[str]) -> Pictures:
    """The pictures directly in a folder; an empty role may have none. What else lies there is noted."""
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "is not there"
        raise DataError(f"{folder} {what}; {role or 'a source'} is a folder of pictures")
    found = list_pictures(folder)
    if role and not found.pictures:
        raise DataError(f"{folder} has no picture in it; {role} is a folder of pictures")
    notices += passed_over({folder.name: found})
    return identified([folder / name for name in found.pictures])


def _background_folder(by_label: Mapping[str, Path], sources: Path, named: str | None) -> Path | None:
    if named is None:
        usual = [path for name, path in by_label.items() if name.casefold() in USUAL_BACKGROUNDS]
        return usual[0] if len(usual) == 1 else None
    if named in by_label:
        return by_label[named]
    if same(Path(named), sources):
        raise DataError(f"{named} is the folder of sources; the background is one folder of pictures of other things")
    return Path(named)


def _each_once(
    positives: Pictures, sources: Mapping[str, Pictures], background: Pictures, notices: list[str]
) -> tuple[dict[str, Pictures], Pictures]:
    """The sources and the background without what is the target's, and without what would have two uses."""
    uses: dict[str, list[str]] = {}
    for name, found in sources.items():
        for identity in found:
            uses.setdefault(identity, []).append(name)
    leaks = [identity for identity in positives if identity in uses or identity in background]
    if leaks:
        where = sorted({name for one in leaks for name in uses.get(one, ["the background"])})
        notices.append(
            f"{_count(len(leaks))} of the target in {', '.join(where)} as well: left out there, or the sources would "
            "have seen what the target is judged by"
        )
    several = {identity for identity, names in uses.items() if len(names) > 1} - set(leaks)
    if several:
        where = sorted({name for one in several for name in uses[one]})
        notices.append(f"{_count(len(several))} in several sources ({', '.join(where)}): left out of all")
    shared = {identity for identity in background if identity in uses} - set(leaks)
    if shared:
        notices.append(f"{_count(len(shared))} both in a source and in the background: left out of both")
    gone = {*leaks, *several, *shared}
    return {name: _without(found, gone) for name, found in sources.items()}, _without(background, gone)


def _left_out(gone: set[str], positives: Pictures) -> str:
    """What became of pictures that had two uses, as the part of a sentence."""
    if not gone:
        return ""
    whose = "the target's own" if gone <= positives.keys() else "the target's own or stand in two places"
    return f" ({len(gone)} left out, which {'is' if len(gone) == 1 else 'are'} {whose})"


def _without(found: Pictures, gone: Mapping[str, Path] | set[str]) -> Pictures:
    return {identity: path for identity, path in found.items() if identity not in gone}


def _count(number: int) -> str:
    return "a picture stands" if number == 1 else f"{number} pictures stand"
