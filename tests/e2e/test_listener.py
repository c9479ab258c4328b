"""Who may speak to the screen's listener, and what it answers to nonsense; over real sockets to the real server."""

import http.client
import json
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import pytest

from tests.e2e.cabinet import Cabinet, eventually
from tests.services import LOOPBACK
from web.guard import LARGEST_BODY
from web.streams import MOST_STREAMS


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: str

    @property
    def json(self) -> Any:  # noqa: ANN401  # whatever was answered
        return json.loads(self.body)


class Caller:
    """A program on the machine, with or without the screen's cookie."""

    def __init__(self, cabinet: Cabinet) -> None:
        self._port = cabinet.port
        self.cookie = self.ask("GET", f"/?k={cabinet.key}", cookie=False).headers["Set-Cookie"]

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        cookie: bool = True,
    ) -> Answer:
        """Send one request."""
        sent = dict(headers or {})
        if cookie:
            sent["Cookie"] = self.cookie.split(";")[0]
        with closing(http.client.HTTPConnection(LOOPBACK, self._port, timeout=20)) as connection:
            connection.request(method, path, body.encode() if isinstance(body, str) else body, sent)
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read().decode())

    def press(self, button: str, body: bytes | str, token: str = "", **headers: str) -> Answer:
        """Send what a button sends."""
        return self.ask(
            "POST", f"/press/{button}", body, {"Content-Type": "application/json", "X-Visit": token} | headers
        )

    def screen(self) -> Mapping[str, Any]:
        """What the screen shows now."""
        with ExitStack() as stack:
            answer = self.stream(stack)
            for line in answer:
                if line.startswith(b"data: "):
                    found: Mapping[str, Any] = json.loads(line[6:])
                    return found
        raise AssertionError("the stream ended")

    def stream(self, stack: ExitStack) -> http.client.HTTPResponse:
        """Open the stream of events."""
        connection = stack.enter_context(closing(http.client.HTTPConnection(LOOPBACK, self._port, timeout=20)))
        connection.request("GET", "/events", headers={"Cookie": self.cookie.split(";")[0]})
        return stack.enter_context(connection.getresponse())


@pytest.fixture
def caller(cabinet: Cabinet) -> Caller:
    """A program that has the key."""
    return Caller(cabinet)


SIGN = {"width": 380, "height": 300, "strokes": [[[n * 10, 50 + n % 2 * 90] for n in range(20)]], "statement": "x"}


def at_signing(cabinet: Cabinet, caller: Caller) -> str:
    """Bring a visit to its signature and return its token."""
    cabinet.hands.tap("nadia")
    eventually(lambda: cabinet.hands.look().door_open)
    cabinet.lift("T-004")
    eventually(lambda: bool(caller.screen()["step"] == "signing"))
    return str(caller.screen()["token"])


@pytest.mark.parametrize("path", ["/", "/events", "/inventory", "/demo", "/demo/events", "/demo/register"])
def test_without_the_screens_key_there_is_nothing_to_see(caller: Caller, path: str) -> None:
    answer = caller.ask("GET", path, headers={"Accept": "text/html"}, cookie=False)
    assert answer.status == 403
    assert "kiosk run" in answer.body


def test_a_wrong_key_is_refused_even_with_the_right_cookie(caller: Caller) -> None:
    assert caller.ask("GET", "/?k=guess").status == 403


def test_the_key_leaves_the_address_at_once_and_no_script_can_read_it(caller: Caller, cabinet: Cabinet) -> None:
    answer = caller.ask("GET", f"/demo?k={cabinet.key}", cookie=False)
    assert (answer.status, answer.headers["Location"]) == (302, "/demo")
    assert {"HttpOnly", "SameSite=Strict"} <= set(caller.cookie.split("; "))


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost:8080@evil.example", ""])
def test_a_name_that_is_not_this_machines_is_refused(caller: Caller, host: str) -> None:
    assert caller.ask("GET", "/", headers={"Host": host}).status == 400


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "[::1]:8080", "127.0.0.1:1"])
def test_the_names_of_this_machine_are_accepted_with_any_port(caller: Caller, host: str) -> None:
    assert caller.ask("GET", "/", headers={"Host": host}).status == 200


@pytest.mark.parametrize("path", ["/press/cancel", "/demo/hands/close"])
def test_another_page_cannot_press_anything(caller: Caller, path: str) -> None:
    foreign = {"Content-Type": "application/json", "Origin": "http://127.0.0.1:9"}
    assert caller.ask("POST", path, "{}", foreign).status == 403
    assert caller.ask("POST", path, "{}", {"Content-Type": "text/plain"}).status == 415


def test_valider_without_the_visits_token_is_refused_and_nothing_is_recorded(cabinet: Cabinet, caller: Caller) -> None:
    at_signing(cabinet, caller)
    for token in ("", "guess"):
        answer = caller.press("sign", json.dumps(SIGN), token)
        assert (answer.status, answer.json["error"]) == (403, "NotVisiting")
        assert "badge" in answer.json["message"]
    assert cabinet.custody("T-004") == []


def test_the_inventory_is_closed_to_a_visit_that_is_not_a_managers(cabinet: Cabinet, caller: Caller) -> None:
    token = at_signing(cabinet, caller)
    assert caller.ask("GET", "/inventory", headers={"X-Visit": token}).status == 403
    assert caller.ask("GET", "/inventory").status == 403


def test_a_signature_of_ten_megabytes_is_refused_and_the_server_goes_on(cabinet: Cabinet, caller: Caller) -> None:
    token = at_signing(cabinet, caller)
    body = json.dumps(SIGN | {"strokes": [[[1, 1]] * 1_300_000]})
    assert len(body) > 10_000_000
    assert caller.press("sign", body, token).status == 413
    assert caller.screen()["step"] == "signing"


def test_the_largest_body_is_read_and_one_byte_more_is_not(caller: Caller) -> None:
    assert caller.press("pin", "x" * LARGEST_BODY).status == 400
    assert caller.press("pin", "x" * (LARGEST_BODY + 1)).status == 413


@pytest.mark.parametrize(
    ("button", "body"),
    [
        ("sign", ""),
        ("sign", "{"),
        ("sign", "[]"),
        ("sign", "null"),
        ("sign", b"\xff\xfe"),
        ("sign", "[" * 100_000),
        ("sign", json.dumps(SIGN | {"strokes": "x"})),
        ("sign", json.dumps(SIGN | {"strokes": [[["1", 2]]]})),
        ("sign", json.dumps(SIGN | {"strokes": [[[1, 2, 3]]]})),
        ("sign", json.dumps(SIGN | {"width": -1})),
        ("sign", json.dumps(SIGN | {"width": float("nan")})),
        ("sign", json.dumps(SIGN).replace("380", "1e999")),
        ("sign", json.dumps(SIGN | {"time": 1})),
        ("sign", json.dumps({"statement": "x"})),
        ("pin", '{"pin": 1234}'),
        ("pin", '{"pin": "12a4"}'),
        ("pin", '{"pin": "١٢٣٤"}'),
        ("pin", '{"pin": "1234567890123"}'),
        ("language", '{"language": "de"}'),
        ("remove", '{"item": ""}'),
        ("cancel", '{"why": "not"}'),
    ],
)
def test_malformed_bodies_are_refused_before_the_desk_hears_of_them(
    caller: Caller, button: str, body: str | bytes
) -> None:
    answer = caller.press(button, body)
    assert (answer.status, answer.json["error"]) == (400, "BadRequest")


def test_an_empty_signature_and_another_statement_are_refused_in_the_pages_language(
    cabinet: Cabinet, caller: Caller
) -> None:
    token = at_signing(cabinet, caller)
    changed = caller.press("sign", json.dumps(SIGN), token, **{"Accept-Language": "en"})
    assert (changed.status, changed.json["error"]) == (409, "StatementChanged")
    assert "sign once more" in changed.json["message"]
    assert cabinet.custody("T-004") == []


def test_an_unknown_button_or_page_is_not_found(caller: Caller) -> None:
    assert caller.press("explode", "{}").status == 404
    assert caller.ask("GET", "/nowhere").status == 404
    assert caller.ask("POST", "/demo/hands/steal", "{}", {"Content-Type": "application/json"}).status == 404
    assert caller.ask("GET", "/press/cancel").status == 405


def test_a_nonsense_page_of_the_register_is_refused(caller: Caller) -> None:
    for page in ("0", "-1", "x", "9" * 30):
        assert caller.ask("GET", f"/demo/register?page={page}").status == 400


def test_every_answer_closes_what_a_page_could_do(caller: Caller) -> None:
    for path in ("/", "/demo", "/nowhere", "/static/kiosk.js"):
        headers = caller.ask("GET", path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert ("no-store" in headers["Cache-Control"]) == (not path.startswith("/static"))
    assert "frame-ancestors 'self'" in caller.ask("GET", "/").headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in caller.ask("GET", "/demo").headers["Content-Security-Policy"]


def test_more_streams_than_the_server_can_carry_are_turned_away_and_the_rest_goes_on(caller: Caller) -> None:
    with ExitStack() as stack:
        for _ in range(MOST_STREAMS):
            assert caller.stream(stack).status == 200
        assert caller.ask("GET", "/events").status == 503
        assert caller.ask("GET", "/").status == 200
        assert caller.press("language", '{"language": "en"}').status == 200
    eventually(lambda: stream_opens(caller))


def stream_opens(caller: Caller) -> bool:
    with ExitStack() as stack:
        return caller.stream(stack).status == 200


def test_a_stream_begins_with_the_present_state_and_then_gives_signs_of_life(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.screen.HEARTBEAT", 1.0)
    with ExitStack() as stack:
        names = (line for line in caller.stream(stack) if line.startswith(b"event: "))
        # Between the two the screen may change, as when headquarters has just seen something.
        found = list(takewhile(lambda name: name != b"event: heartbeat\n", names))
    assert set(found) == {b"event: screen\n"}
