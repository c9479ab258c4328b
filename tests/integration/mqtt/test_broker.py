"""The demo's own broker: mosquitto as a child, or amqtt in a thread."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kiosk.domain.errors import BrokerFailed
from kiosk.mqtt import broker as embedded
from kiosk.mqtt.broker import AmqttThread, EmbeddedBroker, MosquittoChild, start_broker
from tests.integration.hq.conftest import MakeEar
from tests.services import LOOPBACK, accepts, children, free_port, program, wait_until

ROOT = Path(__file__).parents[3]


def a_mosquitto(folder: Path) -> EmbeddedBroker:
    return MosquittoChild(str(program("mosquitto")), folder)


def an_amqtt(_: Path) -> EmbeddedBroker:
    return AmqttThread()


both = pytest.mark.parametrize("start", [a_mosquitto, an_amqtt])


@both
def test_it_carries_messages_until_it_is_stopped(
    start: Callable[[Path], EmbeddedBroker], tmp_path: Path, ear: MakeEar
) -> None:
    broker = start(tmp_path)
    try:
        listening = ear(broker.address, "greetings")
        ear(broker.address).say("greetings", b"hello")
        assert listening.next()[:2] == ("greetings", b"hello")
    finally:
        broker.stop()
    assert not accepts(broker.address.port)


@both
def test_it_keeps_what_is_retained_and_speaks_the_protocol_it_names(
    start: Callable[[Path], EmbeddedBroker], tmp_path: Path, ear: MakeEar
) -> None:
    broker = start(tmp_path)
    try:
        ear(broker.address).say("news", b"old", retain=True)
        assert ear(broker.address, "news").next() == ("news", b"old", True)
        assert broker.address.protocol == {"mosquitto": "5", "amqtt": "3.1.1"}[broker.name]
    finally:
        broker.stop()


@both
def test_it_listens_on_loopback_alone(start: Callable[[Path], EmbeddedBroker], tmp_path: Path) -> None:
    broker = start(tmp_path)
    try:
        wanted = f":{broker.address.port:04X}"
        lines = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
        listeners = [line.split()[1] for line in lines.splitlines() if wanted in line and line.split()[3] == "0A"]
        assert listeners == [f"0100007F{wanted}"]
    finally:
        broker.stop()


@both
def test_stopping_it_twice_does_no_harm(start: Callable[[Path], EmbeddedBroker], tmp_path: Path) -> None:
    broker = start(tmp_path)
    broker.stop()
    broker.stop()


def test_mosquitto_is_taken_when_it_is_there(tmp_path: Path) -> None:
    broker = start_broker(tmp_path)
    broker.stop()
    assert broker.name == "mosquitto"


def test_amqtt_is_taken_when_mosquitto_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    broker = start_broker(tmp_path)
    broker.stop()
    assert broker.name == "amqtt"


@pytest.mark.parametrize("name", ["/bin/false", "/nowhere/mosquitto"])
def test_a_mosquitto_that_ends_at_once_fails_and_leaves_no_child(tmp_path: Path, name: str) -> None:
    before = children()
    with pytest.raises(BrokerFailed):
        MosquittoChild(name, tmp_path)
    assert children() == before


def test_a_mosquitto_whose_port_is_taken_fails_and_says_why_in_its_log(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, free_port()))
        with pytest.raises(BrokerFailed):
            MosquittoChild(str(program("mosquitto")), tmp_path, taken.getsockname()[1])
    assert "Address already in use" in (tmp_path / "mosquitto.log").read_text()


def test_an_amqtt_whose_port_is_taken_fails() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, free_port()))
        taken.listen()
        with pytest.raises(BrokerFailed):
            AmqttThread(taken.getsockname()[1])


def test_mosquitto_ends_with_us_however_we_end(tmp_path: Path) -> None:
    code = (
        "import pathlib, sys, time\n"
        "from kiosk.mqtt.broker import start_broker\n"
        "broker = start_broker(pathlib.Path(sys.argv[1]))\n"
        "print(broker.pid, broker.address.port, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pid, port = (int(number) for number in parent.stdout.readline().split())
        assert accepts(port)
        os.kill(parent.pid, signal.SIGKILL)
    wait_until(lambda: not accepts(port), "the end of the port", 5)
    wait_until(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), "the end of mosquitto", 5)


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_the_configuration_is_for_loopback_and_keeps_nothing() -> None:
    lines = embedded.CONFIGURATION.read_text().splitlines()
    settings = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    assert settings == {
        "listener": "{port} 127.0.0.1",
        "allow_anonymous": "true",
        "user": "root",
        "set_tcp_nodelay": "true",
        "max_queued_messages": "0",
        "max_inflight_messages": "1000",
        "persistence": "false",
    }
