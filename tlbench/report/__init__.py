"""Everything that was run as one page that needs nothing but itself."""

from .content import Section, section
from .page import render

__all__ = ["Section", "render", "section"]
