"""Starts in order, stops in reverse."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final
from wsgiref.types import WSGIApplication

from waitress import create_server, wasyncore

from kiosk.bootstrap import Cabinet
from kiosk.control import ControlServer

LOOPBACK: Final = "127.0.0.1"
#: Event streams hold a thread each (`web` caps them); pages and presses need some beside them.
THREADS: Final = 24
#: What `web` refuses as too large is read up to here, so that the browser hears the refusal; beyond, the line is cut. Bytes.
LARGEST_BODY: Final = 16 * 1024 * 1024


class WebServer:
    """The touchscreen's listener, on loopback only."""

    def __init__(self, app: WSGIApplication, port: int) -> None:
        self._server = create_server(
            app,
            host=LOOPBACK,
            port=port,
            threads=THREADS,
            ident="",
            # Event streams learn by it that their browser has gone.
            channel_request_lookahead=1,
            max_request_body_size=LARGEST_BODY,
        )
        self._thread = threading.Thread(target=self._server.run, name="web")
        self.port = int(self._server.effective_port)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Close every connection; event streams notice it at their next word."""
        # In the loop's own thread, which alone may touch its map of connections.
        self._server.trigger.pull_trigger(lambda: wasyncore.close_all(self._server._map, ignore_all=True))
        self._thread.join()

    def finish(self) -> None:
        """Wait for the answers that are still being made."""
        self._server.task_dispatcher.shutdown()


@contextmanager
def running(cabinet: Cabinet) -> Iterator[WebServer]:
    """Start a cabinet's parts: the record and the desk before whatever could call on them."""
    with ExitStack() as stack:
        web = WebServer(cabinet.app, cabinet.settings.screen.port)
        control = ControlServer(cabinet.settings.control, cabinet.commands)
        stack.callback(web.finish)
        cabinet.relay.start()
        stack.callback(cabinet.relay.stop)
        cabinet.counter.start()
        stack.callback(cabinet.counter.stop)
        for reader in cabinet.readers:
            reader.start()
            stack.callback(reader.stop)
        web.start()
        stack.callback(web.stop)
        control.start()
        stack.callback(control.stop)
        yield web


def screen_address(cabinet: Cabinet, web: WebServer, path: str = "/") -> str:
    """The address that the cabinet's own screen opens."""
    return f"http://{LOOPBACK}:{web.port}{path}?k={cabinet.screen_key}"


def wait_for_end() -> None:
    """Wait until the service is told to stop (SIGTERM, or Ctrl-C)."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(1.0):
        pass
