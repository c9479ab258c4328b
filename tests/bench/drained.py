"""A backlog of 100,000 entries, from the start of the relay until headquarters has cosigned the last, against a bare pipeline.

The bare pipeline moves the same bytes: paho publishes at QoS 1 as fast as it can, a process takes them from mosquitto in batches,
inserts and commits them with psycopg, and answers each batch with how many it has.
"""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from threading import Semaphore
from typing import Final
from uuid import uuid4

import msgspec

from kiosk import keys
from kiosk.bootstrap import enrol_cabinet, initialise, initialise_headquarters, opened_store
from kiosk.clock import SystemClock
from kiosk.config import HeadquartersSettings, Settings, read
from kiosk.domain.events import DoorLeftOpen
from kiosk.domain.identifiers import PersonId, VisitId
from kiosk.services.commands import new_command
from tests.bench.bare_headquarters import ENTRY, STORED, bare_client
from tests.bench.journals import conninfo
from tests.bench.measuring import Figure, Samples, Tick
from tests.bench.stored import BareHeadquarters, Headquarters
from tests.services import LOOPBACK, Mosquitto, Postgres, free_port, wait_until

BACKLOG: Final = 100_000
ROUNDS: Final = 2
STEPS: Final = 2 * ROUNDS + 1
#: At least 0.8 times the bare pipeline's rate.
BOUND: Final = 1 / 0.8
_AT_ONCE: Final = 1_000
_PATIENCE: Final = 600.0
_QUEUED: Final = 10_000
#: Messages on the way at once. With as many as we have it is slower.
_BARE_WINDOW: Final = 256


def measure(folder: Path, tick: Tick) -> list[Figure]:
    """Drain it both ways, round after round; the time is for all of it."""
    ours, bare = [], []
    with ExitStack() as stack:
        cluster = Postgres(fsync=True)
        stack.callback(cluster.remove)
        cluster.start()
        stack.callback(cluster.stop)
        settings = _backlog(folder / "backlog")
        bodies = _bodies(settings)
        tick()
        for round_ in range(ROUNDS):
            ours.append(_drain(folder / f"drain-{round_}", settings, cluster))
            tick()
            bare.append(_drain_barely(folder / f"bare-drain-{round_}", bodies, cluster))
            tick()
    return [
        Figure(
            what=f"draining a backlog of {BACKLOG:,} entries, an entry",
            samples=Samples(tuple(taken / BACKLOG for taken in ours)),
            reference=Samples(tuple(taken / BACKLOG for taken in bare)),
            against="bare paho → mosquitto → psycopg",
            bound=BOUND,
            unit="µs",
        )
    ]


def _backlog(folder: Path) -> Settings:
    """A cabinet that has been offline for long. Its entries name no documents: those travel apart."""
    settings = initialise(folder, "armoire-1", pins="mock", settings=f"\n[broker]\nport = {free_port()}\n")
    initialise_headquarters(folder)
    keys.trust(folder, keys.own(folder, keys.WITNESS_KEY))
    with opened_store(settings, SystemClock()) as store:
        for _ in range(BACKLOG // _AT_ONCE):
            with store.journal.act(new_command(), "bench") as act:
                for _ in range(_AT_ONCE):
                    act.record(DoorLeftOpen(visit=VisitId(str(uuid4())), person=PersonId("p001")))
    return settings


def _bodies(settings: Settings) -> list[bytes]:
    with opened_store(settings, SystemClock()) as store:
        return store.journal.read(0, BACKLOG)


def _drain(folder: Path, backlog: Settings, cluster: Postgres) -> float:
    """Ours, from a copy of the cabinet, which has never heard of headquarters."""
    settings = read(Path(shutil.copytree(backlog.folder, folder)))
    url = cluster.url(cluster.create_database())
    central = msgspec.structs.replace(settings, headquarters=HeadquartersSettings(database=url))
    enrol_cabinet(central, keys.own(settings.folder, keys.LOG_KEY))
    with ExitStack() as stack:
        broker = Mosquitto(folder, port=settings.broker.port).start()
        stack.callback(broker.stop)
        (folder / "hq").mkdir()
        headquarters = Headquarters(folder / "hq", broker.port, url, settings.folder).start()
        stack.callback(headquarters.stop)
        store = stack.enter_context(opened_store(settings, SystemClock()))
        began = time.perf_counter()
        store.relay.start()
        stack.callback(store.relay.stop)
        wait_until(lambda: store.relay.status.acked == BACKLOG, "the end of the backlog", _PATIENCE)
        return time.perf_counter() - began


def _drain_barely(folder: Path, bodies: list[bytes], cluster: Postgres) -> float:
    folder.mkdir()
    with ExitStack() as stack:
        broker = Mosquitto(folder).start()
        stack.callback(broker.stop)
        database = conninfo(cluster.url(cluster.create_database()))
        service = BareHeadquarters(folder, broker.port, database, "tests.bench.bare_drain").start()
        stack.callback(service.stop)
        ready: SimpleQueue[None] = SimpleQueue()
        done: SimpleQueue[None] = SimpleQueue()
        client = bare_client("bare-cabinet")
        client.max_inflight_messages = _BARE_WINDOW
        # MQTT numbers messages with 16 bits: more than those cannot even wait to be sent.
        room = Semaphore(_QUEUED)
        client.on_publish = lambda *_: room.release()
        client.on_message = lambda _, __, message: done.put(None) if int(message.payload) == BACKLOG else None
        client.on_connect = lambda client, *_: client.subscribe(STORED, 1)
        client.on_subscribe = lambda *_: ready.put(None)
        client.connect(LOOPBACK, broker.port)
        client.loop_start()
        stack.callback(client.loop_stop)
        stack.callback(client.disconnect)
        ready.get(timeout=_PATIENCE)
        began = time.perf_counter()
        for body in bodies:
            room.acquire()
            client.publish(ENTRY, body, 1)
        done.get(timeout=_PATIENCE)
        return time.perf_counter() - began
