"""Figures from tables, of the few kinds that a protocol can declare; the same tables give the same bytes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from .. import protocol
from ..claims import select
from .curves import draw_curves
from .heatmap import draw_heatmap
from .lines import left_of, lines_of
from .style import MUTED, STYLE, plain, png, svg

__all__ = ["draw", "draw_curves", "draw_heatmap", "left_of", "lines_of"]


def draw(
    figure: protocol.Figure,
    declared: protocol.Protocol,
    tables: Mapping[str, pd.DataFrame],
    factors: Mapping[str, Sequence[Any]],
    caption: str,
    published: pd.DataFrame | None = None,
) -> dict[str, bytes]:
    """One declared figure as ``{"NAME.png": …, "NAME.svg": …}``; nothing where its table has no such rows.

    published: the protocol's published numbers, for a figure that shows them too.
    """
    import matplotlib as mpl

    table = tables.get(figure.table)
    if table is None:
        return {}
    with mpl.rc_context(), warnings.catch_warnings():
        # A script that the bundled font lacks is drawn as boxes, the same everywhere; the tables have the names.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()  # a style of the user's own must not change a byte
        mpl.rcParams.update(STYLE)
        if figure.kind == "curves":
            lines = lines_of(figure, declared, table, factors, published)
            if not lines:
                return {}
            drawn = draw_curves(figure, declared, lines, left_of(figure, table, factors))
        else:
            rows = select(table, figure.where, factors, all_of_a_list=False)
            if rows.empty:
                return {}
            drawn = draw_heatmap(figure, rows, left_of(figure, table, factors))
        drawn.text(0.01, 0.008, plain(caption), fontsize=7, color=MUTED, va="bottom")
        return {f"{figure.name}.png": png(drawn), f"{figure.name}.svg": svg(drawn)}
