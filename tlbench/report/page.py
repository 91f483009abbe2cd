"""The sections as HTML: one file with its style, its script and its figures inside, and nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib import resources

from jinja2 import Environment, StrictUndefined

from .content import Section


def render(sections: Sequence[Section]) -> str:
    """The whole page. Every word in it is escaped by the template, whoever wrote it."""
    parts = {
        name: resources.files(__package__).joinpath(f"page.{name}").read_text("utf-8") for name in ("html", "css", "js")
    }
    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    # What the page may do is said in it: show its own pictures, use its own style, run this very script.
    allowed = "sha256-" + base64.b64encode(hashlib.sha256(parts["js"].encode()).digest()).decode()
    return page.from_string(parts["html"]).render(
        sections=sections, style=parts["css"], script=parts["js"], script_hash=allowed
    )
