"""What a figure costs against the log's length, as a picture: a panel for each series, the length on a logarithmic axis."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.bench.measuring import SCALES, Figure

PICTURE: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "growth.svg"
_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _GAP = 250, 200, 52, 34, 36, 24
_STYLE: Final = (
    "text{font:11px sans-serif;fill:#22304a}.title{font-weight:bold;font-size:12px}.axis{stroke:#8a94a6;fill:none}"
    ".grid{stroke:#e3e6ec}.line{stroke:#1f5fa8;stroke-width:2;fill:none}.dot{fill:#1f5fa8}"
)


def draw(figures: Sequence[Figure]) -> str:
    """The picture, an SVG document."""
    series: dict[str, list[Figure]] = defaultdict(list)
    for figure in figures:
        if figure.length:
            series[figure.series].append(figure)
    width = len(series) * (_WIDTH + _GAP)
    panels = "".join(
        f'<g transform="translate({number * (_WIDTH + _GAP)},0)">{"".join(_panel(name, points))}</g>'
        for number, (name, points) in enumerate(series.items())
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT}" viewBox="0 0 {width} {_HEIGHT}" '
        f'role="img"><title>Cost against the length of the log</title><style>{_STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#fff"/>{panels}</svg>\n'
    )


def _panel(name: str, points: Sequence[Figure]) -> Iterator[str]:
    unit = points[0].unit
    values = {figure.length: figure.samples.median * SCALES[unit] for figure in points}
    top = _nice(max(values.values()))
    yield f'<text class="title" x="{_LEFT}" y="16">{name} ({unit})</text>'
    for step in range(5):
        value = top * step / 4
        yield f'<path class="grid" d="M{_LEFT} {_y(value, top)}H{_WIDTH}"/>'
        yield f'<text x="{_LEFT - 6}" y="{_y(value, top) + 4}" text-anchor="end">{value:.3g}</text>'
    yield f'<path class="axis" d="M{_LEFT} {_TOP}V{_HEIGHT - _BOTTOM}H{_WIDTH}"/>'
    places = {length: _x(length, values) for length in values}
    for length, x in places.items():
        yield f'<text x="{x}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{_short(length)}</text>'
        yield f'<circle class="dot" cx="{x}" cy="{_y(values[length], top)}" r="3.5"/>'
    line = " ".join(f"{x},{_y(values[length], top)}" for length, x in places.items())
    yield f'<polyline class="line" points="{line}"/>'
    yield f'<text x="{(_LEFT + _WIDTH) // 2}" y="{_HEIGHT - 4}" text-anchor="middle">entries in the log</text>'


def _x(length: int, values: Mapping[int, float]) -> float:
    first, last = math.log10(min(values)), math.log10(max(values))
    return round(_LEFT + 16 + (math.log10(length) - first) / (last - first) * (_WIDTH - _LEFT - 40), 1)


def _y(value: float, top: float) -> float:
    return round(_HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM), 1)


def _nice(value: float) -> float:
    """The next round number above: 1, 2, 4 or 8 times a power of ten."""
    power: float = 10 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power > value)


def _short(length: int) -> str:
    return f"{length // 1_000_000} M" if length >= 1_000_000 else f"{length // 1_000} k"
