"""The README's pictures, made from the running product, so that they never show what is not there."""

from io import BytesIO
from pathlib import Path

from PIL import Image, ImageChops
from playwright.sync_api import Locator, Page, expect

from tests.e2e.cabinet import PORTRAIT, Cabinet, picture
from tests.e2e.test_demo import demo_page, screen_of, sign_by_mouse

#: A flowing hand in place of the zigzag that suits the other tests.
FLOURISH = [(0.12, 0.55), (0.16, 0.3), (0.2, 0.62), (0.26, 0.34), (0.3, 0.6), (0.36, 0.46), (0.41, 0.6), (0.48, 0.44),
            (0.53, 0.58), (0.6, 0.42), (0.66, 0.56), (0.74, 0.4), (0.82, 0.5), (0.9, 0.36)]  # fmt: skip


#: The share of pixels that dates, clocks and the like may change before a picture is made anew.
ALIKE = 0.01


def keep(page: Page, name: str) -> None:
    """Save a picture small, unless it already looks like that: running the tests leaves a clean checkout clean."""
    expect(page.locator(".witness.seen, iframe").first).to_be_visible(timeout=10_000)
    shot = Image.open(BytesIO(page.screenshot())).convert("RGB")
    if not alike(shot, picture(name), page.locator(".receipt .code")):
        small = shot.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        small.save(picture(name), optimize=True)


def alike(shot: Image.Image, kept: Path, code: Locator) -> bool:
    """Whether nearly every pixel is as it was, apart from a QR code, which no two receipts share."""
    if not kept.exists():
        return False
    before = Image.open(kept).convert("RGB")
    if before.size != shot.size:
        return False
    differing = ImageChops.difference(before, shot).convert("L").point(lambda value: 255 if value > 48 else 0)
    box = code.bounding_box() if code.count() else None
    if box is not None:
        x, y, width, height = (int(box[side]) for side in ("x", "y", "width", "height"))
        differing.paste(0, (x, y, x + width + 1, y + height + 1))
    return differing.histogram()[255] < ALIKE * shot.width * shot.height


def test_the_pictures_of_a_take_are_made(cabinet: Cabinet) -> None:
    stand = cabinet.stand(still=True)
    keep(stand.page, "idle")
    cabinet.identify(stand)
    expect(stand.find(".call")).to_have_count(0)
    keep(stand.page, "open")
    for key in ("T-004", "T-006"):
        cabinet.lift(key)
        expect(stand.find(f'[data-item="{key}"]')).to_be_visible()
    stand.finger.sign(stand.find("#pad"), FLOURISH)
    expect(stand.find("#confirm")).to_be_enabled()
    keep(stand.page, "signing")
    stand.validate()
    stand.reads("Refermez la porte")
    keep(stand.page, "done")


def test_the_picture_of_the_portrait_display_is_made(cabinet: Cabinet) -> None:
    stand = cabinet.stand(PORTRAIT, still=True)
    cabinet.to_signing(stand, "T-004")
    stand.finger.sign(stand.find("#pad"), FLOURISH)
    keep(stand.page, "signing-portrait")


def test_the_picture_of_the_inventory_is_made(cabinet: Cabinet) -> None:
    stand = cabinet.stand(still=True)
    cabinet.hands.tap("camille")
    stand.sees("open")
    stand.tap('[data-press="inventory"]')
    stand.type_pin("1357")
    stand.reads("Moyens d’accès : 40")
    keep(stand.page, "inventory")


def test_the_picture_of_the_demonstration_is_made(cabinet: Cabinet) -> None:
    page = demo_page(cabinet)
    page.set_viewport_size({"width": 1366, "height": 900})
    page.locator('[data-tap="nadia"]').click()
    expect(page.locator("#cabinet")).to_have_attribute("data-door", "open", timeout=10_000)
    page.locator('[data-key="T-004"] .key-body').click()
    page.locator('#hand [data-key="T-004"] [data-tap]').click()
    expect(screen_of(page).locator('[data-item="T-004"]')).to_be_visible(timeout=10_000)
    sign_by_mouse(page)
    expect(page.locator("#reader")).not_to_have_class("reader-box reading")
    keep(page, "demo")
