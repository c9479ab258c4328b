from dataclasses import replace

import pytest
from flask import Flask

from kiosk.domain.custody import Act
from kiosk.domain.identifiers import HookId, ItemId, Timestamp
from kiosk.domain.people import Language, Tier
from kiosk.domain.statements import Article, statement
from kiosk.services.front import BasketLine, Notice, Screen, Sight, Step, Tone
from kiosk.services.ports import Trouble
from web.fragments import payload
from web.qr import symbol
from web.texts import clock_time

LINE = BasketLine(
    ItemId("T-004"), Act.TAKE, "Chaufferie", "Clinique Saint-Roch", "Pavillon Est", HookId("04"), on_hook=False
)
BACK = replace(LINE, item=ItemId("T-006"), act=Act.RETURN, hook=HookId("06"))
STATEMENT = statement(
    Language.FR,
    "Nadia Benali",
    {line.act: [Article(line.item, line.designation, line.client, line.site)] for line in (LINE, BACK)},
)
VISIT = Screen(
    step=Step.OPEN, stage=7, language=Language.FR, token="t", name="Nadia Benali", tier=Tier.AUTHENTICATED, digits=8
)
SIGNING = replace(VISIT, step=Step.SIGNING, basket=(LINE, BACK), statement=STATEMENT)


def shown(app: Flask, screen: Screen) -> str:
    """Everything that the page receives of a screen."""
    with app.test_request_context("/"):
        return " ".join(str(part) for part in payload(screen).values())


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("step", Step)
def test_every_step_has_a_picture_without_a_missing_text(app: Flask, step: Step, language: Language) -> None:
    html = shown(app, replace(VISIT, step=step, language=language))
    assert f'class="stage {step.value.split("_")[-1]}' in html or step is Step.OUT_OF_SERVICE
    assert "idle.title" not in html
    assert "%(" not in html


def test_what_the_page_receives_names_its_stage_step_token_and_language(app: Flask) -> None:
    with app.test_request_context("/"):
        found = payload(VISIT)
    assert {name: found[name] for name in ("stage", "step", "token", "language", "notice", "visiting")} == {
        "stage": 7,
        "step": "open",
        "token": "t",
        "language": "fr",
        "notice": 0,
        "visiting": True,
    }


def test_signing_shows_each_article_with_its_act_its_place_and_its_cross(app: Flask) -> None:
    html = shown(app, SIGNING)
    for word in ("T-004 · Chaufferie", "Prise", "Restitution", "Accrochez au crochet 06", "Retirer T-004 de la liste"):
        assert word in html


def test_a_key_that_was_hung_says_so(app: Flask) -> None:
    html = shown(app, replace(SIGNING, basket=(LINE, replace(BACK, on_hook=True))))
    assert "Au crochet 06" in html
    assert "Accrochez au crochet 06" not in html


def test_a_key_without_a_hook_is_sent_to_none(app: Flask) -> None:
    assert "crochet" not in shown(app, replace(SIGNING, basket=(replace(LINE, hook=None),), statement=None)).lower()


def test_what_was_proved_by_the_badge_is_a_word_and_an_icon(app: Flask) -> None:
    html = shown(app, replace(VISIT, tier=Tier.IDENTIFIER_ONLY))
    assert "Identifiant seul" in html
    assert "#i-identifier_only" in html


def test_a_key_off_its_hook_without_a_tap_is_named(app: Flask) -> None:
    assert "T-004, Chaufferie" in shown(app, replace(VISIT, untapped=(LINE,)))


@pytest.mark.parametrize(("tone", "word"), [(Tone.REFUSED, "Refusé"), (Tone.WARNING, "Attention")])
def test_a_notice_has_an_icon_a_word_and_a_sentence(app: Flask, tone: Tone, word: str) -> None:
    html = shown(app, replace(VISIT, notice=Notice("LostItem", {"item": "T-009"}, tone, 1)))
    for part in (word, f"#i-{tone.value}", "T-009"):
        assert part in html


def test_names_cannot_bring_markup_into_the_page(app: Flask) -> None:
    nasty = replace(LINE, designation='<img src=x onerror="alert(1)">')
    screen = replace(
        VISIT,
        name="<script>",
        untapped=(nasty,),
        notice=Notice("HeldByAnother", {"item": "<b>", "holder": "<script>"}, Tone.REFUSED, 1),
    )
    html = shown(app, screen) + shown(app, replace(screen, step=Step.DONE, recorded=(nasty,)))
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>, " not in html


def test_a_lost_reader_and_a_doubtful_clock_are_told_on_every_picture(app: Flask) -> None:
    html = shown(app, replace(VISIT, reader_up=False, clock_doubtful=True))
    assert "Lecteur débranché" in html
    assert "Heure à vérifier" in html


def test_out_of_service_says_whom_to_call_and_nothing_covers_it(app: Flask) -> None:
    stopped = replace(
        VISIT, step=Step.OUT_OF_SERVICE, token="", notice=Notice("StorageFailed", {"reason": "x"}, Tone.WARNING, 1)
    )
    with app.test_request_context("/"):
        found = payload(stopped)
    assert "Appelez le responsable d’exploitation" in str(found["html"])
    assert str(found["overlay_html"]).strip() == ""


# ---- headquarters, and the receipt

SEEN = Sight(
    at=Timestamp("2026-11-23T13:03:59.000Z"), recent=True, online=True, waiting=False, trouble=None
)  # 14:03 in Paris


@pytest.mark.parametrize(
    ("sight", "icon", "words"),
    [
        (SEEN, "seen", ("vu par le siège", "à 14:03")),
        (replace(SEEN, recent=False), "seen", ("vu par le siège", "le 23 nov. à 14:03")),
        (replace(SEEN, waiting=True), "waiting", ("en attente du siège", "dernier vu à 14:03")),
        (replace(SEEN, at=None), "waiting", ("en attente du siège", "rien encore vu")),
        (replace(SEEN, online=False), "offline", ("siège hors ligne", "dernier vu à 14:03")),
        (replace(SEEN, online=False, at=None), "offline", ("siège hors ligne", "rien encore vu")),
    ],
)
def test_what_headquarters_has_seen_is_an_icon_and_words(
    app: Flask, sight: Sight, icon: str, words: tuple[str, str]
) -> None:
    html = " ".join(shown(app, replace(VISIT, sight=sight)).split())
    assert f"#i-{icon}" in html
    for word in words:
        assert word in html
    assert ("vu par le siège" in html) == (icon == "seen")


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.OUT_OF_SERVICE])
@pytest.mark.parametrize("trouble", Trouble)
def test_trouble_with_headquarters_is_told_on_every_picture_with_whom_to_call(
    app: Flask, trouble: Trouble, step: Step
) -> None:
    html = shown(app, replace(VISIT, step=step, sight=replace(SEEN, trouble=trouble)))
    for word in ("Ne prenez aucune clé", "Les retours restent possibles", "Appelez le responsable d’exploitation"):
        assert word in html


def test_the_receipt_is_on_the_last_picture_only(app: Flask) -> None:
    code = f"armoire-1:11111111-2222-3333-4444-555555555555:9 {'a' * 64}"
    done = replace(VISIT, step=Step.DONE, recorded=(LINE,), receipt=code)
    assert symbol(code).path in shown(app, done)
    assert "Votre reçu" in shown(app, done)
    assert "Votre reçu" not in shown(app, replace(done, step=Step.OPEN))


def test_a_moment_that_is_none_is_shown_as_it_is_written(app: Flask) -> None:
    with app.test_request_context("/?lang=fr"):
        assert clock_time(Timestamp("2026-11-24T06:00:00.000Z")) == "24 nov. 07:00:00"
        assert clock_time(Timestamp("soon")) == "soon"
