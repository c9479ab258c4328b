"""Recorded → stored at headquarters and acknowledged, against a bare pipeline: paho → mosquitto → psycopg and back.

Both sides: one message at a time, the same bytes, QoS 1, no Nagle's delay, headquarters a process of its own, PostgreSQL with
fsync. Each line has a broker of its own, so that none hears another's messages.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from kiosk import keys
from kiosk.bootstrap import Store, opened_store
from kiosk.clock import SystemClock
from kiosk.config import FILE, Settings
from tests.bench.bare_headquarters import ENTRY, READY, STORED, bare_client
from tests.bench.journals import Journals, at_headquarters, conninfo
from tests.bench.measuring import Figure, Side, Tick, by_turns
from tests.bench.signer import Signer
from tests.services import LOOPBACK, Mosquitto, Postgres, Service, dying_with_us, wait_until

ROUNDS: Final = 200
BOUND: Final = 1.5
APART: Final = 1.2
_PATIENCE: Final = 15.0
#: Headquarters fetches the documents after its answer; they must not fall into the next round.
_REST: Final = 0.06


def measure(folder: Path, journals: Journals, tick: Tick) -> list[Figure]:
    """Send one entry along each line, by turns."""
    with ExitStack() as stack:
        cluster = Postgres(fsync=True)
        stack.callback(cluster.remove)
        cluster.start()
        stack.callback(cluster.stop)
        lines = {
            f"{length:,} entries": stack.enter_context(_line(folder / f"line-{length}", settings, cluster, tick))
            for length, settings in journals.by_length.items()
        }
        short = next(iter(lines))
        bare = stack.enter_context(_bare_line(folder / "line-bare", cluster, lines[short].last_entry))
        found = by_turns({name: line.send for name, line in lines.items()} | {"bare": bare}, ROUNDS, tick)
    against = "bare paho → mosquitto → psycopg"
    return [
        Figure(
            what=f"recorded → cosigned acknowledgement, {name}",
            series="cosigned acknowledgement",
            length=length,
            samples=found[name],
            reference=found["bare"],
            against=against,
            bound=BOUND,
        )
        for name, length in zip(lines, journals.by_length, strict=True)
    ] + [
        Figure(
            what="recorded → acknowledged, long against short journal",
            samples=found[[*lines][-1]],
            reference=found[short],
            against=short,
            bound=APART,
        )
    ]


class _Line:
    """A cabinet's record and its relay, which tells of each acknowledgement when it is counted."""

    def __init__(self, store: Store) -> None:
        self._journal, self._relay, self._signer = store.journal, store.relay, Signer(store)
        self._acked: SimpleQueue[tuple[int, float]] = SimpleQueue()
        self._committed_at = 0.0
        self._journal.committed = self._committed
        self._count, self._relay._count = self._relay._count, self._counted  # type: ignore[method-assign]

    def _committed(self) -> None:
        self._committed_at = time.perf_counter()
        self._relay.wake()

    def _counted(self) -> None:
        self._count()
        self._acked.put((self._relay.status.acked, time.perf_counter()))

    def send(self) -> float:
        """Sign, and wait for headquarters: seconds from the commit to the acknowledgement."""
        wanted = self._journal.size() + 1
        self._signer.sign()
        size = at = 0.0
        while size < wanted:
            size, at = self._acked.get(timeout=_PATIENCE)
        time.sleep(_REST)
        return at - self._committed_at

    def last_entry(self) -> bytes:
        """The bytes of the newest entry."""
        return self._journal.read(self._journal.size() - 1, 1)[0]


@contextmanager
def _line(folder: Path, settings: Settings, cluster: Postgres, tick: Tick) -> Iterator[_Line]:
    folder.mkdir()
    url = cluster.url(cluster.create_database())
    at_headquarters(settings, url, tick)
    with ExitStack() as stack:
        broker = Mosquitto(folder, port=settings.broker.port).start()
        stack.callback(broker.stop)
        headquarters = Headquarters(folder, broker.port, url, settings.folder).start()
        stack.callback(headquarters.stop)
        store = stack.enter_context(opened_store(settings, SystemClock()))
        line = _Line(store)
        store.relay.start()
        stack.callback(store.relay.stop)
        wait_until(lambda: store.relay.status.headquarters, "headquarters' presence")
        yield line


class Headquarters(Service):
    """`kiosk hq subscribe`, with the key that the cabinet of `trusted` trusts."""

    def __init__(self, folder: Path, broker: int, url: str, trusted: Path) -> None:
        super().__init__("headquarters", folder, None)
        settings = f'[broker]\nport = {broker}\n\n[headquarters]\ndatabase = "{url}"\n'
        (folder / FILE).write_text(settings, encoding="utf-8")
        shutil.copy(trusted / keys.WITNESS_KEY, folder)

    def command(self) -> list[str]:
        """The command as an administrator gives it."""
        kiosk = Path(sys.executable).with_name("kiosk")
        return [*dying_with_us("KILL"), str(kiosk), "--data", str(self.folder), "hq", "subscribe"]

    def is_ready(self) -> bool:
        """It says so."""
        return bool(self.log)


class BareHeadquarters(Service):
    """`bare_headquarters`, or another module that takes the same arguments."""

    def __init__(self, folder: Path, broker: int, database: str, module: str = "tests.bench.bare_headquarters") -> None:
        super().__init__("bare-headquarters", folder, None)
        self._module, self._arguments = module, [str(broker), database]

    def command(self) -> list[str]:
        """The module, from the project's folder."""
        project = str(Path(__file__).resolve().parents[2])
        start = f"import sys, runpy; sys.path.insert(0, {project!r}); runpy.run_module({self._module!r}, run_name='__main__')"
        return [*dying_with_us("KILL"), sys.executable, "-c", start, *self._arguments]

    def is_ready(self) -> bool:
        """It has subscribed."""
        return READY in self.log


@contextmanager
def _bare_line(folder: Path, cluster: Postgres, entry: Callable[[], bytes]) -> Iterator[Side]:
    folder.mkdir()
    with ExitStack() as stack:
        broker = Mosquitto(folder).start()
        stack.callback(broker.stop)
        service = BareHeadquarters(folder, broker.port, conninfo(cluster.url(cluster.create_database()))).start()
        stack.callback(service.stop)
        stored: SimpleQueue[float] = SimpleQueue()
        client = bare_client("bare-cabinet")
        client.on_message = lambda *_: stored.put(time.perf_counter())
        client.on_connect = lambda client, *_: client.subscribe(STORED, 1)
        ready: SimpleQueue[None] = SimpleQueue()
        client.on_subscribe = lambda *_: ready.put(None)
        client.connect(LOOPBACK, broker.port)
        client.loop_start()
        stack.callback(client.loop_stop)
        stack.callback(client.disconnect)
        ready.get(timeout=_PATIENCE)

        def send() -> float:
            body = entry()
            began = time.perf_counter()
            client.publish(ENTRY, body, 1)
            taken = stored.get(timeout=_PATIENCE) - began
            time.sleep(_REST)
            return taken

        yield send
