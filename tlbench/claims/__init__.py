"""What the papers claimed, tested: differences over units, Holm over the claims of an experiment.

The unit of replication is what the protocol says it is; splits are averaged within units first. p-values come from
Student's t over units and are two-sided, but for an equivalence, which is two one-sided tests; intervals are unadjusted
95 % ones. The experiments' pages in ``docs/`` say what may be concluded from them.
"""

from .effects import Extent, effects, left_out
from .selection import ClaimError, in_words, relative, select
from .statistics import LEVEL, Estimate, holm
from .verdicts import COLUMNS, FEWEST_UNITS, Finding, as_table, assess

__all__ = [
    "COLUMNS",
    "FEWEST_UNITS",
    "LEVEL",
    "ClaimError",
    "Estimate",
    "Extent",
    "Finding",
    "as_table",
    "assess",
    "effects",
    "holm",
    "in_words",
    "left_out",
    "relative",
    "select",
]
