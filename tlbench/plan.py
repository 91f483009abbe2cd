"""From settings to blocks: the independent pieces of work that are scheduled, stored and resumed.

A study says how one kind of experiment is cut into blocks and computed; the plan only counts them out. Nothing here
computes or touches a disk.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from .protocol import Protocol, Value
from .settings import Settings
from .study import OWN, Block, Study, digest


@dataclass(frozen=True)
class Plan:
    """All blocks of a run, in the order of its tables."""

    protocol: Protocol
    settings: Settings
    blocks: tuple[Block, ...]

    @property
    def short_hash(self) -> str:
        """Seven digits that stand for parameters, data and study; the manifest explains them."""
        return digest([block.key for block in self.blocks])[:7]

    @property
    def cells(self) -> int:
        """How many measurements of one metric are planned.

        Those of a block are of its own levels, and of all levels of a factor that it does not settle.
        """
        factors = self.settings.factors

        def levels(block: Block) -> int:
            count = 1
            for name in factors:
                value = block.parameters[name]
                count *= len(value) if isinstance(value, list) else 1
            return count

        return sum(levels(block) * len(block.conditions) * len(block.splits) for block in self.blocks)

    @property
    def own_levels(self) -> dict[str, dict[str, list[Any]]]:
        """Condition → factor → levels, of a condition that is planned at others than the run's."""
        found: dict[str, dict[str, list[Any]]] = {}
        for name, usual in self.settings.factors.items():
            levels: dict[str, set[Any]] = {}
            for block in self.blocks:
                value = block.parameters[name]
                for condition in block.conditions:
                    levels.setdefault(condition, set()).update(value if isinstance(value, list) else [value])
            for condition, own in levels.items():
                if own != set(usual if isinstance(usual, list) else [usual]):
                    found.setdefault(condition, {})[name] = sorted(own)
        return found

    @property
    def methods(self) -> dict[str, str]:
        """Conditions that a user brought → the class of each, with what tells it from an earlier version of itself."""
        return {name: block.group for block in self.blocks for name in block.conditions if name.startswith(OWN)}

    def tasks(self, blocks: Sequence[Block]) -> Iterator[list[Block]]:
        """The given blocks, those of one task together."""
        together: dict[object, list[Block]] = {}
        for block in blocks:
            together.setdefault(block.task, []).append(block)
        yield from together.values()


def make_plan(protocol: Protocol, study: Study, settings: Settings, data: Any, fingerprint: str) -> Plan:
    """Make blocks of the pieces that the study cuts its work into. Raises what ``study.cut`` raises."""
    parameters = msgspec.convert(settings.parameters, study.Parameters)
    pieces = study.cut(data, parameters, settings.conditions, settings.seeds)
    usual, at_levels = settings.parameters, dict[int, dict[str, Value]]()
    blocks: dict[int, Block] = {}
    for piece in pieces:
        if id(piece.at) not in at_levels:  # pieces that share their levels share their parameters
            at_levels[id(piece.at)] = {**usual, **piece.at}
        blocks[id(piece)] = Block(
            study=protocol.study,
            version=study.version,
            unit=piece.unit,
            splits=piece.splits,
            group=piece.group,
            conditions=piece.conditions,
            parameters=at_levels[id(piece.at)],
            data=fingerprint,
            needs=tuple(blocks[id(need)].key for need in piece.needs),
            chain=piece.chain,
            scores=settings.scores,
        )
    return Plan(protocol, settings, tuple(blocks[id(piece)] for piece in pieces))
