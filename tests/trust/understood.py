"""What any input comes to: an end, or a refusal that says why."""

from __future__ import annotations

from contextlib import contextmanager

from hypothesis import HealthCheck, settings

LONGEST = 20_000
"""Characters of a message: what was given may be long, and is named."""


@contextmanager
def understood(kind, tried):
    """What is done inside ends well, or in an error of that kind that says why."""
    try:
        yield
    except kind as error:
        if not 0 < len(str(error).strip()) < LONGEST or str(error).count("\n") > 8:
            raise AssertionError(f"no sentence: {error}") from None
    tried.came_to(survived=True)


def cases(count):
    """So many examples, each of which is counted."""
    return settings(
        max_examples=count, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    )
