"""A study with methods of a user's own among its conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..protocol import ProtocolError
from ..study import Piece, Study
from .finding import OwnMethod


def join(study: Study, methods: Sequence[OwnMethod]) -> Study:
    """The study with each method as a condition, cut into pieces of its own just as the study's conditions are.

    Raises ProtocolError where two are called alike. The study has to take methods.
    """
    by_name: dict[str, OwnMethod] = {}
    for method in methods:
        other = by_name.setdefault(method.condition, method)
        if other.reference != method.reference:
            raise ProtocolError(f"{other.reference} and {method.reference} are both called {method.condition}")
    like = next(iter(study.says))

    def cut(data: Any, parameters: Any, conditions: Sequence[str], seeds: int) -> list[Piece]:
        known = [condition for condition in conditions if condition not in by_name]
        pieces = study.cut(data, parameters, known, seeds) if known else []
        shape = pieces or study.cut(data, parameters, [like], seeds)
        one = shape[0].group
        return pieces + [
            replace(piece, group=by_name[condition].group, conditions=(condition,))
            for condition in conditions
            if condition in by_name
            for piece in shape
            if piece.group == one
        ]

    says = {condition: method.says for condition, method in by_name.items()}
    return replace(study, says={**study.says, **says}, methods=tuple(by_name), cut=cut)
