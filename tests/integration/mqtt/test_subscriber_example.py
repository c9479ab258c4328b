"""The example for foreign subscribers, run as it stands: a real broker, a real cabinet, a real headquarters, and trouble."""

import json
import random
import re
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.domain import events
from kiosk.domain.events import Event
from kiosk.domain.identifiers import Digest, ItemId, VisitId
from kiosk.domain.people import Tier
from kiosk.hq.receipts import CentralReceipts
from kiosk.ledger import verify
from kiosk.ledger.export import write_export
from kiosk.mqtt import topics
from kiosk.mqtt.client import BrokerAddress
from tests.conftest import StartMosquitto
from tests.integration.hq.conftest import MakeCabinet, MakeEar
from tests.integration.hq.parts import HQ_KEY, NADIA, NODE, Cabinet, Ear, a_life, headquarters, log_key
from tests.integration.mqtt.conftest import MakeStranger
from tests.integration.mqtt.secured import OTHER, Secured
from tests.services import LOOPBACK, Mosquitto, Service, dying_with_us, wait_until

DOCS = Path(__file__).parents[3] / "docs"
EXAMPLE = DOCS / "examples" / "subscriber.py"
#: MQTT 5: not authorized.
DENIED = 0x87
#: `sh -c TAKE_IN FILE COMMAND…`
TAKE_IN = 'file=$0; exec "$@" < "$file"'


class Follower(Service):
    """The example in a process of its own."""

    def __init__(self, folder: Path, server: Mosquitto, program: Path) -> None:
        super().__init__("follower", folder, server.port)
        self._server, self._program = server, program
        self.database = folder / "movements.db"
        self._takes_in: Sequence[str] = ()
        self._subscribed = 0

    def command(self) -> list[str]:
        own = [sys.executable, str(self._program), str(self.database), LOOPBACK, str(self.port)]
        if self._takes_in:
            own = ["sh", "-c", TAKE_IN, self._takes_in[1], *own, self._takes_in[0]]
        return [*dying_with_us("KILL"), *own]

    def is_ready(self) -> bool:
        """Whether its subscription stands."""
        return self._subscriptions() > self._subscribed

    def follow(self, *takes_in: str) -> None:
        """Start; with a cabinet's name and the file of its export, which is taken in first."""
        self._takes_in, self._subscribed = takes_in, self._subscriptions()
        self.start()

    @property
    def movements(self) -> list[bytes]:
        """What it has kept, in the order of its table."""
        return [body for (body,) in self._read("SELECT body FROM movements ORDER BY rowid")]

    @property
    def heard(self) -> int:
        """How many different entries have come."""
        return len(self.journal)

    @property
    def journal(self) -> list[bytes]:
        """The entries of the one journal that it follows."""
        return [body for (body,) in self._read("SELECT body FROM heard ORDER BY number")]

    def _subscriptions(self) -> int:
        return self._server.log.count("Sending SUBACK to archive")

    def _read(self, query: str) -> list[tuple[bytes]]:
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def server(mosquitto: StartMosquitto) -> Mosquitto:
    """A broker that keeps nothing over a restart."""
    return mosquitto()


@pytest.fixture
def broker(server: Mosquitto) -> BrokerAddress:
    """Where it listens."""
    return BrokerAddress(LOOPBACK, server.port)


@pytest.fixture
def cabinet(make_cabinet: MakeCabinet) -> Cabinet:
    """A cabinet with keys in it."""
    made = make_cabinet()
    a_life(made)
    return made


@pytest.fixture
def follower(server: Mosquitto, tmp_path: Path) -> Iterator[Follower]:
    """The example, following."""
    made = Follower(tmp_path, server, EXAMPLE)
    made.follow()
    yield made
    made.stop()


@pytest.fixture
def voice(broker: BrokerAddress, ear: MakeEar) -> Ear:
    """A raw client that publishes what it likes."""
    return ear(broker)


def kind(body: bytes) -> str:
    return str(json.loads(body)["type"])


def movements_of(bodies: Sequence[bytes]) -> list[bytes]:
    """The entries that the example is to keep."""
    return [body for body in bodies if kind(body).startswith("custody.")]


def repeat(voice: Ear, bodies: Sequence[bytes]) -> None:
    """Publish entries as their cabinet would."""
    for body in bodies:
        voice.say(topics.event(NODE, kind(body)), body)


def days(cabinet: Cabinet, count: int) -> None:
    """Takes and returns, and something else in between."""
    signed = {"statement": Digest("1" * 64), "signature": Digest("2" * 64)}
    for day in range(count):
        moved = {"item": ItemId("i-0"), "person": NADIA, "visit": VisitId(f"v-{day}"), "tier": Tier.AUTHENTICATED}
        taken: Event = events.Taken(sensed=True, **moved, **signed)  # type: ignore[arg-type]
        returned: Event = events.Returned(sensed=True, **moved, **signed)  # type: ignore[arg-type]
        cabinet.record(taken, events.DoorLeftOpen(visit=VisitId(f"v-{day}"), person=NADIA))
        cabinet.record(returned)


def caught_up(follower: Follower, cabinet: Cabinet) -> None:
    """Wait until the example has every movement, and nothing else."""
    wait_until(lambda: len(follower.movements) >= len(movements_of(cabinet.bodies())), "every movement")
    assert follower.movements == movements_of(cabinet.bodies())


def test_the_example_has_thirty_lines_at_most() -> None:
    lines = EXAMPLE.read_text().splitlines()
    assert len([line for line in lines if line.strip() and not line.lstrip().startswith("#")]) <= 30


def test_every_movement_is_kept_once_and_in_order_whatever_happens(
    cabinet: Cabinet, broker: BrokerAddress, follower: Follower, voice: Ear, tmp_path: Path
) -> None:
    days(cabinet, 10)
    twice = cabinet.bodies() * 2
    random.Random(7).shuffle(twice)
    repeat(voice, twice)
    caught_up(follower, cabinet)
    with headquarters(f"sqlite:///{tmp_path}/first.db", broker):
        # The cabinet sends all of it again.
        cabinet.connect(broker)
        days(cabinet, 20)
        follower.kill()
        days(cabinet, 20)
        cabinet.wait()
        follower.follow()
        days(cabinet, 5)
        cabinet.wait()
        caught_up(follower, cabinet)
    # A headquarters that has nothing: the cabinet goes back to its first entry.
    with headquarters(f"sqlite:///{tmp_path}/second.db", broker):
        days(cabinet, 5)
        cabinet.wait()
    caught_up(follower, cabinet)


def test_what_could_not_be_kept_was_not_acknowledged_and_comes_again(
    cabinet: Cabinet, follower: Follower, voice: Ear
) -> None:
    days(cabinet, 1)
    *others, last = cabinet.bodies()
    repeat(voice, others)
    wait_until(lambda: follower.heard == len(others), "everything but the last")
    rename(follower.database, "heard", "hidden")
    repeat(voice, [last])
    wait_until(lambda: "no such table: heard" in follower.log, "the end of it")
    follower.stop()
    rename(follower.database, "hidden", "heard")
    follower.follow()
    caught_up(follower, cabinet)


def rename(database: Path, table: str, name: str) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO {name}")


def test_what_comes_after_a_gap_is_held_back_until_it_is_filled(
    cabinet: Cabinet, follower: Follower, voice: Ear
) -> None:
    days(cabinet, 4)
    bodies = cabinet.bodies()
    gap = bodies.index(movements_of(bodies)[-4])
    repeat(voice, bodies[:gap] + bodies[gap + 1 :])
    wait_until(lambda: follower.heard == len(bodies) - 1, "everything but one")
    assert follower.movements == movements_of(bodies[:gap])
    follower.kill()
    follower.follow()
    repeat(voice, bodies[gap : gap + 1])
    caught_up(follower, cabinet)


def test_a_gap_that_headquarters_has_acknowledged_is_filled_from_its_export(
    cabinet: Cabinet, broker: BrokerAddress, server: Mosquitto, follower: Follower, tmp_path: Path
) -> None:
    export = tmp_path / "armoire-7.jsonl"
    with headquarters(f"sqlite:///{tmp_path}/hq.db", broker) as (central, _):
        cabinet.connect(broker)
        days(cabinet, 2)
        cabinet.wait()
        caught_up(follower, cabinet)
        before = len(cabinet.bodies())
        follower.stop()
        # What the broker would have kept for it meanwhile is gone too.
        server.kill()
        days(cabinet, 2)
        server.start()
        cabinet.wait()
        follower.follow()
        days(cabinet, 2)
        cabinet.wait()
        wait_until(lambda: follower.heard == before + 6, "what came after the gap")
        assert follower.movements == movements_of(cabinet.bodies()[:before])
        found = CentralReceipts(central).export(NODE)
        with export.open("wb") as file:
            write_export(found.entries, found.head, file)
    follower.stop()
    follower.follow(NODE, str(export))
    caught_up(follower, cabinet)


def test_rubbish_is_passed_over(cabinet: Cabinet, follower: Follower, voice: Ear) -> None:
    # A movement that names the true journal and would come first in it.
    first = json.loads(cabinet.bodies()[0]) | {"type": "custody.taken"}
    forged = json.dumps(first).encode()
    for topic in (
        topics.event(OTHER, "custody.taken"),
        f"trousseau/v1/from/{OTHER}/events/trousseau/v1/from/{NODE}/events/x",
        f"trousseau/v1/from/{OTHER}/events/x {NODE}",
        f"trousseau/v1/from/{NODE}/{OTHER}/events/custody/taken",
    ):
        voice.say(topic, forged)
    for rubbish in (b"", b"\xff", b"null", b"[]", b"{}", b"7", b"[" * 50_000, b'"' + b"x" * 60_000, b"1" * 5_000):
        voice.say(topics.event(NODE, "custody.taken"), rubbish)
    for change in (
        {"id": None},
        {"id": [first["id"]]},
        {"id": first["id"] + "0" * 30},
        {"id": f"{NODE}:\ud800:1"},
        {"id": f"{NODE}:{'s' * 65}:1"},
        {"id": f"{NODE}:s:1:1"},
        {"id": f"{NODE}:s:0"},
        {"id": f"{NODE}:s:-1"},
        {"prev": None},
        {"prev": "no hash"},
        {"prev": "1" * 64},
        {"prev": "\ud800"},
        {"type": None},
        {"type": ["custody.taken"]},
    ):
        voice.say(topics.event(NODE, "custody.taken"), json.dumps(first | change).encode())
    repeat(voice, cabinet.bodies())
    caught_up(follower, cabinet)


def test_a_type_that_is_not_known_yet_holds_nothing_up(cabinet: Cabinet, follower: Follower, voice: Ear) -> None:
    *others, last = cabinet.bodies()
    lent = last.replace(b"people.left", b"custody.lent").replace(b'"data":{', b'"data":{"a_new_field":{},')
    repeat(voice, [*others, lent])
    wait_until(lambda: follower.movements == [*movements_of(others), lent], "the movement of a new kind")


# ---- what the document says beside it


def block(language: str) -> str:
    """The block of this language in the document, the same in French and in English."""
    text = (DOCS / "subscribing.md").read_text(encoding="utf-8")
    french, english = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert french == english
    return str(french)


def test_an_acknowledgement_proves_what_headquarters_has_seen_over_ones_own_bytes(
    cabinet: Cabinet,
    broker: BrokerAddress,
    follower: Follower,
    ear: MakeEar,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with headquarters(f"sqlite:///{tmp_path}/hq.db", broker):
        cabinet.connect(broker)
        cabinet.wait()
        caught_up(follower, cabinet)
        _, payload, retained = ear(broker, topics.ack(NODE)).next()
    assert retained
    keys, own = tmp_path / "siege.keys", tmp_path / "armoire-7.export"
    keys.write_text(f"{HQ_KEY.verifier}\n{log_key(NODE, cabinet.journal.stream).verifier}\n")
    lines = b"".join(body + b"\n" for body in follower.journal)
    head = json.loads(payload)["checkpoint"].encode()
    own.write_bytes(lines + b"\n" + head)
    assert verify.main(["--keys", str(keys), str(own)]) == 0
    said = capsys.readouterr().out.split()
    assert said[0] == "proven"
    assert {f"seen={len(cabinet.bodies())}", "unwitnessed=0"} <= set(said)
    own.write_bytes(lines.replace(b"people.left", b"people.lent") + b"\n" + head)
    assert verify.main(["--keys", str(keys), str(own)]) == 1


def with_certificates(folder: Path, certificates: Path) -> Path:
    """The example with the certificates that its comment speaks of."""
    files = {"ca_certs": "ca.crt", "certfile": "archive.crt", "keyfile": "archive.key"}
    tls = {name: str(certificates / file) for name, file in files.items()}
    before, end, after = EXAMPLE.read_text().partition('"clean_session": False}')
    assert end
    program = folder / "subscriber.py"
    program.write_text(f'{before}"clean_session": False, "tls": {tls}}}{after}')
    return program


def test_the_deployed_broker_lets_it_follow_and_say_nothing_with_the_lines_of_the_document(
    cabinet: Cabinet, secured: Secured, stranger: MakeStranger, tmp_path: Path
) -> None:
    with (secured.folder / "cabinets.acl").open("a") as acl:
        acl.write(f"\n{block('acl')}")
    secured.server.restart()
    follower = Follower(tmp_path, secured.server, with_certificates(tmp_path, secured.folder))
    follower.follow()
    try:
        with headquarters(f"sqlite:///{tmp_path}/hq.db", secured.address("hq")):
            cabinet.connect(secured.address(NODE))
            cabinet.wait()
            caught_up(follower, cabinet)
            cabinet.disconnect()
    finally:
        follower.stop()
    archive = stranger("archive")
    archive.listen("trousseau/#")
    assert set(archive.heard()) == {topics.ack(NODE), topics.HEADQUARTERS_STATUS}
    for topic in (topics.event(NODE, "custody.taken"), topics.event("archive", "custody.taken"), topics.ack(NODE)):
        assert archive.say(topic) == DENIED
