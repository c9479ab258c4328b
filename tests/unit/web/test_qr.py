import re

import pytest
import segno

from web.qr import QUIET, symbol

TEXTS = {
    "a short node": f"a-1:11111111-2222-3333-4444-555555555555:1 {'0' * 64}",
    "the longest": f"{'n' * 32}:11111111-2222-3333-4444-555555555555:{10**12} {'f' * 64}",
}
BAR = re.compile(r"M(\d+) (\d+)h(\d+)v1h-(\d+)z")


def filled(path: str) -> set[tuple[int, int]]:
    """The modules that a path fills, by column and row."""
    assert BAR.sub("", path) == ""
    bars = [tuple(map(int, bar)) for bar in BAR.findall(path)]
    assert all(there == back for _, _, there, back in bars)
    return {(x + n, y) for x, y, length, _ in bars for n in range(length)}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_path_fills_exactly_the_dark_modules_within_a_quiet_margin(text: str) -> None:
    drawn = symbol(text)
    masks = (segno.make(text, error="L", micro=False, mask=mask) for mask in range(8))
    wanted = [
        {(x, y) for y, row in enumerate(one.matrix_iter(border=QUIET)) for x, dark in enumerate(row) if dark}
        for one in masks
    ]
    assert filled(drawn.path) in wanted
    assert drawn.side == len(segno.make(text, error="L", micro=False).matrix) + 8


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_module_is_large_enough_for_a_phone_held_by_hand(text: str) -> None:
    # 250 px on the 7" panel, of which 5.2 are a millimetre; from 0.5 mm a module is read at arm's length.
    assert 250 / symbol(text).side / 5.2 >= 0.5
