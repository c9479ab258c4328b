"""The screen's state as the pieces of page that show it."""

from __future__ import annotations

from collections.abc import Mapping

from flask import get_template_attribute, render_template
from flask_babel import force_locale, gettext

from kiosk.domain.identifiers import ItemId
from kiosk.domain.people import Language
from kiosk.services.front import BasketLine, Screen, Step
from web import texts

#: Which of « 1 badge, 2 clés, 3 signature » a step stands at; 4 is past the end.
PROGRESS: Mapping[Step, int] = {Step.IDLE: 1, Step.PIN: 1, Step.OPEN: 2, Step.SIGNING: 3, Step.DONE: 4}

#: The steps with a visit, in which a touch says that somebody is still there.
VISITING = frozenset({Step.PIN, Step.OPEN, Step.SIGNING, Step.INVENTORY})


def other_language(language: Language) -> Language:
    """The language that the button offers."""
    return Language.EN if language is Language.FR else Language.FR


def lines_by_item(screen: Screen) -> Mapping[ItemId, BasketLine]:
    """The basket, to find the hook of each article of the statement."""
    return {line.item: line for line in screen.basket}


def stage(screen: Screen) -> str:
    """The picture of the step. Call within the screen's language."""
    return render_template(
        f"stages/{screen.step.value}.html",
        screen=screen,
        lines=lines_by_item(screen),
        other=other_language(screen.language),
        texts=texts,
    )


def hooks(screen: Screen) -> dict[str, str]:
    """What each line's hook says. Apart from the stage: a key that is hung must not wipe a signature being drawn."""
    draw = get_template_attribute("parts/macros.html", "hook")
    return {line.item: draw(line) for line in screen.basket}


def _chrome(screen: Screen) -> str:
    return render_template("chrome.html", screen=screen, progress=PROGRESS.get(screen.step, 0), texts=texts)


def payload(screen: Screen) -> dict[str, object]:
    """What the page receives. The notice's number lets one that was dismissed come back when it happens again."""
    with force_locale(screen.language.value):
        return {
            "stage": screen.stage,
            "step": screen.step.value,
            "language": screen.language.value,
            "token": screen.token,
            "visiting": screen.step in VISITING,
            "asking": screen.asking,
            "notice": screen.notice.number if screen.notice else 0,
            "title": gettext("page.title"),
            "html": stage(screen),
            "chrome_html": _chrome(screen),
            "hooks": hooks(screen),
            "overlay_html": render_template("overlay.html", screen=screen, texts=texts),
        }
