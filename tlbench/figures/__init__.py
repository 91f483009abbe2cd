"""Figures from tables, of the few kinds that a protocol can declare; the same tables give the same bytes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from .. import protocol
from ..claims import select
from .curves import draw_curves
from .heatmap import draw_heatmap
from .lines import left_of, lines_of
from .style import MUTED, STYLE, plain, png, svg, title

FORMS: Mapping[str, Callable[[Figure], bytes]] = {"png": png, "svg": svg}

__all__ = ["draw", "draw_curves", "draw_heatmap", "left_of", "lines_of"]


def draw(
    figure: protocol.Figure,
    declared: protocol.Protocol,
    tables: Mapping[str, pd.DataFrame],
    factors: Mapping[str, Sequence[Any]],
    caption: str,
    published: pd.DataFrame | None = None,
    own: Mapping[str, Callable[[Mapping[str, pd.DataFrame]], Figure | None]] | None = None,
    forms: Sequence[str] = tuple(FORMS),
) -> dict[str, bytes]:
    """One declared figure as ``{"NAME.png": …, "NAME.svg": …}``; nothing where its table has no such rows.

    tables: by name; for curves, ``measurements`` may be unit means. published: the protocol's published numbers, for a
    figure that shows them too. own: the figures that the study draws itself, by name. forms: those that are wanted.
    """
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        # A script that the bundled font lacks is drawn as boxes, the same everywhere; the tables have the names.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        mpl.rcdefaults()  # a style of the user's own must not change a byte
        mpl.rcParams.update(STYLE)
        if figure.kind == "own":
            drawn = (own or {})[figure.name](tables)
            if drawn is not None:
                title(drawn, figure.title, 0.02)
        else:
            drawn = _draw_declared(figure, declared, tables.get(figure.table), factors, published)
        if drawn is None:
            return {}
        drawn.text(0.01, 0.008, plain(caption), fontsize=7, color=MUTED, va="bottom")
        return {f"{figure.name}.{form}": FORMS[form](drawn) for form in forms}


def _draw_declared(
    figure: protocol.Figure,
    declared: protocol.Protocol,
    table: pd.DataFrame | None,
    factors: Mapping[str, Sequence[Any]],
    published: pd.DataFrame | None,
) -> Figure | None:
    if table is None:
        return None
    if figure.kind == "curves":
        lines = lines_of(figure, declared, table, factors, published)
        return draw_curves(figure, declared, lines, left_of(figure, table, factors)) if lines else None
    rows = select(table, figure.where, factors, all_of_a_list=False)
    return None if rows.empty else draw_heatmap(figure, rows, left_of(figure, table, factors))
