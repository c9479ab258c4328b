"""QR codes as one SVG path: no inline style, no file, and quick to paint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Final

import segno

#: ISO/IEC 18004 §6.3.8: a symbol stands in a margin of four modules.
QUIET: Final = 4
#: Any of the eight masks can be read; choosing among them takes five times as long as drawing, and the hash looks random anyway.
_MASK: Final = 3


@dataclass(frozen=True, slots=True)
class Symbol:
    """A code's picture: `side` is its width and height in modules, margin included, `path` fills the dark ones."""

    side: int
    path: str


@lru_cache(maxsize=8)
def symbol(text: str) -> Symbol:
    """Draw `text` as a QR code. Kept a while, since a screen is painted more than once."""
    rows = segno.make(text, error="L", micro=False, mask=_MASK).matrix
    return Symbol(len(rows) + 2 * QUIET, "".join(_row(y, row) for y, row in enumerate(rows, QUIET)))


def _row(y: int, modules: bytearray) -> str:
    """The dark runs of a row, each as a bar one module high."""
    bars, x = [], QUIET
    for dark, run in groupby(modules):
        length = len(list(run))
        if dark:
            bars.append(f"M{x} {y}h{length}v1h-{length}z")
        x += length
    return "".join(bars)
