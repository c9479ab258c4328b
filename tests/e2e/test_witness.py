"""The receipt on the last picture, and what headquarters has seen, on every picture."""

from dataclasses import replace
from io import BytesIO
from itertools import product

import pytest
import segno
from PIL import Image
from playwright.sync_api import Locator, expect

from kiosk.domain.custody import Act
from kiosk.domain.identifiers import HookId, ItemId, Timestamp
from kiosk.domain.people import Language, Tier
from kiosk.domain.statements import Article, statement
from kiosk.ledger.receipt import code
from kiosk.services import patience
from kiosk.services.front import BasketLine, Screen, Sight, Step
from kiosk.services.ports import Trouble
from tests.e2e.cabinet import DISPLAYS, TARGETS, Cabinet, Stand
from tests.e2e.still import Still, served
from tests.e2e.test_layout import BUTTON_SIZES, FAINT, NAMELESS, OUTSIDE

# ---- the receipt

#: ISO/IEC 18004 §6.3.8 wants four modules; three of them are looked at.
MARGIN = 3


def dark(picture: Locator, side: int) -> list[list[bool]]:
    """A QR code's modules as a camera sees them: whether the middle of each is dark. The card's corners are round."""
    shot = Image.open(BytesIO(picture.screenshot())).convert("L")
    steps = [(n + 0.5) / side for n in range(1, side - 1)]
    pixels = [[shot.getpixel((int(x * shot.width), int(y * shot.height))) for x in steps] for y in steps]
    return [[isinstance(value, int) and value < 128 for value in row] for row in pixels]


def symbols(text: str) -> list[list[list[bool]]]:
    """What may be drawn for a text: the same modules under any of the eight masks, in a margin."""
    made = (segno.make(text, error="L", micro=False, mask=mask) for mask in range(8))
    return [[[bool(module) for module in row] for row in symbol.matrix_iter(border=MARGIN)] for symbol in made]


@pytest.mark.parametrize("display", DISPLAYS)
def test_the_receipt_can_be_scanned_and_holds_the_acts_last_entry(cabinet: Cabinet, display: str) -> None:
    stand = cabinet.stand(DISPLAYS[display])
    cabinet.to_signing(stand, "T-004", "T-006")
    stand.sign()
    stand.validate()
    stand.sees("done")
    picture = stand.find(".receipt .code")
    expect(picture).to_be_visible()
    box = picture.bounding_box()
    wanted = symbols(code(cabinet.newest()))
    side = len(wanted[0]) + 2
    assert box is not None
    assert box["height"] * (side - 8) / side >= 0.4 * min(DISPLAYS[display][:2])
    assert dark(picture, side) in wanted


def test_a_receipt_that_is_touched_stays_until_a_phone_has_it(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(patience.PATIENCE, Step.DONE, 2)
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-004")
    stand.sign()
    stand.validate()
    stand.sees("done")
    stand.tap(".receipt")
    stand.page.wait_for_timeout(3000)
    stand.sees("done")


# ---- what headquarters has seen


def test_the_bar_tells_that_headquarters_has_seen_what_was_signed(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-004")
    stand.sign()
    stand.validate()
    stand.sees("done")
    expect(stand.find(".witness.seen")).to_contain_text("vu par le siège", timeout=10_000)


LINES = tuple(
    BasketLine(ItemId(f"T-00{n}"), Act.TAKE, "Chaufferie", "Clinique Saint-Roch", "Bâtiment A", HookId(f"0{n}"), False)
    for n in range(1, 4)
)
OLD = Timestamp("2026-11-20T12:40:00.000Z")
SEEN = Sight(at=OLD, recent=True, online=True, waiting=False, trouble=None)
SIGHTS = {
    "seen": SEEN,
    "seen long ago": replace(SEEN, recent=False),
    "waiting": replace(SEEN, waiting=True),
    "offline": replace(SEEN, recent=False, online=False),
    "never": replace(SEEN, at=None, online=False),
    **{trouble.value: replace(SEEN, trouble=trouble) for trouble in Trouble},
}
WORDS = {
    "seen": ("vu par le siège à 13:40", "seen by headquarters at 13:40"),
    "seen long ago": ("vu par le siège le 20 nov. à 13:40", "seen by headquarters on 20 Nov at 13:40"),
    "waiting": ("en attente du siège dernier vu à 13:40", "waiting for headquarters last seen at 13:40"),
    "offline": ("siège hors ligne dernier vu le 20 nov. à 13:40", "headquarters offline last seen on 20 Nov at 13:40"),
    "never": ("siège hors ligne rien encore vu", "headquarters offline nothing seen yet"),
}
STEPS = (Step.IDLE, Step.PIN, Step.OPEN, Step.SIGNING, Step.DONE)


def screen(step: Step, sight: Sight, language: Language) -> Screen:
    """A visit at a step; the clock is doubtful too, which takes the most room."""
    articles = [Article(line.item, line.designation, line.client, line.site) for line in LINES]
    return Screen(
        step=step,
        stage=0,
        language=language,
        token="t",
        name="Thomas Lefèvre",
        tier=Tier.IDENTIFIER_ONLY,
        basket=LINES if step is Step.SIGNING else (),
        statement=statement(language, "Thomas Lefèvre", {Act.TAKE: articles}) if step is Step.SIGNING else None,
        recorded=LINES if step is Step.DONE else (),
        receipt=f"armoire-1:11111111-2222-3333-4444-555555555555:123456 {'a' * 64}" if step is Step.DONE else "",
        digits=8 if step is Step.PIN else 0,
        door_open=True,
        clock_doubtful=True,
        sight=sight,
    )


#: Parts of the last picture that lie on each other, or beyond the edge.
COVERED = """() => {
    const parts = [".receipt", ".call", ".done h1", ".seal", ".recorded", ".banner", ".bar"]
        .flatMap((one) => [...document.querySelectorAll(one)]).filter((one) => one.closest(".done, #chrome"));
    const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
    const faults = [];
    if (document.documentElement.scrollWidth > innerWidth) faults.push("wider than the display");
    if (!document.querySelector(".done")) return faults;
    for (const one of parts) for (const other of parts)
        if (one !== other && !one.contains(other) && !other.contains(one)
            && meet(one.getBoundingClientRect(), other.getBoundingClientRect()))
            faults.push(`${one.className || one.tagName} on ${other.className || other.tagName}`);
    return faults;
}"""


def faults(stand: Stand, target: int) -> list[str]:
    """Everything that is wrong with the picture that is shown."""
    sizes = stand.page.evaluate(BUTTON_SIZES)
    small = [one["name"] for one in sizes if min(one["width"], one["height"]) < target - 0.5]
    return small + [fault for check in (OUTSIDE, NAMELESS, FAINT, COVERED) for fault in stand.page.evaluate(check)]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("display", DISPLAYS)
def test_every_picture_has_room_for_what_headquarters_says(cabinet: Cabinet, display: str, language: Language) -> None:
    front = Still(screen(Step.IDLE, SEEN, language))
    found = {}
    with served(front, cabinet.register) as address:
        stand = Stand(cabinet.page(address, cabinet.context(DISPLAYS[display], still=True)))
        for step, name in product(STEPS, SIGHTS):
            front.show(screen(step, SIGHTS[name], language))
            stand.sees(step.value)
            bar = stand.find(".witness")
            if name in WORDS:
                expect(bar).to_contain_text(WORDS[name][language is Language.EN])
            else:
                expect(stand.find(".banner.trouble")).to_have_count(1)
            found[step.value, name] = faults(stand, TARGETS[display])
        stand.page.context.close()
    assert {where: wrong for where, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("trouble", Trouble)
def test_when_headquarters_objects_every_picture_says_what_to_do(cabinet: Cabinet, trouble: Trouble) -> None:
    front = Still(screen(Step.IDLE, SEEN, Language.FR))
    with served(front, cabinet.register) as address:
        stand = Stand(cabinet.page(address))
        for step in (Step.IDLE, Step.OPEN, Step.SIGNING):
            front.show(screen(step, SIGHTS[trouble.value], Language.FR))
            stand.sees(step.value)
            for words in ("Ne prenez aucune clé", "Les retours restent possibles", "Appelez le responsable"):
                expect(stand.find(".banner")).to_contain_text(words)
        stand.page.context.close()
