"""A signature as a picture: small, of the pad's proportions, and nothing in it but the shape."""

import io
import struct
from collections.abc import Iterator

import pytest
from PIL import Image

from kiosk.demo import scribble
from kiosk.papers.signature import WIDTH, PillowSignatures
from kiosk.services.ports import Point, SignatureImages, Strokes
from kiosk.services.strokes import check
from tests.building import LOOPS, SIGNATURE


def drawn(strokes: Strokes) -> bytes:
    images: SignatureImages = PillowSignatures()
    return images.draw(strokes)


def opened(png: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(png))
    image.load()
    return image.convert("L")


def chunks(png: bytes) -> Iterator[str]:
    """PNG §5.3: after the signature, chunks of length, type, data and CRC."""
    position = 8
    while position < len(png):
        (length,) = struct.unpack_from(">I", png, position)
        yield png[position + 4 : position + 8].decode("ascii")
        position += 12 + length


def dark(image: Image.Image, x: float, y: float) -> bool:
    box = (max(0, round(x) - 2), max(0, round(y) - 2), round(x) + 3, round(y) + 3)
    return min(image.crop(box).tobytes()) < 128


@pytest.mark.parametrize(("width", "height"), [(320, 160), (480, 300), (700, 260), (1000.5, 333.3)])
def test_a_picture_has_the_pads_proportions(width: float, height: float) -> None:
    image = opened(drawn(Strokes(width, height, SIGNATURE.strokes)))
    assert image.width == WIDTH
    assert abs(image.height - WIDTH * height / width) <= 1


def test_a_picture_is_small() -> None:
    assert len(drawn(SIGNATURE)) < 5_000
    assert len(drawn(scribble())) < 5_000


def test_a_picture_holds_no_word_about_when_where_or_by_what_it_was_drawn() -> None:
    assert set(chunks(drawn(SIGNATURE))) <= {"IHDR", "IDAT", "IEND"}


def test_the_same_strokes_are_the_same_picture() -> None:
    assert drawn(SIGNATURE) == drawn(SIGNATURE)


def test_every_stroke_can_be_seen_where_it_was_drawn() -> None:
    image = opened(drawn(SIGNATURE))
    scale = WIDTH / SIGNATURE.width
    assert all(dark(image, x * scale, y * scale) for x, y in LOOPS)
    assert not dark(image, 5, 5)
    assert min(image.tobytes()) < 64
    assert max(image.tobytes()) == 255


def test_a_dot_can_be_seen_too() -> None:
    assert dark(opened(drawn(Strokes(320, 160, (((160.0, 80.0),),)))), WIDTH / 2, WIDTH / 4)


@pytest.mark.parametrize(
    "strokes",
    [(), ((),), (((-300.0, -100.0), (600.0, 300.0)),), (tuple((0.0, 0.0) for _ in range(100)),), (LOOPS * 300,)],
)
def test_whatever_the_desk_lets_through_is_a_picture(strokes: tuple[tuple[Point, ...], ...]) -> None:
    assert opened(drawn(Strokes(320, 160, strokes))).size == (WIDTH, WIDTH / 2)


@pytest.mark.parametrize(("width", "height"), [(512, 4096), (4096, 512), (4096, 4096), (0.01, 0.08)])
def test_the_most_absurd_pad_that_the_desk_lets_through_does_not_fill_the_memory(width: float, height: float) -> None:
    points = tuple((width * n / 10, height * (n % 2)) for n in range(11))
    strokes = Strokes(width, height, (points,))
    check(strokes)
    assert len(drawn(strokes)) < 100_000
