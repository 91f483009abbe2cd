"""What a run leaves for people: tables, verdicts and figures, written after it and read again from the folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from . import claims, protocol, published, tables
from .manifest import describe_run, finished_runs, read_manifest, seal, verify_tables, write_manifest
from .protocol import Figure
from .records import BlockRecord, Records, RecordsError, in_words, load_all

if TYPE_CHECKING:
    import pandas as pd

    from .plan import Plan
    from .study import Block

Form = Literal["png", "svg"]


@dataclass(frozen=True)
class Grid:
    """Means at one level of the factors before the last: conditions down, levels of the last factor across.

    at: those levels. means, low, high: condition × level, with 95 % intervals over ``units``. best: of each level, what
    a user could have chosen; oracles are left out.
    """

    at: dict[str, Any]
    across: str
    means: pd.DataFrame
    low: pd.DataFrame
    high: pd.DataFrame
    best: pd.Series
    units: int


@dataclass(frozen=True)
class Results:
    """A run's tables by name with what its manifest says; ``missing`` counts planned measurements that are absent.

    ``tlbench.run`` returns one. Of ``tables``, ``measurements`` has one row a measurement: unit, split, condition, a
    column a factor, metric and value (accuracies in percent). Methods raise ProtocolError as they say.

    >>> import tempfile, tlbench
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results = tlbench.run("multitask-regression", profile="smoke", results=folder, jobs=1)
    >>> results.missing, results.factors
    (0, {'examples': [4, 16]})
    >>> int(results.summary()["units"].iloc[0]) == results.measured["unit"].nunique()
    True
    >>> set(results.verdicts().columns) >= {"claim", "verdict", "effect", "low", "high", "p_holm", "units"}
    True
    """

    records: Records
    protocol: protocol.Protocol
    manifest: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    missing: int

    @property
    def dataset(self) -> str:
        """The data set's name as results are filed under it."""
        return str(self.manifest["data"]["name"])

    @property
    def factors(self) -> dict[str, list[Any]]:
        """The levels that were run, by factor."""
        return dict(self.manifest["settings"]["factors"])

    @property
    def extent(self) -> claims.Extent:
        """What the run was meant to cover."""
        return claims.Extent(self.factors, tuple(self.manifest["settings"]["conditions"]))

    @cached_property
    def published(self) -> published.Published | None:
        """The numbers that the protocol is compared with.

        None where it names none, or where all that is left of the protocol is its copy in the manifest and the file is
        not among those that ship. Raises ProtocolError where a protocol file names what cannot be read.
        """
        known = self.protocol.folder is not None or published.find(self.protocol) is not None
        return published.load(self.protocol) if known else None

    @property
    def caption(self) -> str:
        """Which run this is: data set, profile, what was changed, and its short hash."""
        changed = [f"{key} = {in_words(value)}" for key, value in self.manifest["changed"].items()]
        parts = [self.manifest["experiment"], self.dataset, f"profile {self.manifest['profile']}", *changed]
        return " · ".join([*parts, f"run {self.manifest['run']}"])

    @property
    def notes(self) -> list[str]:
        """What a reader of the numbers has to know, in sentences."""
        return list(self.manifest.get("notes", ()))

    @property
    def measured(self) -> pd.DataFrame:
        """One row a measurement."""
        return self.tables["measurements"]

    @cached_property
    def unit_means(self) -> pd.DataFrame:
        """Mean over splits of each unit, condition and cell: all that means, claims and curves are made of."""
        return tables.unit_means(self.measured, list(self.factors))

    def summary(self) -> pd.DataFrame:
        """Means and 95 % intervals over units."""
        return tables.summarise(self.unit_means, list(self.factors))

    def grids(self) -> list[Grid]:
        """The protocol's metric as grids, levels and conditions in the order in which they were declared."""
        *apart, across = self.factors
        summary = self.summary()
        summary = summary[summary["metric"] == self.protocol.metric]
        for factor in reversed(apart):
            levels = self.protocol.factors[factor]
            place = {level: rank for rank, level in enumerate(levels if isinstance(levels, list) else [levels])}
            summary = summary.loc[summary[factor].map(place).sort_values(kind="stable").index]
        parts = summary.groupby(apart, sort=False) if apart else [((), summary)]
        return [self._grid(dict(zip(apart, level, strict=True)), across, part) for level, part in parts]

    def _grid(self, at: dict[str, Any], across: str, summary: pd.DataFrame) -> Grid:
        conditions = [name for name in self.manifest["settings"]["conditions"] if name in set(summary["condition"])]

        def pivot(values: str) -> pd.DataFrame:
            grid = summary.pivot_table(index="condition", columns=across, values=values, sort=False, dropna=False)
            return grid.reindex(index=conditions, columns=sorted(grid.columns))

        means = pivot("mean")
        chosen = means.drop(index=[name for name in conditions if name in self.protocol.oracles])
        best = chosen.min() if self.protocol.lower_is_better else chosen.max()
        return Grid(at, across, means, pivot("low"), pivot("high"), best, int(summary["units"].max()))

    def findings(self) -> list[claims.Finding]:
        """Every claim of the protocol, tested."""
        return list(self._findings)

    @cached_property
    def _findings(self) -> list[claims.Finding]:
        return claims.assess(self.protocol, self.unit_means, self.extent, self.tables)

    def verdicts(self) -> pd.DataFrame:
        """The findings as a table: claim, says, source, effect, low, high, p, p_holm, units, verdict."""
        return claims.as_table(self.findings())

    def findings_published(self) -> list[claims.Finding] | None:
        """The same claims on the published numbers; None where there are none."""
        return self.published.findings(self.protocol) if self.published else None

    def figure(self, figure: Figure, forms: Sequence[Form] = ("png", "svg")) -> dict[str, bytes]:
        """One of the protocol's figures as files by name, one a form; none where there is nothing to draw.

        Raises RecordsError for a figure that the study draws itself and does not know.
        """
        from . import figures, studies

        study = self.protocol.study
        own = studies.find(study).draws if figure.kind == "own" else {}
        if figure.kind == "own" and figure.name not in own:
            raise RecordsError(f"the study {study} draws no figure '{figure.name}'; run the experiment again")
        beside = self.published.table if figure.published and self.published else None
        shown = {**self.tables, "measurements": self.unit_means} if figure.kind == "curves" else self.tables
        return figures.draw(figure, self.protocol, shown, self.factors, self.caption, beside, own, forms)

    def draw(self) -> list[Path]:
        """Draw every figure again; returns the files."""
        drawn = [file for figure in self.protocol.figures for file in self.figure(figure).items()]
        return [self.records.write(name, content) for name, content in drawn]


def publish(
    plan: Plan, records: Records, data: Mapping[str, Any], study_tables: Mapping[str, tuple[str, ...]]
) -> Results:
    """Write tables, verdicts and manifest from the finished blocks; figures are for ``draw``.

    The manifest comes last and seals the tables. Raises RecordsError where not a single block has finished.
    """
    environments: list[dict[str, str]] = []
    notes: set[str] = set()
    collected = tables.collect(plan, str(data["name"]), _noting(environments, notes, records, plan), list(study_tables))
    if not environments:
        raise RecordsError(f"no block of {plan.protocol.name} has finished; nothing to write to {records.folder}")
    for name, columns in study_tables.items():
        if name in collected:
            collected[name] = collected[name][list(columns)]
    text = {name: tables.text_columns(table) for name, table in collected.items()}
    manifest = describe_run(plan, data, environments, text) | ({"notes": sorted(notes)} if notes else {})
    seals = manifest["seals"] = {}

    def write(name: str, content: bytes) -> None:
        seals[f"{name}.csv"] = seal(content)
        records.write(f"{name}.csv", content)

    for name in list(collected):
        write(name, tables.to_csv(collected.pop(name)))  # its memory is the next one's
    results = _judged(records, manifest, plan.protocol)
    write("summary", tables.to_csv(results.summary()))
    write("claims", tables.to_csv(claims.as_table(results.findings())))
    try:
        if (beside := results.findings_published()) is not None:
            write("claims_published", tables.to_csv(claims.as_table(beside)))
    finally:  # the run's own numbers are whole, whatever is wrong with those of others
        write_manifest(records, manifest)
    return results


def _noting(
    environments: list[dict[str, str]], notes: set[str], records: Records, plan: Plan
) -> Iterator[tuple[Block, BlockRecord]]:
    """The finished blocks one after the other; where each was computed and what it says is noted, the same once."""
    known: dict[frozenset[tuple[str, str]], dict[str, str]] = {}
    for block, record in load_all(records, plan.blocks):
        here = record.environment
        environments.append(known.setdefault(frozenset(here.items()), here))
        notes.update(record.notes)
        yield block, record


def reopen(folder: Path, declared: protocol.Protocol | None = None) -> Results:
    """A run from what lies in its folder, judged by ``declared`` or else by the protocol kept in its manifest.

    Raises RecordsError where the folder holds no run that can be read, and where a table was changed after the run.
    """
    manifest = read_manifest(folder)
    try:
        declared = declared or protocol.parse(manifest["protocol"], str(folder / "manifest.json"))
    except protocol.ProtocolError as error:
        raise RecordsError(f"{error}; run the experiment again") from None
    verify_tables(folder, manifest)
    return _judged(Records(folder), manifest, declared)


def _judged(records: Records, manifest: dict[str, Any], declared: protocol.Protocol) -> Results:
    """The run of that manifest from the tables in its folder."""
    folder, found = records.folder, {}
    for name, text in manifest["text"].items():
        try:
            found[name] = tables.read_csv(records, name, text)
        except (OSError, ValueError) as error:
            raise RecordsError(f"{folder / name}.csv cannot be read ({error}); run the experiment again") from None
    if "measurements" not in found:
        raise RecordsError(f"{folder} holds no measurements.csv; run the experiment again")
    settings, measured, names = manifest["settings"], found["measurements"], manifest["text"]["measurements"]
    if set(settings["factors"]) != set(declared.factors):
        run, known = (", ".join(sorted(factors)) for factors in (settings["factors"], declared.factors))
        raise RecordsError(f"{folder} was run with factors {run}, and {declared.name} has {known}; run it again")
    for name, levels in settings["factors"].items():
        if any(isinstance(level, str) for level in levels) != (name in names):
            raise RecordsError(f"{folder / 'manifest.json'} has other levels of {name} than its tables; run it again")
    try:
        missing = tables.missing_cells(
            measured[measured["metric"] == declared.metric],
            manifest["units"],
            settings["conditions"],
            settings["seeds"],
            settings["factors"],
            manifest["cells"],
            manifest.get("own_levels"),
        )
    except (KeyError, TypeError) as error:
        path = folder / "measurements.csv"
        raise RecordsError(f"{path} lacks what the manifest plans ({error}); run it again") from None
    return Results(records, declared, manifest, found, missing)


def find_runs(results: Path, reference: str | None, dataset: str | None, profile: str | None) -> list[Results]:
    """Finished runs below a results folder, by experiment (name or protocol file), data set and profile.

    A shipped or given protocol is used as it stands now; a run of another one by the copy in its manifest. Data of a
    user's own go by what was typed, by its last name alone, or as results are filed under them.
    Raises RecordsError where there is none.
    """
    foreign = reference is not None and reference not in protocol.shipped() and (results / reference).is_dir()
    declared = protocol.read(reference) if reference and not foreign else None
    prefix, colon, path = (dataset or "").partition(":")
    named = f"{prefix}:{Path(path).name}" if colon else dataset
    found = []
    for folder in finished_runs(results, declared.name if declared else reference):
        known = declared or _shipped_protocol(folder.parent.name)
        run = reopen(folder, known)
        typed = str(run.manifest["data"].get("reference", ""))
        names = (run.dataset, typed, typed.partition(":")[2])
        if (dataset is None or named in names) and profile in (None, run.manifest["profile"]):
            found.append(run)
    if not found:
        wanted = " ".join(filter(None, [reference, dataset, profile])) or "any experiment"
        raise RecordsError(f"there are no results of {wanted} in {results}; `tlbench run` makes them")
    return found


def _shipped_protocol(name: str) -> protocol.Protocol | None:
    return protocol.read(name) if name in protocol.shipped() else None
