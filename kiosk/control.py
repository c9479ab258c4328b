"""How a command reaches the running service: a Unix socket in the data folder, which only the service's own user may enter.

One request, one line of JSON `{"command": …, "arguments": {…}}`; then lines of `{"progress": [done, total]}`, and at last
`{"result": …}` or `{"error": name, "values": {…}}`.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from kiosk.domain import errors
from kiosk.domain.errors import NotRunning, TrousseauError

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
Command = Callable[[Mapping[str, Any], Progress], Any]

#: Between two answers the service may work on one transaction for a while, seconds.
PATIENCE: Final = 120.0
#: A client has this long to say what it wants, and to take each line of its answer, seconds.
HEARING: Final = 10.0
SENDING: Final = 10.0
#: A request as long as this is cut, bytes.
LONGEST: Final = 8 * 1024 * 1024
#: Progress is for eyes; more often than this is only work, seconds.
BETWEEN_PROGRESS: Final = 0.1
#: When the service stops, whoever does not take an answer by now is hung up on, seconds.
FAREWELL: Final = 1.0


class ControlServer:
    """Answers commands, each in a thread of its own, so that a long one holds up nobody."""

    def __init__(self, path: Path, commands: Mapping[str, Command]) -> None:
        self._path = path
        path.unlink(missing_ok=True)  # left by a service that was killed; the writer's lock says that it is gone
        with _short(path) as address:
            self._server = _Server(address, _handler(commands))
        path.chmod(0o600)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="control")

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more; commands that are under way finish first, but nobody is waited for who is silent."""
        self._server.shutdown()
        self._thread.join()
        self._server.say_farewell()
        self._server.server_close()
        self._path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = False
    block_on_close = True

    def __init__(self, address: str, handler: type[socketserver.BaseRequestHandler]) -> None:
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._sending: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the base class
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as in the base class
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def say_farewell(self) -> None:
        """Hear nobody any more; whoever takes no answer is hung up on after `FAREWELL`. A command's own time is not counted."""
        self.stopping.set()
        self._shut(self._open, socket.SHUT_RD)
        end = time.monotonic() + FAREWELL
        while self._open and time.monotonic() < end:
            time.sleep(0.02)
        self._shut(self._sending, socket.SHUT_RDWR)

    def send(self, connection: socket.socket, line: bytes) -> None:
        """Send, within a time."""
        with self._lock:
            self._sending.add(connection)
        try:
            connection.settimeout(FAREWELL if self.stopping.is_set() else SENDING)
            connection.sendall(line)
        finally:
            with self._lock:
                self._sending.discard(connection)

    def _shut(self, connections: set[socket.socket], how: int) -> None:
        with self._lock:
            for connection in connections:
                with suppress(OSError):  # it has gone by itself
                    connection.shutdown(how)


def _handler(commands: Mapping[str, Command]) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        server: _Server

        def handle(self) -> None:
            try:
                line = _hear(self.request)
            except OSError:
                log.info("a client asked for nothing")
                return
            client = _Client(lambda answer: self.server.send(self.request, answer))
            client.answer(_run(commands, line, client.progress))

    return Handler


def _hear(connection: socket.socket) -> bytes:
    """A client's request; the time is for all of it, or a byte now and then would hold the thread for ever."""
    end = time.monotonic() + HEARING
    line = bytearray()
    while not line.endswith(b"\n") and len(line) < LONGEST:
        connection.settimeout(max(0.001, end - time.monotonic()))
        chunk = connection.recv(65_536)
        if not chunk:
            break
        line += chunk
    return bytes(line)


class _Client:
    """Whoever asked. Telling them is a courtesy: the command finishes even if they hear nothing."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send_line = send
        self._listens = True
        self._told = 0.0
        self._untold: tuple[int, int] | None = None

    def progress(self, done: int, total: int) -> None:
        """Tell how far the command is, unless they were told just now."""
        self._untold = (done, total)
        if done >= total or time.monotonic() - self._told >= BETWEEN_PROGRESS:
            self._tell_progress()

    def answer(self, answer: bytes) -> None:
        """Tell what came of it."""
        self._tell_progress()
        self._send(answer)

    def _tell_progress(self) -> None:
        if self._untold is not None:
            self._send(_encoded({"progress": self._untold}))
            self._told, self._untold = time.monotonic(), None

    def _send(self, line: bytes) -> None:
        if not self._listens:
            return
        try:
            self._send_line(line)
        except OSError:
            log.info("a client does not listen to its answer")
            self._listens = False


def _run(commands: Mapping[str, Command], line: bytes, progress: Progress) -> bytes:
    try:
        request = json.loads(line)
        return _encoded({"result": commands[request["command"]](request["arguments"], progress)})
    except TrousseauError as e:
        return _failure(e)
    except Exception:
        # Whoever asked learns that it failed; why is for the log. The service goes on.
        log.exception("a command failed")
        return _failure(TrousseauError())


def _failure(error: TrousseauError) -> bytes:
    name = type(error).__name__
    try:
        return _encoded({"error": name, "values": error.values})
    except (TypeError, ValueError, OverflowError):
        # As half a surrogate pair, which a terminal makes of bytes that are no text; the name alone says what is wrong.
        return _encoded({"error": name, "values": {}})


def _encoded(message: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(message) + b"\n"


def call(path: Path, command: str, progress: Progress = lambda _done, _total: None, /, **arguments: str) -> Any:  # noqa: ANN401 - JSON
    """Have the running service do something.

    Raises:
        NotRunning: nobody answers at `path`.
        TrousseauError: what the service answered, as its own class.
    """
    with _connected(path) as connection, connection.makefile("rwb") as stream:
        # Not msgspec: an argument may hold bytes that are no text, which only `json` escapes.
        stream.write(json.dumps({"command": command, "arguments": arguments}).encode("ascii") + b"\n")
        stream.flush()
        for line in stream:
            answer = json.loads(line)
            if "progress" in answer:
                progress(*answer["progress"])
            elif "error" in answer:
                raise getattr(errors, answer["error"])(**answer["values"])
            else:
                return answer["result"]
    raise NotRunning(path=str(path))


@contextmanager
def _connected(path: Path) -> Iterator[socket.socket]:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    with connection:
        try:
            with _short(path) as address:
                connection.connect(address)
        except OSError as e:
            raise NotRunning(path=str(path)) from e
        yield connection


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The same place by a short name: a Unix socket's address has room for 107 bytes, a data folder may be deeper."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
