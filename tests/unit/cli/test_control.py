"""The socket between commands and the service: one line each way, several at once, and nothing brings it down."""

import json
import logging
import socket
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kiosk import control
from kiosk.control import Command, ControlServer, Progress, call
from kiosk.domain.errors import BadImport, NotRunning, TrousseauError, WrongPin


@contextmanager
def serving(path: Path, commands: Mapping[str, Command]) -> Iterator[Path]:
    server = ControlServer(path, commands)
    server.start()
    try:
        yield path
    finally:
        server.stop()


def echo(arguments: Mapping[str, Any], _: Progress) -> dict[str, Any]:
    return dict(arguments)


def raw(path: Path, line: bytes) -> bytes:
    """What the service answers to these bytes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        connection.sendall(line)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def test_a_command_is_answered_with_its_result(tmp_path: Path) -> None:
    with serving(tmp_path / "s", {"echo": echo}) as path:
        assert call(path, "echo", name="Zoé 🔑") == {"name": "Zoé 🔑"}


def test_only_the_services_own_user_may_knock(tmp_path: Path) -> None:
    with serving(tmp_path / "s", {}) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not path.exists()


def test_progress_is_told_while_the_work_goes_on(tmp_path: Path) -> None:
    def work(_: Mapping[str, Any], progress: Progress) -> str:
        for done in range(1, 4):
            progress(done, 3)
            time.sleep(0.15)
        return "done"

    told: list[tuple[int, int]] = []
    with serving(tmp_path / "s", {"work": work}) as path:
        assert call(path, "work", lambda done, total: told.append((done, total))) == "done"
    assert told == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("error", [WrongPin(left=3), BadImport(faults=[{"line": 2, "code": "empty"}])])
def test_an_error_of_ours_comes_back_as_what_it_was(tmp_path: Path, error: TrousseauError) -> None:
    def refuse(_: Mapping[str, Any], __: Progress) -> None:
        raise error

    with serving(tmp_path / "s", {"refuse": refuse}) as path, pytest.raises(type(error)) as refused:
        call(path, "refuse")
    assert refused.value.values == error.values


def test_commands_do_not_wait_for_each_other(tmp_path: Path) -> None:
    meet = threading.Barrier(4, timeout=20)

    def wait(arguments: Mapping[str, Any], _: Progress) -> str:
        meet.wait()
        return str(arguments["name"])

    answers: list[str] = []
    with serving(tmp_path / "s", {"wait": wait}) as path:
        callers = [
            threading.Thread(target=lambda name=str(n): answers.append(call(path, "wait", name=name))) for n in range(4)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
    assert sorted(answers) == ["0", "1", "2", "3"]


def test_a_service_that_stops_finishes_what_is_under_way(tmp_path: Path) -> None:
    began = threading.Event()

    def work(_: Mapping[str, Any], __: Progress) -> str:
        began.set()
        time.sleep(0.2)
        return "done"

    answers: list[str] = []
    with serving(tmp_path / "s", {"work": work}) as path:
        caller = threading.Thread(target=lambda: answers.append(call(path, "work")))
        caller.start()
        assert began.wait(20)
    caller.join()
    assert answers == ["done"]


def test_nobody_there_is_not_running(tmp_path: Path) -> None:
    for path in (tmp_path / "s", tmp_path / "nowhere" / "s"):
        with pytest.raises(NotRunning) as refused:
            call(path, "echo")
        assert refused.value.values == {"path": str(path)}


def test_a_socket_that_a_killed_service_left_is_not_running_and_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(NotRunning):
        call(path, "echo")
    with serving(path, {"echo": echo}):
        assert call(path, "echo") == {}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"hello\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"null\n",
        b"{}\n",
        b'{"command": "echo"}\n',
        b'{"command": ["echo"], "arguments": {}}\n',
        b'{"command": "nothing", "arguments": {}}\n',
        b'{"command": "echo", "arguments": 5}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_garbage_is_refused_and_the_next_command_is_served(
    tmp_path: Path, line: bytes, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.CRITICAL), serving(tmp_path / "s", {"echo": echo}) as path:
        answer = raw(path, line)
        assert b"result" not in answer
        assert b"error" in answer
        assert call(path, "echo", name="x") == {"name": "x"}
    assert "Traceback" not in capsys.readouterr().err


def test_a_command_that_breaks_is_an_error_for_its_caller_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: Mapping[str, Any], __: Progress) -> None:
        raise ZeroDivisionError

    with serving(tmp_path / "s", {"broken": broken, "echo": echo}) as path:
        with pytest.raises(TrousseauError):
            call(path, "broken")
        assert call(path, "echo") == {}
    assert "Traceback" not in capsys.readouterr().err


def test_a_caller_that_goes_away_is_nobodys_trouble(tmp_path: Path) -> None:
    going = threading.Event()

    def work(_: Mapping[str, Any], progress: Progress) -> None:
        assert going.wait(20)
        for done in range(100):
            progress(done, 100)

    with serving(tmp_path / "s", {"work": work, "echo": echo}) as path:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(json.dumps({"command": "work", "arguments": {}}).encode() + b"\n")
        going.set()
        assert call(path, "echo") == {}


def test_a_folder_may_be_deeper_than_a_sockets_address_has_room_for(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*(["a folder with a long name"] * 8))
    deep.mkdir(parents=True)
    assert len(str(deep)) > 200
    with serving(deep / "control.sock", {"echo": echo}) as path:
        assert call(path, "echo") == {}


# ---- clients that do nothing


@contextmanager
def asking(path: Path, line: bytes = b"") -> Iterator[socket.socket]:
    """A client that has said this, and nothing since."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        connection.sendall(line)
        yield connection


CHATTER = b'{"command": "chatter", "arguments": {}}\n'


def test_a_service_stops_at_once_although_clients_are_silent(tmp_path: Path) -> None:
    server = ControlServer(tmp_path / "s", {"echo": echo})
    server.start()
    with asking(tmp_path / "s"), asking(tmp_path / "s", b'{"command"'):
        assert call(tmp_path / "s", "echo") == {}
        began = time.monotonic()
        server.stop()
    assert time.monotonic() - began < 2


def test_a_service_stops_soon_although_a_client_does_not_take_its_answer(tmp_path: Path) -> None:
    going = threading.Event()

    def chatter(_: Mapping[str, Any], __: Progress) -> str:
        going.set()
        return "x" * 4_000_000

    server = ControlServer(tmp_path / "s", {"chatter": chatter})
    server.start()
    with asking(tmp_path / "s", CHATTER):
        assert going.wait(20)
        began = time.monotonic()
        server.stop()
    assert time.monotonic() - began < 3


def test_a_client_that_says_too_little_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "HEARING", 0.3)
    with serving(tmp_path / "s", {}) as path, asking(path) as connection:
        began = time.monotonic()
        assert connection.recv(1) == b""
    assert time.monotonic() - began < 5


def test_a_request_without_end_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "LONGEST", 100_000)
    with serving(tmp_path / "s", {}) as path, asking(path, b"x" * 100_000) as connection:
        assert b"error" in connection.recv(1000)


def test_a_client_that_stops_reading_does_not_hold_its_command_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "SENDING", 0.2)
    monkeypatch.setattr(control, "BETWEEN_PROGRESS", 0)
    finished = threading.Event()

    def chatter(_: Mapping[str, Any], progress: Progress) -> None:
        for done in range(100_000):
            progress(done, 100_000)
        finished.set()

    with serving(tmp_path / "s", {"chatter": chatter}) as path, asking(path, CHATTER):
        assert finished.wait(20)


def test_progress_is_told_now_and_then_and_the_last_always(tmp_path: Path) -> None:
    def work(_: Mapping[str, Any], progress: Progress) -> None:
        for done in range(5_000):
            progress(done, 10_000)

    told: list[int] = []
    with serving(tmp_path / "s", {"work": work}) as path:
        call(path, "work", lambda done, _: told.append(done))
    assert told[-1] == 4_999
    assert len(told) < 50


def test_an_error_about_what_is_no_text_still_comes_back(tmp_path: Path) -> None:
    def refuse(arguments: Mapping[str, Any], _: Progress) -> None:
        raise WrongPin(name=arguments["name"])

    with serving(tmp_path / "s", {"refuse": refuse, "echo": echo}) as path:
        with pytest.raises(WrongPin) as refused:
            call(path, "refuse", name="\udcff")
        assert refused.value.values == {}
        with pytest.raises(TrousseauError):
            call(path, "echo", name="\udcff")
