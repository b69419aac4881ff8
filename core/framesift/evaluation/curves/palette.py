"""Colours and settings of matplotlib that all figures share."""

from __future__ import annotations

from typing import Final

INK, QUIET, LINE, PAPER = "#26323f", "#6b7785", "#dde2e8", "#fbfbf9"
OURS, PEER, ACCENT = "#2f6f9f", "#b9c2cc", "#d98032"
STYLE: Final = {
    "figure.facecolor": PAPER,
    "axes.facecolor": PAPER,
    "axes.edgecolor": LINE,
    "axes.labelcolor": QUIET,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.axisbelow": True,
    "grid.color": LINE,
    "xtick.color": QUIET,
    "ytick.color": INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9.5,
    "ytick.left": False,
    "text.color": INK,
    "font.size": 9.5,
    "legend.frameon": False,
}
