"""What reaches headquarters in these tests: put in by the product's own parts, without a broker between."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kiosk import keys
from kiosk.bootstrap import central_database
from kiosk.config import FILE, read
from kiosk.hq.admission import admit
from kiosk.hq.witness import Enrolled, SigningWitness
from kiosk.ledger import checkpoint
from kiosk.ledger.checkpoint import Checkpoint
from kiosk.ledger.entry import unseal
from kiosk.mqtt import topics
from kiosk.services.heads import cosigned_cursor
from kiosk.store.central import CentralStore
from kiosk.store.stream import Answer
from kiosk.store.supervision import Supervision
from tests.attack.logs import LOG_KEY, NODE, STREAM
from tests.building import House
from tests.unit.cli.typing_commands import Terminal

SOME_TIME: Final = "2026-11-24T06:00:00.000Z"


@contextmanager
def inside(folder: Path) -> Iterator[tuple[CentralStore, Supervision]]:
    """Headquarters' database, as the subscriber has it."""
    with central_database(read(folder)) as database:
        witness = SigningWitness(keys.secret(folder, keys.WITNESS_KEY))
        yield CentralStore(database, witness), Supervision(database)


def on_postgres(hq: Terminal, url: str) -> None:
    """Move headquarters to this database."""
    (hq.folder / FILE).write_text(f'[headquarters]\ndatabase = "{url}"\n', encoding="utf-8")


def let_in(hq: Terminal, folder: Path) -> None:
    """Enrol the made-up cabinet of `tests.attack.logs`."""
    file = folder / "made-up.keys"
    file.write_text(f"{LOG_KEY.verifier}\n", encoding="utf-8")
    hq.fine("hq", "cabinet", "add", file)


def store(central: CentralStore, bodies: Sequence[bytes], head: bytes, node: str = NODE) -> None:
    """Entries that come in under a signed head; those that no head covers would not be taken in."""
    sealed = [admit(event_topic(body), body) for body in bodies]
    central.store(sealed, [Enrolled(central).open_head(node, head)])


def event_topic(body: bytes) -> str:
    """Where an entry is published."""
    entry = unseal(body)
    return topics.event(entry.node, entry.type)


def answer(central: CentralStore) -> Answer:
    """What headquarters says of the made-up cabinet's journal."""
    found = central.answer(NODE, STREAM)
    assert found is not None
    return found


def witness(house: House, hq: Terminal) -> None:
    """Headquarters sees all of a real cabinet's journal, and the cabinet hears of it."""
    journal = house.store.journal
    tree = journal.frontier(house.size)
    secret = keys.secret(house.folder, keys.LOG_KEY)
    head = checkpoint.sign(Checkpoint(secret[0].verifier.name, tree.size, tree.root()), secret)
    with inside(hq.folder) as (central, _):
        store(central, house.bodies(), head, journal.node)
        found = central.answer(journal.node, journal.stream)
    assert found is not None
    assert found.cosigned is not None
    house.store.local.keep_cursor(cosigned_cursor(journal.stream), found.cosigned.decode())


def introduced(cabinet: Terminal, hq: Terminal, folder: Path) -> None:
    """Cabinet and headquarters know each other's keys, by the commands that people type."""
    (folder / "cabinet.keys").write_text(cabinet.fine("keys", "show"), encoding="utf-8")
    (folder / "hq.keys").write_text(hq.fine("hq", "cabinet", "add", folder / "cabinet.keys"), encoding="utf-8")
    cabinet.fine("keys", "trust", folder / "hq.keys")
