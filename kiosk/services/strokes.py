"""Is this a drawing that somebody made on the pad?"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

from kiosk.domain.errors import BadSignature, EmptySignature
from kiosk.services.ports import Point, Strokes

#: Far above what a hand draws in a minute, far below what hurts.
MOST_POINTS: Final = 10_000
LARGEST_PAD: Final = 4_096
#: How often the one side may go into the other: the picture has a set width, so a pad like a thread would make a huge one.
SLIMMEST_PAD: Final = 8
#: A dot, two dots or a tick of a few pixels is no signature: the pen has to travel this share of the pad's height.
SHORTEST: Final = 0.5
FEWEST_POINTS: Final = 8


def check(drawing: Strokes) -> None:
    """Accept a plausible signature.

    Raises:
        BadSignature: a point outside the pad, a number that is none, or absurdly many points.
        EmptySignature: nothing drawn, or next to nothing.
    """
    if not (0 < drawing.width <= LARGEST_PAD and 0 < drawing.height <= LARGEST_PAD):
        raise BadSignature(reason="pad")
    if not 1 / SLIMMEST_PAD <= drawing.width / drawing.height <= SLIMMEST_PAD:
        raise BadSignature(reason="pad")
    points = [point for stroke in drawing.strokes for point in stroke]
    if len(points) > MOST_POINTS or not all(_inside(point, drawing) for point in points):
        raise BadSignature(reason="points")
    travelled = sum(math.dist(a, b) for stroke in drawing.strokes for a, b in pairwise(stroke))
    if len(points) < FEWEST_POINTS or travelled < SHORTEST * drawing.height:
        raise EmptySignature()


def _inside(point: Point, drawing: Strokes) -> bool:
    # A finger may leave the pad in mid-stroke; a little beyond the edge is still a drawing. NaN fails every comparison.
    x, y = point
    margin_x, margin_y = drawing.width, drawing.height
    return -margin_x <= x <= 2 * margin_x and -margin_y <= y <= 2 * margin_y
