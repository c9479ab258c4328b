"""What fingers in gloves and eyes in a hurry need, measured in the real page at every size."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

import kiosk.demo
from tests.e2e.cabinet import DISPLAYS, TARGETS, Cabinet, Stand, eventually, opened
from tests.services import free_port

#: Every button of the screen with its size in pixels of the page; those that nobody can see are left out.
BUTTON_SIZES = """() => [...document.querySelectorAll("button, select")].filter((one) => one.offsetParent)
    .map((one) => ({ name: one.id || one.dataset.press || one.dataset.digit || one.name || one.className,
                     width: one.getBoundingClientRect().width, height: one.getBoundingClientRect().height }))"""

#: What axe-core would find first: nameless buttons and fields, a page without language, names used twice, empty headings.
NAMELESS = """() => {
    const name = (one) => (one.getAttribute("aria-label") ?? one.labels?.[0]?.textContent ?? one.textContent).trim();
    const seen = (one) => one.getClientRects().length > 0;
    const faults = [];
    for (const one of document.querySelectorAll("button, a, select, input, iframe"))
        if (seen(one) && !(name(one) || one.title)) faults.push(`no name: ${one.outerHTML.slice(0, 120)}`);
    for (const one of document.querySelectorAll("h1, h2")) if (seen(one) && !name(one)) faults.push("empty heading");
    for (const one of document.querySelectorAll("svg:not([aria-hidden])")) faults.push(`talking icon: ${one.outerHTML}`);
    for (const one of document.querySelectorAll("[tabindex]"))
        if (one.tabIndex > 0) faults.push("tab order by force");
    const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
    for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`twice: ${id}`);
    if (!["fr", "en"].includes(document.documentElement.lang)) faults.push("no language");
    if (!document.title) faults.push("no title");
    if (document.querySelectorAll("main").length !== 1) faults.push("not one main");
    return faults;
}"""

#: WCAG 2.2 §1.4.3: each visible text against the first background painted behind it; icons' words included.
FAINT = """() => {
    const channel = (value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const parse = (colour) => colour.match(/[0-9.]+/g).map(Number);
    const behind = (one) => {
        for (let at = one; at; at = at.parentElement) {
            const style = getComputedStyle(at);
            const colour = parse(style.backgroundColor);
            if (colour.length === 3 || colour[3] > 0.9) return colour;
            const painted = style.backgroundImage.match(/rgb\\([^)]*\\)/g);
            if (painted) return parse(painted[0]);
        }
        return [255, 255, 255];
    };
    const faults = [];
    for (const one of document.querySelectorAll("#chrome *, #stage *, #overlay *")) {
        const own = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !one.getClientRects().length || one.closest("svg, .unseen, template")) continue;
        const style = getComputedStyle(one);
        const [a, b] = [light(parse(style.color)), light(behind(one))].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        const size = parseFloat(style.fontSize);
        const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
        if (ratio < (large ? 3 : 4.5)) faults.push(`${ratio.toFixed(2)} ${one.textContent.trim().slice(0, 40)}`);
    }
    return faults;
}"""

#: Parts that stick out of the screen; what scrolls may.
OUTSIDE = """() => [...document.querySelectorAll("#stage button, #stage h1, #stage canvas, #chrome *")]
    .filter((one) => one.getClientRects().length && !one.closest(".paper, .register, .unseen"))
    .filter((one) => { const box = one.getBoundingClientRect();
        return box.left < -1 || box.top < -1 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1; })
    .map((one) => one.outerHTML.slice(0, 100))"""


def idle(_cabinet: Cabinet, _stand: Stand) -> None:
    """Nobody is there."""


def pin(cabinet: Cabinet, stand: Stand) -> None:
    """The digits."""
    cabinet.hands.tap("thomas")
    stand.sees("pin")


def door_open(cabinet: Cabinet, stand: Stand) -> None:
    """The keys are in reach, and somebody may look at the inventory."""
    cabinet.hands.tap("camille")
    stand.sees("open")


def untapped(cabinet: Cabinet, stand: Stand) -> None:
    """Two keys are off their hooks and were not shown."""
    cabinet.identify(stand)
    for key in ("T-004", "T-006"):
        cabinet.hands.take(key)
    expect(stand.find(".warn")).to_have_count(2)


def signing(cabinet: Cabinet, stand: Stand) -> None:
    """Three keys to sign for."""
    cabinet.to_signing(stand, "T-001", "T-004", "T-006")


def refused(cabinet: Cabinet, stand: Stand) -> None:
    """A notice over the signature."""
    cabinet.to_signing(stand, "T-004")
    cabinet.hands.tap("julien")
    expect(stand.find("#overlay .notice")).to_be_visible()


def done(cabinet: Cabinet, stand: Stand) -> None:
    """It is recorded."""
    cabinet.to_signing(stand, "T-004")
    stand.sign()
    stand.validate()
    stand.sees("done")


def inventory(cabinet: Cabinet, stand: Stand) -> None:
    """A manager reads the register, with its filters open."""
    cabinet.hands.tap("camille")
    stand.sees("open")
    stand.tap('[data-press="inventory"]')
    stand.sees("pin")
    stand.type_pin("1357")
    stand.sees("inventory")
    stand.tap("#filter")
    expect(stand.find(".filters")).to_be_visible()


PICTURES: list[Callable[[Cabinet, Stand], None]] = [
    idle,
    pin,
    door_open,
    untapped,
    signing,
    refused,
    done,
    inventory,
]


@pytest.mark.parametrize("display", DISPLAYS)
@pytest.mark.parametrize("show", PICTURES, ids=lambda show: show.__name__)
def test_every_picture_can_be_touched_read_and_told_apart(
    cabinet: Cabinet, show: Callable[[Cabinet, Stand], None], display: str
) -> None:
    stand = cabinet.stand(DISPLAYS[display], still=True)
    show(cabinet, stand)
    sizes = stand.page.evaluate(BUTTON_SIZES)
    small = [one for one in sizes if min(one["width"], one["height"]) < TARGETS[display] - 0.5]
    assert small == []
    assert stand.page.evaluate(OUTSIDE) == []
    assert stand.page.evaluate(NAMELESS) == []
    assert stand.page.evaluate(FAINT) == []


@pytest.mark.parametrize("display", DISPLAYS)
def test_the_pad_is_large_enough_to_sign_in_with_a_glove(cabinet: Cabinet, display: str) -> None:
    stand = cabinet.stand(DISPLAYS[display])
    cabinet.to_signing(stand, "T-004")
    box = stand.find("#pad").bounding_box()
    assert box is not None
    assert (box["width"], box["height"]) >= (340, 180)


def test_the_statement_on_the_screen_is_all_of_what_is_signed(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-001", "T-004")
    shown = " ".join((stand.find(".paper").text_content() or "").split())
    signed = stand.find("[data-statement]").get_attribute("data-statement") or ""
    for line in signed.splitlines():
        for part in line.removeprefix("- ").split(" · "):
            assert part in shown


def test_the_focus_is_visible_and_the_keyboard_can_type_a_pin(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    pin(cabinet, stand)
    stand.page.keyboard.press("Tab")
    focused = stand.page.evaluate("() => getComputedStyle(document.activeElement).outlineWidth")
    assert focused == "4px"
    stand.page.evaluate("() => document.activeElement.blur()")
    stand.page.keyboard.type("2468")
    stand.page.keyboard.press("Enter")
    stand.sees("open")


NASTY = """=cmd|' /C calc'!A0 <img src=x onerror=alert(1)> "é" & 🔑"""
NASTY_NAME = """Nadia <script>alert(1)</script> "d'Arc" 🔑"""


def nasty_sheet(tmp_path: Path, original: Path, old: str, new: str) -> Path:
    sheet = tmp_path / original.name
    cell = '"' + new.replace('"', '""') + '"'
    sheet.write_text(original.read_text(encoding="utf-8").replace(f"{old};", f"{cell};"), encoding="utf-8")
    return sheet


def alarmed(page: Page) -> list[str]:
    """Every dialog that a page manages to open."""
    opened_dialogs: list[str] = []

    def note(dialog: Dialog) -> None:
        opened_dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    return opened_dialogs


def test_names_with_markup_quotes_formulas_and_emoji_are_shown_as_they_are(
    tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kiosk.demo, "ITEMS", nasty_sheet(tmp_path, kiosk.demo.ITEMS, "Chaufferie", NASTY))
    monkeypatch.setattr(kiosk.demo, "PEOPLE", nasty_sheet(tmp_path, kiosk.demo.PEOPLE, "Nadia Benali", NASTY_NAME))
    with (
        kiosk.demo.demonstration(tmp_path / "cabinet", free_port()) as running,
        opened(running, browser) as cabinet,
    ):
        page = cabinet.page(cabinet.address("/demo"), cabinet.context((1366, 768, 1.0)))
        dialogs = alarmed(page)
        stand = cabinet.stand()
        dialogs_at_the_stand = alarmed(stand.page)
        cabinet.to_signing(stand, "T-004")
        stand.reads(f"T-004 · {NASTY}")
        stand.reads(f"Je soussigné(e) {NASTY_NAME},")
        stand.sign()
        stand.validate()
        stand.reads(f"T-004 · {NASTY}")
        expect(page.locator("#feed")).to_contain_text(NASTY_NAME, timeout=10_000)
        eventually(lambda: NASTY in page.locator("#register").inner_text())
        assert page.locator("main img").count() + stand.find("img").count() == 0
        assert (dialogs, dialogs_at_the_stand) == ([], [])
