"""The real command, in an empty folder of its own."""

from tests.place_fixtures import (
    birds,
    birds_done,
    birds_finished,
    birds_reference,
    done,
    faults,
    finished,
    make_table,
    matplotlib_cache,
    other_place,
    place,
    reference,
    save_table,
)

__all__ = [
    "birds",
    "birds_done",
    "birds_finished",
    "birds_reference",
    "done",
    "faults",
    "finished",
    "make_table",
    "matplotlib_cache",
    "other_place",
    "place",
    "reference",
    "save_table",
]
