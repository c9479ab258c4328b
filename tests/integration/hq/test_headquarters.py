"""Headquarters' presence, and its register as people read it."""

import subprocess
import sys
from pathlib import Path

from kiosk.domain.access_means import State
from kiosk.hq.register import CentralRegister
from kiosk.mqtt import topics
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.messages import Ack, HeadquartersStatus, decode, encode
from kiosk.services.ports import Headquarters, InventoryFilter
from kiosk.store.register import StoredRegister
from tests.conftest import StartMosquitto
from tests.integration.hq.conftest import MakeCabinet, MakeEar
from tests.integration.hq.parts import Cabinet, Ear, a_life, documents_of, headquarters, signed_for
from tests.services import LOOPBACK, dying_with_us, wait_until

ROOT = Path(__file__).parents[3]


def presence(listening: Ear, *, online: bool) -> str:
    """The instance in the next message that says so."""

    def fits(_: str, payload: bytes) -> bool:
        said = decode(payload, HeadquartersStatus)
        return said is not None and said.online is online

    said = decode(listening.until(fits), HeadquartersStatus)
    assert said is not None
    return said.instance


def test_it_says_that_it_is_there_and_when_it_goes(any_broker: BrokerAddress, ear: MakeEar, database_url: str) -> None:
    listening = ear(any_broker, topics.HEADQUARTERS_STATUS)
    with headquarters(database_url, any_broker, "the-one"):
        assert presence(listening, online=True) == "the-one"
        assert presence(ear(any_broker, topics.HEADQUARTERS_STATUS), online=True) == "the-one", "it is retained"
    assert presence(listening, online=False) == "the-one"


def test_its_will_speaks_when_it_is_cut_off(broker: BrokerAddress, ear: MakeEar, tmp_path: Path) -> None:
    listening = ear(broker, topics.HEADQUARTERS_STATUS)
    command = [*dying_with_us("KILL"), sys.executable, "-m", "tests.integration.hq.doomed"]
    url = f"sqlite:///{tmp_path}/hq.db"
    with subprocess.Popen([*command, url, str(broker.port), "never"], cwd=ROOT) as cut_off:
        here = presence(listening, online=True)
        cut_off.kill()
    assert presence(listening, online=False) == here


def test_each_session_is_another_instance(mosquitto: StartMosquitto, ear: MakeEar, tmp_path: Path) -> None:
    broker = BrokerAddress(LOOPBACK, mosquitto().port)
    listening = ear(broker, topics.HEADQUARTERS_STATUS)
    instances = set()
    for _ in range(2):
        with headquarters(f"sqlite:///{tmp_path}/hq.db", broker):
            instances.add(presence(listening, online=True))
    assert len(instances) == 2


def test_on_connecting_it_publishes_every_streams_acknowledgement_anew(
    cabinet: Cabinet, mosquitto: StartMosquitto, ear: MakeEar, database_url: str
) -> None:
    first, second = (BrokerAddress(LOOPBACK, mosquitto().port) for _ in range(2))
    cabinet.record_many(3)
    with headquarters(database_url, first):
        cabinet.connect(first)
        cabinet.wait()
        cabinet.disconnect()
    # The second broker has never heard of the cabinet, which is away.
    with headquarters(database_url, second, "restored"):
        payload = ear(second, topics.ack("armoire-7")).next()[1]
        answer = decode(payload, Ack)
    assert answer is not None
    assert (answer.instance, answer.stream, answer.refusal) == ("restored", cabinet.journal.stream, None)
    assert signed_for(payload) == 3


def test_a_late_will_of_an_earlier_connection_is_corrected(broker: BrokerAddress, ear: MakeEar, tmp_path: Path) -> None:
    listening = ear(broker, topics.HEADQUARTERS_STATUS)
    with headquarters(f"sqlite:///{tmp_path}/hq.db", broker):
        here = presence(listening, online=True)
        late = encode(HeadquartersStatus(online=False, instance="an-earlier-one"))
        ear(broker).say(topics.HEADQUARTERS_STATUS, late, retain=True)
        assert presence(listening, online=False) == "an-earlier-one"
        assert presence(listening, online=True) == here


def test_the_feed_shows_the_newest_entries_with_names(
    cabinet: Cabinet, broker: BrokerAddress, database_url: str
) -> None:
    a_life(cabinet)
    with headquarters(database_url, broker) as (central, subscriber):
        register: Headquarters = CentralRegister(central, lambda: subscriber.online)
        cabinet.connect(broker)
        cabinet.wait()
        wait_until(lambda: documents_of(central) == documents_of(cabinet.database), "every document")
        assert register.online
        feed = register.feed(7)
        assert [line.sequence for line in feed] == list(range(18, 11, -1))
        assert [(line.type, line.person) for line in feed[:3]] == [
            ("people.left", "Nadia <b>"),
            ("people.badge_revoked", None),
            ("cabinet.door_left_open", "Nadia <b>"),
        ]
        assert {line.node for line in feed} == {"armoire-7"}
    assert not register.online


def test_the_central_inventory_is_the_cabinets_own(cabinet: Cabinet, broker: BrokerAddress, database_url: str) -> None:
    a_life(cabinet)
    with headquarters(database_url, broker) as (central, subscriber):
        register = CentralRegister(central, lambda: subscriber.online)
        cabinet.connect(broker)
        cabinet.wait()
        wait_until(lambda: documents_of(central) == documents_of(cabinet.database), "every document")
        wanted = InventoryFilter(state=State.IN_SERVICE)
        own = StoredRegister(cabinet.database, cabinet.journal.node).inventory(wanted, 1, 10)
        assert register.inventory(wanted, 1, 10) == own
        assert own.total == 3


def test_names_that_have_not_come_yet_are_left_out_of_the_feed(
    make_cabinet: MakeCabinet, broker: BrokerAddress, database_url: str
) -> None:
    cabinet = make_cabinet()
    cabinet.record_many(1)
    with headquarters(database_url, broker) as (central, _):
        cabinet.connect(broker)
        cabinet.wait()
        assert [line.person for line in CentralRegister(central, lambda: True).feed(5)] == [None]
