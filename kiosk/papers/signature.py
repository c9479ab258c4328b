"""A drawn signature as a small picture. Shape only: neither time nor pressure is ever asked for (that would be biometric data)."""

from __future__ import annotations

import io
from typing import Final

from PIL import Image, ImageDraw

from kiosk.services.ports import Point, Strokes

WIDTH: Final = 360
#: Drawn larger and scaled down: Pillow's lines have hard edges.
_OVERSAMPLING: Final = 2
_PEN: Final = 2.5
#: Somebody waits for the green light: zlib's default takes a quarter longer, for a sixth less.
_COMPRESSION: Final = 3


class PillowSignatures:
    """Implements the port `SignatureImages`."""

    def draw(self, strokes: Strokes) -> bytes:
        """A greyscale PNG, 360 px wide, of the pad's proportions."""
        height = max(1, round(WIDTH * strokes.height / strokes.width))
        scale = WIDTH * _OVERSAMPLING / strokes.width
        image = Image.new("L", (WIDTH * _OVERSAMPLING, height * _OVERSAMPLING), 255)
        pen = ImageDraw.Draw(image)
        for stroke in strokes.strokes:
            _stroke(pen, [(x * scale, y * scale) for x, y in stroke])
        buffer = io.BytesIO()
        image.reduce(_OVERSAMPLING).save(buffer, "PNG", compress_level=_COMPRESSION)
        return buffer.getvalue()


def _stroke(pen: ImageDraw.ImageDraw, points: list[Point]) -> None:
    width = round(_PEN * _OVERSAMPLING)
    if len(points) > 1:
        pen.line(points, fill=24, width=width, joint="curve")
    radius = width / 2
    for x, y in (points[0], points[-1]) if points else ():
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=24)
