"""Starts in order, stops in reverse."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from wsgiref.types import WSGIApplication

from waitress import create_server, wasyncore

from kiosk.bootstrap import Cabinet
from kiosk.control import ControlServer
from kiosk.domain.errors import PortTaken

LOOPBACK: Final = "127.0.0.1"
#: Event streams hold a thread each (`web` caps them); pages and presses need some beside them.
THREADS: Final = 24
#: What `web` refuses as too large is read up to here, so that the browser hears the refusal; beyond, the line is cut. Bytes.
LARGEST_BODY: Final = 16 * 1024 * 1024
#: Far more than one screen needs, and fewer than there are file handles.
CONNECTIONS: Final = 1000
#: A connection without a request under way may be silent this long (an event stream is a request under way), seconds.
SILENCE: Final = 15
CLEANING: Final = 5


class WebServer:
    """The touchscreen's listener, on loopback only."""

    def __init__(self, app: WSGIApplication, port: int) -> None:
        self._server = _listener(app, port)
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


def _listener(app: WSGIApplication, port: int) -> Any:  # noqa: ANN401 - waitress has no types
    return create_server(
        app,
        sockets=[_bound(port)],
        threads=THREADS,
        ident="",
        # Event streams learn by it that their browser has gone.
        channel_request_lookahead=1,
        max_request_body_size=LARGEST_BODY,
        connection_limit=CONNECTIONS,
        channel_timeout=SILENCE,
        cleanup_interval=CLEANING,
        # `select` ends the loop at the first file handle above 1023.
        asyncore_use_poll=True,
    )


def _bound(port: int) -> socket.socket:
    """The port, ours; before waitress makes its threads, which it would leave behind where it cannot bind."""
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as e:
        if e.errno != errno.EADDRINUSE:
            raise
        raise PortTaken(port=port) from e


@contextmanager
def running(cabinet: Cabinet) -> Iterator[WebServer]:
    """Start a cabinet's parts: the record and the desk before whatever could call on them."""
    with ExitStack() as stack:
        web = WebServer(cabinet.app, cabinet.settings.screen.port)
        control = ControlServer(cabinet.settings.control, cabinet.commands)
        stack.callback(web.finish)
        cabinet.store.relay.start()
        stack.callback(cabinet.store.relay.stop)
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


def bare_address(web: WebServer) -> str:
    """The same without its key, for where others may read it."""
    return f"http://{LOOPBACK}:{web.port}/"


def wait_for_end() -> None:
    """Wait until the service is told to stop (SIGTERM, or Ctrl-C)."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    while not ended.wait(1.0):
        pass
