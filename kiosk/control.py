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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
        """Answer no more; commands that are under way finish first."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._path.unlink(missing_ok=True)


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = False
    block_on_close = True


def _handler(commands: Mapping[str, Command]) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            try:
                self._answer(_run(commands, self.rfile.readline(), lambda *p: self._answer({"progress": p})))
            except (BrokenPipeError, ConnectionResetError):
                log.info("a command went away before its answer")

        def _answer(self, answer: Mapping[str, Any]) -> None:
            self.wfile.write(msgspec.json.encode(answer) + b"\n")

    return Handler


def _run(commands: Mapping[str, Command], line: bytes, progress: Progress) -> Mapping[str, Any]:
    try:
        request = json.loads(line)
        return {"result": commands[request["command"]](request["arguments"], progress)}
    except TrousseauError as e:
        return {"error": type(e).__name__, "values": e.values}
    except (BrokenPipeError, ConnectionResetError):
        raise
    except Exception:
        # Whoever asked learns that it failed; why is for the log. The service goes on.
        log.exception("a command failed")
        return {"error": TrousseauError.__name__, "values": {}}


def call(path: Path, command: str, progress: Progress = lambda _done, _total: None, /, **arguments: str) -> Any:  # noqa: ANN401 - JSON
    """Have the running service do something.

    Raises:
        NotRunning: nobody answers at `path`.
        TrousseauError: what the service answered, as its own class.
    """
    with _connected(path) as connection, connection.makefile("rwb") as stream:
        stream.write(msgspec.json.encode({"command": command, "arguments": arguments}) + b"\n")
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
