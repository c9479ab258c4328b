"""From a cabinet's journal to headquarters' database over a real broker, with the worst of luck on the way.

The invariants of the ledger's replication: an acknowledgement never exceeds the contiguous prefix committed at headquarters, and is
signed; no entry is dropped before it is acknowledged; every retry is idempotent; the broker's state may vanish at any moment.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from kiosk.domain import events
from kiosk.domain.events import EVENTS
from kiosk.domain.identifiers import ClientId
from kiosk.ledger.entry import unseal
from kiosk.mqtt import topics
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.messages import CHUNK
from kiosk.mqtt.relay import Relay
from kiosk.services.codec import documents_of as documents_named
from kiosk.services.ports import Trouble
from kiosk.store.database import Database
from kiosk.store.supervision import Supervision
from tests.conftest import StartMosquitto, StartPostgres
from tests.integration.hq.conftest import MakeCabinet, MakeEar
from tests.integration.hq.parts import (
    Cabinet,
    a_life,
    central_database,
    documents_of,
    headquarters,
    register_of,
    signed_for,
    stored,
)
from tests.services import LOOPBACK, dying_with_us, program, wait_until
from tests.trees import subtrees_of

ROOT = Path(__file__).parents[3]
DYING = [*dying_with_us("KILL"), sys.executable, "-m"]
DOOMED = [*DYING, "tests.integration.hq.doomed"]


def identical(cabinet: Cabinet, central: Database) -> bool:
    """Whether headquarters holds what the cabinet holds: the same bytes, tree and register."""
    key = cabinet.journal.node, cabinet.journal.stream
    assert stored(central, cabinet.journal.node) == cabinet.bodies()
    assert subtrees_of(central, key) == subtrees_of(cabinet.database, key)
    assert register_of(central, cabinet.journal.node) == register_of(cabinet.database, cabinet.journal.node)
    return True


def progress(relay: Relay, beyond: int) -> None:
    """Wait until headquarters has acknowledged more than this."""
    wait_until(lambda: relay.status.acked > beyond, "some progress")


def test_headquarters_ends_with_the_same_register_after_every_kind_of_event(
    any_broker: BrokerAddress, cabinet: Cabinet, database_url: str
) -> None:
    a_life(cabinet)
    assert {unseal(body).type for body in cabinet.bodies()} == set(EVENTS), "a kind of event is missing in a_life"
    with headquarters(database_url, any_broker) as (central, _):
        cabinet.connect(any_broker)
        cabinet.wait()
        assert identical(cabinet, central)
        wait_until(lambda: documents_of(central) == documents_of(cabinet.database), "every document")


def test_entries_come_in_order_and_one_by_one_as_they_are_made(
    any_broker: BrokerAddress, cabinet: Cabinet, database_url: str
) -> None:
    with headquarters(database_url, any_broker) as (central, subscriber):
        cabinet.connect(any_broker)
        for _ in range(5):
            cabinet.record_many(1)
            cabinet.wait()
        cabinet.record_many(300)
        cabinet.wait()
        assert identical(cabinet, central)
        assert subscriber.counts["rejected"] == 0


def test_nothing_is_lost_when_the_broker_is_killed_in_mid_stream_and_forgets_everything(
    cabinet: Cabinet, database_url: str, mosquitto: StartMosquitto
) -> None:
    server = mosquitto()
    address = BrokerAddress(LOOPBACK, server.port)
    cabinet.record_many(500)
    with headquarters(database_url, address) as (central, _):
        relay = cabinet.connect(address)
        for threshold in (50, 700):
            progress(relay, threshold)
            server.kill()
            cabinet.record_many(500)
            server.start()
        cabinet.wait(60)
        assert identical(cabinet, central)


def test_a_broker_away_for_the_whole_day_and_then_back_costs_nothing(
    cabinet: Cabinet, database_url: str, mosquitto: StartMosquitto
) -> None:
    server = mosquitto()
    address = BrokerAddress(LOOPBACK, server.port)
    with headquarters(database_url, address) as (central, subscriber):
        relay = cabinet.connect(address)
        cabinet.record_many(5)
        cabinet.wait()
        server.stop()
        wait_until(lambda: not relay.status.connected and not subscriber.online, "both see that it is away")
        a_life(cabinet)
        assert relay.status.acked == 5
        server.start()
        cabinet.wait()
        assert identical(cabinet, central)


@pytest.mark.parametrize("moment", ["while-settling", "before-commit", "before-puback", "before-ack"])
def test_headquarters_killed_around_its_commit_loses_nothing_and_doubles_nothing(
    cabinet: Cabinet, database_url: str, broker: BrokerAddress, moment: str
) -> None:
    a_life(cabinet)
    relay = cabinet.connect(broker)
    with central_database(database_url):
        """Only to let the cabinet in."""
    ended = subprocess.run([*DOOMED, database_url, str(broker.port), moment], cwd=ROOT, timeout=30, check=False)
    assert ended.returncode == -9
    with central_database(database_url) as central:
        assert relay.status.acked <= len(stored(central)), "an entry was acknowledged too early"
    with headquarters(database_url, broker) as (central, _):
        cabinet.wait()
        assert identical(cabinet, central)
        wait_until(lambda: documents_of(central) == documents_of(cabinet.database), "every document")


def test_headquarters_killed_again_and_again_at_any_moment_ends_up_the_same(
    cabinet: Cabinet, broker: BrokerAddress, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/headquarters.db"
    relay = cabinet.connect(broker)
    making = Thread(target=cabinet.record_many, args=(2_000,))
    making.start()
    command = [*DOOMED, url, str(broker.port), "never"]
    with central_database(url):
        """Only to let the cabinet in."""
    for _ in range(3):
        before = relay.status.acked
        with subprocess.Popen(command, cwd=ROOT) as headquarters_:
            progress(relay, before)
            headquarters_.kill()
    making.join()
    with headquarters(url, broker) as (central, _):
        cabinet.wait(60)
        assert identical(cabinet, central)


def test_headquarters_restored_from_yesterday_is_sent_the_rest_again(
    cabinet: Cabinet, broker: BrokerAddress, tmp_path: Path
) -> None:
    today, yesterday = tmp_path / "headquarters.db", tmp_path / "yesterday.db"
    relay = cabinet.connect(broker)
    cabinet.record_many(100)
    with headquarters(f"sqlite:///{today}", broker):
        cabinet.wait()
    shutil.copy(today, yesterday)
    a_life(cabinet)
    with headquarters(f"sqlite:///{today}", broker):
        cabinet.wait()
    shutil.copy(yesterday, today)
    with headquarters(f"sqlite:///{today}", broker) as (central, _):
        wait_until(lambda: stored(central) == cabinet.bodies(), "what was lost")
        cabinet.wait()
        assert identical(cabinet, central)
        wait_until(lambda: documents_of(central) == documents_of(cabinet.database), "every document")
    assert relay.halted is None


def test_headquarters_with_an_empty_database_is_sent_everything_again(
    cabinet: Cabinet, broker: BrokerAddress, tmp_path: Path
) -> None:
    cabinet.connect(broker)
    cabinet.record_many(100)
    with headquarters(f"sqlite:///{tmp_path}/old.db", broker):
        cabinet.wait()
    with headquarters(f"sqlite:///{tmp_path}/new.db", broker) as (central, _):
        wait_until(lambda: stored(central) == cabinet.bodies(), "everything")


@pytest.mark.parametrize("fsync", [True, False], ids=["durable", "losing-its-last-commits"])
def test_while_its_database_is_away_headquarters_is_absent_and_nothing_is_lost(
    cabinet: Cabinet, broker: BrokerAddress, start_postgres: StartPostgres, fsync: bool
) -> None:
    cluster = start_postgres(fsync=fsync)
    url = cluster.url(cluster.create_database())
    with headquarters(url, broker) as (central, subscriber):
        relay = cabinet.connect(broker)
        cabinet.record_many(50)
        cabinet.wait()
        cluster.kill()
        cabinet.record_many(50)
        wait_until(lambda: not relay.status.headquarters, "headquarters says that it is away")
        assert relay.status.acked == 50
        assert not subscriber.online
        cluster.start()
        cabinet.wait()
        assert identical(cabinet, central)


def test_a_cabinet_restored_from_yesterday_stops_and_explains(
    make_cabinet: MakeCabinet, broker: BrokerAddress, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stream = "0b7e9f5e-7a53-4d4e-9d6b-2f8c1f3c6a10"
    original, restored = make_cabinet("armoire-7", stream), make_cabinet("armoire-7", stream)
    original.record_many(20)
    with headquarters(f"sqlite:///{tmp_path}/hq.db", broker) as (central, _):
        original.connect(broker)
        original.wait()
        original.disconnect()
        restored.record_many(10)
        relay = restored.connect(broker)
        wait_until(lambda: relay.halted is not None, "the relay stops")
        assert relay.halted == "behind"
        assert relay.view.trouble is Trouble.BEHIND
        assert "headquarters has signed for 20 entries, this journal has 10" in caplog.text
        assert stored(central) == original.bodies()


def test_a_journal_that_grew_differently_is_refused_and_not_taken_in(
    make_cabinet: MakeCabinet, broker: BrokerAddress, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stream = "0b7e9f5e-7a53-4d4e-9d6b-2f8c1f3c6a10"
    original, regrown = make_cabinet("armoire-7", stream), make_cabinet("armoire-7", stream)
    original.record_many(20)
    with headquarters(f"sqlite:///{tmp_path}/hq.db", broker) as (central, subscriber):
        original.connect(broker)
        original.wait()
        original.disconnect()
        regrown.record_many(25)
        relay = regrown.connect(broker)
        wait_until(lambda: relay.halted == "refused", "headquarters refuses it")
        assert relay.view.trouble is Trouble.REFUSED
        assert relay.status.acked == 0
        assert stored(central) == original.bodies()
        assert subscriber.counts["refused"] >= 1
        assert f"ALARM: refused of armoire-7: {stream}: 20" in caplog.text


def test_many_cabinets_are_stored_side_by_side(
    make_cabinet: MakeCabinet, database_url: str, broker: BrokerAddress
) -> None:
    cabinets = [make_cabinet(f"cabinet-{number}") for number in range(5)]
    with headquarters(database_url, broker) as (central, _):
        for cabinet in cabinets:
            cabinet.connect(broker)
            a_life(cabinet)
        for cabinet in cabinets:
            cabinet.wait()
            assert identical(cabinet, central)


def test_a_large_document_arrives_whole(any_broker: BrokerAddress, cabinet: Cabinet, database_url: str) -> None:
    content = bytes(range(256)) * (12 * CHUNK // 256) + b"and a little more"
    name = cabinet.keep(content)
    with headquarters(database_url, any_broker) as (central, _):
        cabinet.connect(any_broker)
        wait_until(lambda: any(found[0] == name for found in documents_of(central)), "the document")
        assert documents_of(central) == documents_of(cabinet.database)


def test_a_document_that_came_wrong_is_not_kept_and_is_asked_for_again(
    cabinet: Cabinet, database_url: str, broker: BrokerAddress, ear: MakeEar, caplog: pytest.LogCaptureFixture
) -> None:
    name = cabinet.keep(b"a name")
    with headquarters(database_url, broker) as (central, subscriber):
        wait_until(lambda: subscriber.online, "headquarters is there")
        liar = ear(broker, topics.wanted("armoire-7"))
        liar.say(topics.checkpoint("armoire-7"), cabinet.heads.sign(cabinet.journal.frontier(1)))
        liar.say(topics.event("armoire-7", "register.client_registered"), cabinet.bodies()[0])
        assert name.encode() in liar.next()[1]
        liar.say(topics.document("armoire-7", name), bytes(4) + (1).to_bytes(4, "big") + bytes(32) + b"another name")
        wait_until(lambda: "not the document that was asked for" in caplog.text, "the alarm")
        assert documents_of(central) == set()
        cabinet.connect(broker)
        wait_until(lambda: documents_of(central) == documents_of(cabinet.database), "the right one")


def check_the_count(central: Database) -> None:
    """Headquarters has, or knows that it lacks, every document that its entries name, and from which entry on."""
    entries = [unseal(body) for body in stored(central)]
    here = {name for name, _, __ in documents_of(central)}
    lacking: dict[str, int] = {}
    for entry in entries:
        for name in documents_named(entry.data):
            if name not in here:
                lacking.setdefault(name, entry.sequence)
    [line] = Supervision(central).cabinets()
    assert line.missing == len(lacking)
    assert line.complete == min(lacking.values(), default=line.cosigned + 1) - 1


def test_documents_that_a_card_took_with_it_are_counted_as_missing_until_they_come_after_all(
    cabinet: Cabinet, database_url: str, broker: BrokerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    cabinet.record_many(3)
    a_life(cabinet)
    with headquarters(database_url, broker) as (central, _), monkeypatch.context() as dead:
        dead.setattr(cabinet.journal, "document", lambda _: None)
        cabinet.connect(broker)
        cabinet.wait()
        check_the_count(central)
        [line] = Supervision(central).cabinets()
        assert (line.cosigned, line.complete, line.missing) == (cabinet.journal.size(), 3, len(documents_in(cabinet)))
        dead.undo()
        wait_until(lambda: Supervision(central).cabinets()[0].missing == 0, "every document")
        check_the_count(central)
        assert documents_of(central) == documents_of(cabinet.database)


def documents_in(cabinet: Cabinet) -> set[str]:
    return {name for name, _, __ in documents_of(cabinet.database)}


def test_a_card_that_dies_right_after_the_acknowledgement_has_left_its_names_and_signatures_or_a_count_of_them(
    database_url: str, broker: BrokerAddress, tmp_path: Path, ear: MakeEar
) -> None:
    card = Cabinet(tmp_path / "card")
    a_life(card)
    for _ in range(10):
        card.keep(bytes(200_000))
    listening = ear(broker, topics.ack("armoire-7"))
    with headquarters(database_url, broker) as (central, _):
        arguments = [str(tmp_path / "card"), str(broker.port), broker.protocol]
        with subprocess.Popen([*DYING, "tests.integration.mqtt.lone_cabinet", *arguments], cwd=ROOT) as alone:
            listening.until(lambda _, payload: signed_for(payload) == card.journal.size())
            alone.kill()
        time.sleep(0.5)  # what was on the way
        assert stored(central) == card.bodies()
        check_the_count(central)
    card.close()


def test_a_plain_mosquitto_sub_prints_the_custody_events(
    cabinet: Cabinet, broker: BrokerAddress, tmp_path: Path
) -> None:
    sub = [str(program("mosquitto_sub")), "-p", str(broker.port), "-C", "4", "-W", "20"]
    filters = ["-t", "trousseau/v1/from/+/events/custody/#", "-q", "1"]
    with (
        headquarters(f"sqlite:///{tmp_path}/hq.db", broker),
        subprocess.Popen([*dying_with_us("KILL"), *sub, *filters], stdout=subprocess.PIPE) as listening,
    ):
        time.sleep(0.3)
        a_life(cabinet)
        cabinet.connect(broker)
        printed, _ = listening.communicate(timeout=30)
    types = [unseal(line).type for line in printed.splitlines()]
    assert types == ["custody.taken", "custody.taken_unsigned", "custody.take_signed", "custody.returned"]


def test_an_acknowledgement_never_runs_ahead_of_what_is_committed(
    cabinet: Cabinet, broker: BrokerAddress, tmp_path: Path, ear: MakeEar
) -> None:
    listening = ear(broker, topics.ack("armoire-7"))
    with headquarters(f"sqlite:///{tmp_path}/hq.db", broker) as (central, _):
        cabinet.connect(broker)
        cabinet.record_many(200)
        cabinet.wait()
        committed = len(stored(central))
    sizes = [signed_for(payload) for _, payload, _ in listening.all()]
    assert sizes == sorted(sizes)
    assert sizes[-1] == committed == 200


def test_a_new_stream_of_the_same_cabinet_starts_anew(
    make_cabinet: MakeCabinet, database_url: str, broker: BrokerAddress
) -> None:
    first, second = make_cabinet(), make_cabinet()
    with headquarters(database_url, broker) as (central, _):
        first.record_many(30)
        first.connect(broker)
        first.wait()
        first.disconnect()
        second.record(events.ClientRegistered(client=ClientId("c"), profile=second.keep(b"{}")))
        second.connect(broker)
        second.wait()
        assert len(stored(central)) == 30 + second.journal.size()
