"""The demonstration's page, by mouse: the whole thing on one page."""

from playwright.sync_api import FrameLocator, Page, expect

from kiosk.ledger.verify import Keyring, verify_receipt
from tests.e2e.cabinet import SIGNATURE, Cabinet

LAPTOP = (1366, 768, 1.0)


def demo_page(cabinet: Cabinet, query: str = "") -> Page:
    page = cabinet.page(cabinet.address("/demo"), cabinet.context(LAPTOP, still=True))
    if query:
        page.goto(page.url + query)
    expect(page.locator("#online")).to_have_attribute("data-online", "yes", timeout=10_000)
    return page


def screen_of(page: Page) -> FrameLocator:
    return page.frame_locator("iframe")


def sign_by_mouse(page: Page) -> None:
    box = screen_of(page).locator("#pad").bounding_box()
    assert box is not None
    for number, (x, y) in enumerate(SIGNATURE):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if number == 0:
            page.mouse.down()
    page.mouse.up()


def test_a_key_is_taken_with_the_mouse_and_headquarters_shows_it(cabinet: Cabinet) -> None:
    page = demo_page(cabinet)
    screen = screen_of(page)
    expect(page.locator('[data-move="1"]')).to_have_class("now")
    page.locator('[data-tap="nadia"]').click()
    expect(page.locator("#cabinet")).to_have_attribute("data-door", "open", timeout=10_000)
    expect(page.locator('[data-move="2"]')).to_have_class("now")
    page.locator('[data-key="T-004"] .key-body').click()
    expect(page.locator('#hand [data-key="T-004"]')).to_be_visible()
    page.locator('#hand [data-key="T-004"] [data-tap]').click()
    expect(screen.locator('[data-item="T-004"]')).to_be_visible(timeout=10_000)
    expect(page.locator('[data-move="3"]')).to_have_class("now")
    sign_by_mouse(page)
    screen.locator("#confirm").click()
    expect(page.locator("#feed li").first).to_contain_text("Pris et signé", timeout=10_000)
    expect(page.locator("#feed li").first).to_contain_text("T-004 par Nadia Benali")
    expect(page.locator('#register [data-item="T-004"]')).to_contain_text("Nadia Benali")
    page.locator("#close-door").click()
    expect(page.locator("#cabinet")).to_have_attribute("data-door", "closed")
    assert cabinet.holder("T-004") == "Nadia Benali"


def test_a_returned_key_is_hung_where_the_light_is(cabinet: Cabinet) -> None:
    cabinet.take(cabinet.stand(), "T-004")
    page = demo_page(cabinet)
    page.locator('[data-tap="nadia"]').click()
    expect(page.locator("#cabinet")).to_have_attribute("data-door", "open", timeout=10_000)
    page.locator('#hand [data-key="T-004"] [data-tap]').click()
    expect(page.locator('[data-peg="04"]')).to_have_class("peg lit", timeout=10_000)
    page.locator('#hand [data-key="T-004"] [data-hang]').click()
    expect(page.locator('[data-peg="04"] [data-key="T-004"]')).to_be_visible()


def test_with_the_door_closed_no_key_can_be_reached(cabinet: Cabinet) -> None:
    page = demo_page(cabinet)
    expect(page.locator('[data-peg="04"] .key-body')).to_be_disabled()
    expect(page.locator("#close-door")).to_be_disabled()
    answer = page.evaluate(
        """() => fetch("/demo/hands/take", { method: "POST", body: JSON.stringify({ name: "T-004" }),
            headers: { "Content-Type": "application/json", "Accept-Language": "fr" } }).then((answer) => answer.json())"""
    )
    assert "La porte est fermée" in answer["message"]


def test_the_first_screen_of_a_laptop_holds_all_that_hands_need(cabinet: Cabinet) -> None:
    page = demo_page(cabinet)
    for part in ("iframe", "#cabinet", "#reader", ".badge-row", "#hand-title"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= LAPTOP[0]
        assert box["y"] + box["height"] <= 680
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_the_page_speaks_english(cabinet: Cabinet) -> None:
    page = demo_page(cabinet, "?lang=en")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator(".steps")).to_contain_text("Click a badge: the door opens.")
    expect(page.locator("#feed")).to_contain_text("Taken and signed for")
    expect(page.locator("#register")).to_contain_text("Access means: 40")


def test_the_central_register_can_be_leafed_through(cabinet: Cabinet) -> None:
    page = demo_page(cabinet)
    page.locator('#register [data-page="2"]').click()
    expect(page.locator('#register [data-item="T-011"]')).to_be_visible()
    expect(page.locator('#register [data-item="T-001"]')).to_have_count(0)


def receipt_page(cabinet: Cabinet) -> Page:
    """The page for a client, from the newest line of the feed, without leaving the window."""
    cabinet.take(cabinet.stand(), "T-004")
    page = demo_page(cabinet)
    link = page.locator("#feed .receipt-link").first
    expect(link).to_be_visible(timeout=10_000)
    page.goto(f"http://127.0.0.1:{cabinet.port}{link.get_attribute('href')}")
    return page


def test_a_line_of_the_feed_leads_to_the_page_that_explains_its_receipt(cabinet: Cabinet) -> None:
    page = receipt_page(cabinet)
    expect(page.locator("h1")).to_have_text("Ce que prouve ce fichier")
    for words in ("Intact, et vu par le siège", "Pris et signé", "T-004", "Ce que cela ne prouve pas"):
        expect(page.get_by_text(words).first).to_be_visible()
    page.get_by_text("English").click()
    expect(page.locator("h1")).to_have_text("What this file proves")
    assert (
        page.evaluate("() => getComputedStyle(document.querySelector('main')).backgroundColor") == "rgb(255, 255, 255)"
    )


def test_the_receipt_that_is_downloaded_is_proven_by_the_public_keys(cabinet: Cabinet) -> None:
    page = receipt_page(cabinet)
    with page.expect_download() as downloading:
        page.locator("nav [download]").click()
    file = downloading.value
    assert file.suggested_filename.endswith(".tlog-proof")
    verdict = verify_receipt(file.path().read_bytes(), Keyring.parse(cabinet.keys))
    assert verdict.entry is not None
    assert (verdict.entry.type, verdict.entry.subject, verdict.unwitnessed) == ("custody.taken", "T-004", 0)
