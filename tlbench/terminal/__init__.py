"""What a person sees: tables, progress and verdicts; plain lines when it is not a terminal."""

from .lines import console, duration, one_line, plain, relative, say, show
from .summary import summary_table
from .verdicts import verdict_table
from .waiting import Report, progress

__all__ = [
    "Report",
    "console",
    "duration",
    "one_line",
    "plain",
    "progress",
    "relative",
    "say",
    "show",
    "summary_table",
    "verdict_table",
]
