"""Server-sent events: how one is written, and how many run at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from threading import BoundedSemaphore
from typing import cast

from flask import Flask, Response, current_app, request, stream_with_context
from werkzeug.exceptions import ServiceUnavailable

#: Seconds between signs of life; the page gives up after three that did not come.
HEARTBEAT = 3.0

#: Each stream keeps one of the server's threads (16 or more), and presses need the rest.
MOST_STREAMS = 6

EXTENSION = "trousseau-streams"


class TooManyStreams(ServiceUnavailable):
    """Every stream that the server has threads for is in use."""


def install(app: Flask) -> None:
    """Give `app` its slots for streams."""
    app.extensions[EXTENSION] = BoundedSemaphore(MOST_STREAMS)


def event(name: str, data: object) -> str:
    """One event in the form of the HTML standard §9.2; JSON keeps the data on one line."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def stream(events: Iterator[str], close: Callable[[], None]) -> Response:
    """Answer with `events` until the client leaves; `close` is called whatever happens.

    Raises:
        TooManyStreams: no slot is free; `close` has been called.
    """
    slots = cast("BoundedSemaphore", current_app.extensions[EXTENSION])
    if not slots.acquire(blocking=False):
        close()
        raise TooManyStreams
    answer = Response(stream_with_context(events), mimetype="text/event-stream")
    # Not in the generator's `finally`: a generator that was never started does not run it.
    answer.call_on_close(slots.release)
    answer.call_on_close(close)
    return answer


def client_left() -> Callable[[], bool]:
    """How to ask whether the browser is still there; only waitress with a look-ahead can tell before a write fails."""
    return cast("Callable[[], bool]", request.environ.get("waitress.client_disconnected", lambda: False))
