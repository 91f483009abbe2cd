"""An advice in plain words: one screen, the same in the terminal and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ..sheet import Cell, Sheet, words
from .advising import Advice
from .expectation import Interval
from .machines import OPTIONS
from .rehearsal import DRAWS
from .roles import FEWEST_TEST_EXAMPLES

MOST_NAMED = 6
"""Sources whose weights are written out; the others are summed."""
LITTLE = 1.0
"""Points of expected gain below which a gain is called little."""


def page(advice: Advice) -> str:
    """The whole page, Markdown that reads as it is."""
    return "\n".join(_lines(advice)) + "\n"


def _lines(advice: Advice) -> Iterator[str]:
    yield f"# {escaped(advice.target)}, {_labelled(advice.shots)}"
    yield ""
    yield f"**{_verdict(advice)}**"
    yield ""
    if advice.expected:
        yield from _expectations(advice)
    if advice.option != "none":
        yield ""
        yield "| source | weight |"
        yield "|---|--:|"
        yield from (f"| {escaped(name)} | {weight} |" for name, weight in _weights(advice))
    for heading, sentences in (("Not answered", advice.unanswered), ("Noted", advice.notices)):
        if sentences:
            yield ""
            yield f"{heading}:"
            yield ""
            yield from (f"- {escaped(sentence)}" for sentence in sentences)


def _verdict(advice: Advice) -> str:
    if advice.option != advice.chosen:
        return (
            "No transfer: every weight came out as 0.00, and the model is that of the target's pictures alone. What it "
            "is worth cannot be told here."
        )
    if advice.option == "none":
        return (
            "Do not transfer: in rehearsal the target's own pictures did better alone than with any use of the sources."
        )
    how = {
        "average": "giving every source the same small weight, 1/k",
        "equal": "giving every source the same weight, 1/√k",
        "ours": "weighting the sources as below",
    }[advice.option]
    if advice.expected is None:
        return f"Transfer on trust, {how}: what it is worth cannot be told here."
    gain = advice.expected.gain.mean
    if gain < LITTLE:
        return f"Transferring or not makes little difference here; the model does, {how}."
    return f"Transfer, {how}."


def _expectations(advice: Advice) -> Iterator[str]:
    expected = advice.expected
    assert expected is not None  # noqa: S101 (the caller looks)
    players = advice.rehearsal["source"].nunique()
    yield (
        f"Rehearsed: {players} of the sources in turn played a target of {_pictures(advice.shots)}, {DRAWS} times "
        "each, with the others as their sources, and were tested on pictures held apart."
    )
    if idle := _idle(advice):
        yield ""
        yield escaped(idle)
    yield ""
    plain = "" if advice.option == "none" else f"; without transfer {_percent(expected.plain)}"
    yield f"- Expected balanced accuracy: **{_percent(expected.advised)}**{plain}."
    if advice.option != "none":
        yield f"- Expected gain: **{_points(expected.gain)}**."
        yield f"- {_labels(advice.shots, expected.labels)}"
    yield (
        "- In brackets: where 95 of 100 new targets fall. Balanced accuracy is the mean of what is recognised among "
        "pictures of the target and among others; guessing gives 50 %."
    )


def _idle(advice: Advice) -> str:
    """Which sources did not play, and why; nothing where all did."""
    played = set(advice.rehearsal["source"])
    needed = int(advice.rehearsal["shots"].max()) + FEWEST_TEST_EXAMPLES
    few = [name for name, size in advice.sizes.items() if size < needed]
    drawn = len(advice.sizes) - len(few)
    reasons = [f"{_listed(few)} {'has' if len(few) == 1 else 'have'} fewer than {needed} pictures"] if few else []
    if len(played) < drawn:
        reasons.append(f"of {'the other ' if few else ''}{drawn}, {len(played)} were drawn")
    return f"{len(played)} of the {len(advice.sizes)} sources played: {'; '.join(reasons)}." if reasons else ""


def _listed(names: Sequence[str]) -> str:
    """Names in a sentence, the first few of many."""
    shown = list(names) if len(names) <= MOST_NAMED + 1 else [*names[:MOST_NAMED], f"{len(names) - MOST_NAMED} more"]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _percent(interval: Interval) -> str:
    return f"{interval.mean:.0f} % ({interval.low:.0f} … {interval.high:.0f})"


def _points(interval: Interval) -> str:
    mean, low, high = (f"{value:+.0f}".replace("-", "−") for value in (interval.mean, interval.low, interval.high))
    return f"{mean} points ({low} … {high})"


def _labels(shots: int, labels: tuple[float, bool]) -> str:
    number, reached = labels
    if not reached:
        most = _labelled(round(number))
        return f"As much without transfer takes more than {most}: further could not be rehearsed."
    more = max(0, round(number) - shots)
    if not more:
        return "As much without transfer takes no more labelled pictures than there are."
    return f"As much without transfer takes about {_labelled(round(number))}, {more} more than there are."


def _weights(advice: Advice) -> list[tuple[str, str]]:
    every = list(advice.weights.items())
    named = every[: MOST_NAMED if len(every) > MOST_NAMED + 1 else len(every)]
    rows = [(name, _weight(weight)) for name, weight in named]
    if rest := every[len(named) :]:
        rows.append((f"the other {len(rest)} together", _weight(sum(weight for _, weight in rest))))
    return rows


def _weight(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _pictures(number: int) -> str:
    return "one picture" if number == 1 else f"{number} pictures"


def _labelled(number: int) -> str:
    return "one labelled picture" if number == 1 else f"{number} labelled pictures"


def escaped(text: str) -> str:
    """A user's name in a table or a line of Markdown: neither markup nor what would break or colour a line."""
    plain = re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029]", lambda found: ascii(found[0])[1:-1], text)
    return re.sub(r"[\\`*<|\[]", lambda found: "\\" + found[0], plain)


def sheets(advice: Advice) -> list[Sheet]:
    """The same as tables, for programs: what is expected, the weights, and the rehearsed means."""
    of = {"target": advice.target}
    parts = [
        words(
            "Advice",
            ("question", "answer"),
            [("labelled pictures", str(advice.shots)), ("take", advice.option), ("that is", OPTIONS[advice.option])]
            + [("not answered", sentence) for sentence in advice.unanswered]
            + [("noted", sentence) for sentence in advice.notices],
            **of,
        )
    ]
    if expected := advice.expected:
        named = {
            "balanced accuracy in %, as advised": expected.advised,
            "balanced accuracy in %, without transfer": expected.plain,
            "gain in points": expected.gain,
        }
        rows = [(Cell(name), *map(_cell, (one.mean, one.low, one.high))) for name, one in named.items()]
        number, reached = expected.labels
        labels = "labels without transfer that give as much"
        upper = _cell(number) if reached else Cell("", float("nan"))
        rows.append((Cell(labels if reached else f"{labels}: more than"), _cell(number), _cell(number), upper))
        parts.append(Sheet("Expected", ("what", "mean", "low", "high"), tuple(rows), (False, True, True, True), of))
    weights = tuple((Cell(name), Cell(f"{value:.4f}", value)) for name, value in advice.weights.items())
    parts.append(Sheet("Weights", ("source", "weight"), weights, (False, True), of))
    if not advice.rehearsal.empty:
        means = advice.rehearsal.groupby("shots")[list(OPTIONS)].mean()
        rehearsed = tuple(
            (Cell(str(shots)), *map(_cell, row)) for shots, row in zip(means.index, means.to_numpy(), strict=True)
        )
        numbers = (False, *[True] * len(OPTIONS))
        parts.append(Sheet("Rehearsed, mean balanced accuracy in %", ("shots", *OPTIONS), rehearsed, numbers, of))
    return parts


def _cell(value: float) -> Cell:
    return Cell(f"{value:.1f}", float(value))
