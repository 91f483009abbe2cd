"""One thing that was tried and what came of it, and a table of them."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..datasets import DataError, DataMissingError
from ..features.errors import PictureError
from ..own_methods import BrokenMethodError, ContractError
from ..protocol import ProtocolError
from ..sheet import Cell, Sheet

Outcome = Literal["ok", "problem", "not tried"]
MARKS: dict[Outcome, str] = {"ok": "reproduced", "problem": "contradicted", "not tried": "muted"}


@dataclass(frozen=True)
class Check:
    """what: in a few words. says: what was found, in a sentence."""

    what: str
    outcome: Outcome
    says: str = ""


class FailedError(Exception):
    """What is wrong, in a sentence."""


EXPECTED = (FailedError, ContractError, BrokenMethodError, ProtocolError, DataError, DataMissingError, PictureError)
"""Errors whose words are a sentence for a user; of any other the kind is said, too."""


def attempt(what: str, trial: Callable[[], str | None]) -> Check:
    """Try something that raises FailedError where it is not as it should be, or anything else where it breaks."""
    try:
        return Check(what, "ok", trial() or "")
    except EXPECTED as error:
        return Check(what, "problem", str(error))
    except (Exception, SystemExit) as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        return Check(what, "problem", f"{said} ({_place(error)})")


def _place(error: BaseException) -> str:
    """Where it was raised; of an installed package, where that was called."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "site-packages" not in Path(frame.filename).parts]
    return f"{Path(own[-1].filename).name}, line {own[-1].lineno}"


def sheet(caption: str, checks: Sequence[Check]) -> Sheet:
    """What was tried, a row each."""
    rows = tuple(
        (Cell(check.what), Cell(check.outcome, mark=MARKS[check.outcome]), Cell(check.says)) for check in checks
    )
    return Sheet(caption, ("what was tried", "outcome", "what was found"), rows)
