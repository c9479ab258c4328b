from dataclasses import replace

import pytest
from flask import Flask

from kiosk.domain.custody import Act
from kiosk.domain.identifiers import HookId, ItemId
from kiosk.domain.people import Language, Tier
from kiosk.domain.statements import Article, statement
from kiosk.services.front import BasketLine, Notice, Screen, Step, Tone
from web.fragments import payload

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
