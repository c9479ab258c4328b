"""Brokers that forbid the relay to publish, and brokers that let little be on the way."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from kiosk.mqtt import relay as relay_module
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.relay import Relay
from kiosk.mqtt.track import HEAD_EVERY
from kiosk.store.database import Database
from kiosk.store.supervision import Supervision
from tests.conftest import StartMosquitto
from tests.integration.hq.parts import Cabinet, headquarters, stored
from tests.services import LOOPBACK, Mosquitto, wait_until

FORBIDDING = "topic read #\ntopic write trousseau/v1/hq/#\ntopic write trousseau/v1/to/#\n"
ALLOWING = FORBIDDING + "topic write trousseau/v1/from/#\n"


@dataclass(frozen=True)
class Guarded:
    """A broker with an access list that may be written anew."""

    server: Mosquitto
    rules: Path

    @property
    def address(self) -> BrokerAddress:
        return BrokerAddress(LOOPBACK, self.server.port)

    def obey(self, rules: str) -> None:
        """From now on; the connections stay."""
        self.rules.write_text(rules)
        os.kill(self.server.pid, signal.SIGHUP)

    @property
    def publications(self) -> int:
        """How often the cabinet has tried."""
        return self.server.log.count("Denied PUBLISH from armoire-7")


@pytest.fixture
def guarded(mosquitto: StartMosquitto, tmp_path: Path) -> Guarded:
    """It forbids everything to begin with."""
    rules = tmp_path / "acl"
    rules.write_text(FORBIDDING)
    return Guarded(mosquitto(f"listener {{port}} 127.0.0.1\nallow_anonymous true\nacl_file {rules}\n"), rules)


@contextmanager
def denied(cabinet: Cabinet, guarded: Guarded, folder: Path) -> Iterator[tuple[Database, Relay]]:
    """Headquarters, and a cabinet that has found out that it may not publish."""
    cabinet.record_many(200)
    with headquarters(f"sqlite:///{folder}/hq.db", guarded.address) as (central, subscriber):
        wait_until(lambda: subscriber.online, "headquarters is there")
        relay = cabinet.connect(guarded.address)
        wait_until(lambda: relay.halted == "denied", "the alarm")
        yield central, relay


def test_a_broker_that_forbids_publishing_raises_one_alarm_and_is_not_asked_again_at_once(
    cabinet: Cabinet, guarded: Guarded, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with denied(cabinet, guarded, tmp_path) as (central, relay):
        time.sleep(0.5)
        tried = guarded.publications
        # Presence, a window's worth of heads and entries at most, and what had been sent before the answer came.
        assert 0 < tried == relay.status.denied <= 2 + 20 + HEAD_EVERY
        time.sleep(2.5)
        assert guarded.publications == tried, "it goes on trying"
        assert relay.status.acked == 0
        assert relay.view.trouble is None, "takes go on"
        assert stored(central) == []
    assert caplog.text.count("ALARM: the relay has stopped (denied)") == 1


def test_after_a_pause_it_tries_again_and_goes_on_where_it_is_allowed_to(
    cabinet: Cabinet, guarded: Guarded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_module, "DENIED_PAUSE", 1.0)
    with denied(cabinet, guarded, tmp_path) as (central, relay):
        wait_until(lambda: guarded.publications > 40, "another try", 10)
        guarded.obey(ALLOWING)
        cabinet.wait()
        assert relay.halted is None
        assert stored(central) == cabinet.bodies()


def test_a_new_connection_is_a_new_try(cabinet: Cabinet, guarded: Guarded, tmp_path: Path) -> None:
    with denied(cabinet, guarded, tmp_path) as (central, relay):
        guarded.rules.write_text(ALLOWING)
        guarded.server.restart()
        cabinet.wait()
        assert relay.halted is None
        assert stored(central) == cabinet.bodies()


@pytest.mark.parametrize("on_the_way", [1, 2, 4, 20, 2_000])
def test_a_backlog_is_drained_however_little_the_broker_lets_be_on_the_way(
    cabinet: Cabinet, mosquitto: StartMosquitto, tmp_path: Path, on_the_way: int
) -> None:
    rules = f"listener {{port}} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages {on_the_way}\n"
    server = mosquitto(rules)
    broker = BrokerAddress(LOOPBACK, server.port)
    cabinet.record_many(100)
    cabinet.keep(bytes(200_000))
    with headquarters(f"sqlite:///{tmp_path}/hq.db", broker) as (central, _):
        cabinet.connect(broker)
        cabinet.wait()
        assert stored(central) == cabinet.bodies()
        wait_until(lambda: Supervision(central).cabinets()[0].missing == 0, "the document")
    assert server.log.count("New client connected") == 2, "nobody was thrown out"
