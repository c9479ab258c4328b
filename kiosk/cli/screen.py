"""A touchscreen without glass: what the cabinet's browser does, for scripts. It uses the same listener, key and tokens."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final

from kiosk.config import Settings
from kiosk.daemon import LOOPBACK
from kiosk.domain.errors import NotRunning, ScreenStuck
from kiosk.services.ports import Strokes

PATIENCE: Final = 20.0


@dataclass(frozen=True, slots=True)
class Shown:
    """What the screen shows: the step, the visit's token, and the statement to sign."""

    step: str
    token: str
    statement: str


class SimulatedScreen:
    """Watches the screen's events and presses its buttons."""

    def __init__(self, settings: Settings) -> None:
        self._port = settings.screen.port
        self._key = settings.screen_key.read_text(encoding="ascii") if settings.screen_key.exists() else ""
        self._cookie = self._log_in()

    def wait_for(self, *steps: str) -> Shown:
        """Watch until the screen is at one of these steps.

        Raises:
            ScreenStuck: it never was.
        """
        return self._watch(lambda shown: shown.step in steps, ", ".join(steps))

    def sign(self, strokes: Strokes, items: Sequence[str] = ()) -> None:
        """Sign once the statement names these items, and press « Valider »."""
        shown = self._watch(
            lambda shown: shown.step == "signing" and all(f"- {item} " in shown.statement for item in items),
            " ".join(("signing", *items)),
        )
        body = {"width": strokes.width, "height": strokes.height, "strokes": strokes.strokes}
        self._press("sign", shown, body | {"statement": shown.statement})

    def enter_pin(self, pin: str) -> None:
        """Type a PIN."""
        self._press("pin", self.wait_for("pin"), {"pin": pin})

    def _watch(self, wanted: Callable[[Shown], bool], name: str) -> Shown:
        deadline = time.monotonic() + PATIENCE
        seen = ""
        with self._connection() as connection:
            connection.request("GET", "/events", headers={"Cookie": self._cookie})
            for shown in _screens(connection.getresponse()):
                if shown is not None:
                    seen = shown.step
                    if wanted(shown):
                        return shown
                if time.monotonic() > deadline:
                    break
        raise ScreenStuck(step=seen, wanted=name)

    def _press(self, button: str, shown: Shown, body: Mapping[str, Any]) -> None:
        headers = {"Cookie": self._cookie, "X-Visit": shown.token, "Content-Type": "application/json"}
        with self._connection() as connection:
            connection.request("POST", f"/press/{button}", json.dumps(body), headers)
            answer = connection.getresponse()
            said = answer.read().decode("utf-8", "replace")
        if answer.status >= http.client.BAD_REQUEST:
            raise ScreenStuck(step=shown.step, wanted=f"{button}: {answer.status} {said}")

    def _log_in(self) -> str:
        with self._connection() as connection:
            connection.request("GET", f"/?k={self._key}")
            answer = connection.getresponse()
            answer.read()
        return (answer.getheader("Set-Cookie") or "").split(";")[0]

    @contextmanager
    def _connection(self) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=PATIENCE)
        try:
            yield connection
        except OSError as e:
            raise NotRunning(path=f"{LOOPBACK}:{self._port}") from e
        finally:
            connection.close()


def _screens(answer: http.client.HTTPResponse) -> Iterator[Shown | None]:
    """A stream's `screen` events, and None for every heartbeat (HTML standard §9.2: lines, each event closed by an empty one)."""
    name = ""
    for raw in answer:
        line = raw.decode("utf-8").rstrip("\r\n")
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: ") and name != "screen":
            yield None
        elif line.startswith("data: "):
            data = json.loads(line.removeprefix("data: "))
            yield Shown(data["step"], data["token"], _statement(data["html"]))


def _statement(html: str) -> str:
    found = _Statement()
    found.feed(html)
    return found.text


class _Statement(HTMLParser):
    text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - HTMLParser's own
        self.text = dict(attrs).get("data-statement") or self.text
