"""The screen's listener: silent connections are closed, event streams are not."""

import socket
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from kiosk import daemon
from kiosk.daemon import WebServer

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment


def speaking(_: "WSGIEnvironment", start: "StartResponse") -> Iterator[bytes]:
    """A word every half second, for longer than a silence may last."""
    start("200 OK", [("Content-Type", "text/event-stream")])
    for _word in range(8):
        time.sleep(0.5)
        yield b"word\n"


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(daemon, "SILENCE", 1)
    monkeypatch.setattr(daemon, "CLEANING", 1)
    server = WebServer(speaking, 0)
    server.start()
    yield server.port
    server.stop()
    server.finish()


def test_a_silent_connection_is_closed_and_an_event_stream_is_not(port: int) -> None:
    with (
        socket.create_connection(("127.0.0.1", port), 20) as silent,
        socket.create_connection(("127.0.0.1", port), 20) as stream,
    ):
        stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
        heard = b""
        while chunk := stream.recv(4096):
            heard += chunk
        assert heard.count(b"word") == 8
        silent.settimeout(5)
        assert silent.recv(1) == b""
