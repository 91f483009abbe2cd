"""What all figures look like, and their files without a time in them."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

INK, MUTED, GRID = "#222222", "#6b6b6b", "#e3e3e3"
# Okabe & Ito's colours, told apart by every kind of eye; the darkest first.
PALETTE = ("#000000", "#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00", "#8a4b9c", "#9a9a9a", "#7a4a1e")
STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "svg.hashsalt": "tlbench",
    "svg.fonttype": "path",
}


def plain(text: object) -> str:
    """A user's name as it is: a dollar sign starts no formula."""
    return str(text).replace("$", r"\$")


def undress(axes: Any) -> None:
    """No frame and no ticks; what is shown stands out by itself."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, colors=INK)


def title(drawn: Figure, text: str, left: float) -> None:
    """The figure's title, above all."""
    drawn.text(left, 1 - 0.234 / drawn.get_figheight(), plain(text), fontsize=12.5, color=INK, weight="bold")


def width_of(text: str, size: float) -> float:
    """How wide a text of so many points is, in inches."""
    font = FontProperties(size=size)
    rows = [text_to_path.get_text_width_height_descent(row, font, ismath=False) for row in text.split("\n")]
    return max(float(wide) for wide, _, _ in rows) / 72


def png(drawn: Figure) -> bytes:
    """The figure as pixels."""
    buffer = io.BytesIO()
    FigureCanvasAgg(drawn).print_figure(buffer, dpi=150, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def svg(drawn: Figure) -> bytes:
    """The figure as shapes."""
    buffer = io.BytesIO()
    FigureCanvasSVG(drawn).print_figure(buffer, facecolor="white", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
