"""The touchscreen: one page, and the stream that keeps it alive."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flask import Blueprint, Response, render_template

from kiosk.services.front import Watch
from web import texts
from web.fragments import payload
from web.services import services
from web.streams import HEARTBEAT, client_left, event, stream

screen = Blueprint("screen", __name__)

#: How soon a stream notices that its browser has gone.
GLANCE = 1.0


@screen.get("/")
def page() -> str:
    """The page around the stage; the stream fills it at once."""
    return render_template("screen.html", heartbeat=HEARTBEAT, texts=texts)


@screen.get("/events")
def events() -> Response:
    """The present state at once, then every change, and a heartbeat while nothing changes."""
    watch = services().front.watch()
    return stream(_states(watch, client_left()), watch.close)


def _states(watch: Watch, gone: Callable[[], bool]) -> Iterator[str]:
    silence = 0.0
    while not gone():
        state = watch.next(GLANCE)
        if state is not None:
            silence = 0.0
            yield event("screen", payload(state))
        elif (silence := silence + GLANCE) >= HEARTBEAT:
            silence = 0.0
            yield event("heartbeat", {})
