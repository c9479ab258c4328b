"""A cabinet's log and its headquarters, in memory, and the files that they leave: what honest parts make and attackers change."""

import hashlib
import io
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from kiosk.ledger.checkpoint import WITNESS, Checkpoint, cosign, origin, sign
from kiosk.ledger.entry import NO_ENTRY, Entry, digest, seal, unseal
from kiosk.ledger.export import write_export
from kiosk.ledger.merkle import inclusion_proof, leaf_hash, node_hash, root_at
from kiosk.ledger.note import Kind, SigningKey, VerifierKey
from kiosk.ledger.receipt import Receipt
from kiosk.ledger.verify import Keyring, Verdict, verify
from kiosk.store.database import Database
from kiosk.store.tables import CABINET, HEADQUARTERS

NODE: Final = "armoire-7"
STREAM: Final = "5f0c3d3e-1f6a-4a53-9d3c-0a4f2b1c9d10"
LOG: Final = origin(NODE, STREAM)
#: 2026-11-23 06:00 UTC.
MORNING: Final = 1_795_413_600
LOG_KEY: Final = SigningKey.generate(LOG, Kind.ED25519)
WITNESS_KEY: Final = SigningKey.generate(WITNESS, Kind.COSIGNATURE)
#: What somebody who has neither secret can make: keys of the same names.
FORGED_LOG_KEY: Final = SigningKey.generate(LOG, Kind.ED25519)
FORGED_WITNESS_KEY: Final = SigningKey.generate(WITNESS, Kind.COSIGNATURE)


class Leaves:
    """Every complete subtree, computed from the leaves' hashes by the definition."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self.leaves = leaves

    def hash_of(self, level: int, number: int) -> bytes:
        """See `kiosk.ledger.merkle.Subtrees`."""
        if level == 0:
            return self.leaves[number]
        return node_hash(self.hash_of(level - 1, 2 * number), self.hash_of(level - 1, 2 * number + 1))


def an_entry(number: int, prev: str, **changed: Any) -> Entry:  # noqa: ANN401 - any attribute of an entry
    """A take, of some 700 bytes."""
    entry = Entry(
        node=NODE,
        stream=STREAM,
        sequence=number,
        type="custody.taken",
        subject=f"K-{number % 40}",
        time=f"2026-11-23T06:00:{number % 60:02}.000Z",
        prev=prev,
        monotonic=9_123_456_789_000_000 + number,
        boot="11111111-2222-3333-4444-555555555555",
        clock_set=True,
        actor=f"p{number % 90:03}",
        command=f"018f2d3a-0000-7000-8000-{number:012}",
        data={
            "item": f"K-{number % 40}",
            "person": f"p{number % 90:03}",
            "hook": "01",
            "signature": hashlib.sha256(b"%d" % number).hexdigest(),
            "statement": "take-1",
            "sensed": True,
        },
    )
    return replace(entry, **changed)


def a_log(size: int) -> list[bytes]:
    """The bytes of that many entries, chained."""
    return continued([], size)


def continued(bodies: Iterable[bytes], size: int, **changed: Any) -> list[bytes]:  # noqa: ANN401 - any attribute of an entry
    """The same log, longer by entries that have these attributes."""
    log = list(bodies)
    while len(log) < size:
        log.append(seal(an_entry(len(log) + 1, digest(log[-1]) if log else NO_ENTRY, **changed)))
    return log


def rechained(bodies: Iterable[bytes]) -> list[bytes]:
    """What a forger with all the time in the world makes of entries: numbered and chained anew."""
    log: list[bytes] = []
    for body in bodies:
        prev = digest(log[-1]) if log else NO_ENTRY
        log.append(seal(replace(unseal(body), sequence=len(log) + 1, prev=prev)))
    return log


def subtrees(bodies: Iterable[bytes]) -> Leaves:
    """The tree over these entries."""
    return Leaves([leaf_hash(body) for body in bodies])


def head(bodies: Sequence[bytes]) -> Checkpoint:
    """The head that covers these entries."""
    return Checkpoint(LOG, len(bodies), root_at(len(bodies), subtrees(bodies)))


def signed(bodies: Sequence[bytes], *keys: SigningKey) -> bytes:
    """That head, signed by the cabinet."""
    return sign(head(bodies), keys or (LOG_KEY,))


def witnessed(bodies: Sequence[bytes], at: int = MORNING) -> bytes:
    """That head, signed by the cabinet and by headquarters."""
    return cosign(signed(bodies), [WITNESS_KEY], at)


def export(bodies: Iterable[bytes], note: bytes) -> bytes:
    """An export file."""
    file = io.BytesIO()
    write_export(bodies, note, file)
    return file.getvalue()


def receipt(bodies: Sequence[bytes], index: int, note: bytes) -> Receipt:
    """The receipt of the entry at `index`, under the head of all these entries."""
    return Receipt(bodies[index], index, inclusion_proof(index, len(bodies), subtrees(bodies)), note)


def keyring(*keys: SigningKey | VerifierKey) -> Keyring:
    """What a verifier believes; by default the cabinet's key and headquarters'."""
    texts = [str(key.verifier if isinstance(key, SigningKey) else key) for key in keys or (LOG_KEY, WITNESS_KEY)]
    return Keyring.parse("# believed\n\n" + "\n".join(texts) + "\n")


def verified(path: Path, *keys: SigningKey | VerifierKey) -> list[Verdict]:
    """What a file proves to somebody who believes these keys."""
    return verify(path, keyring(*keys), lambda _done, _total: None)


def verdict(folder: Path, content: bytes, *keys: SigningKey | VerifierKey) -> Verdict:
    """What a file of one log with this content proves."""
    path = folder / "file"
    path.write_bytes(content)
    (found,) = verified(path, *keys)
    return found


def cabinet(path: Path, bodies: Iterable[bytes], note: bytes | None) -> Path:
    """A cabinet's database, with the product's own tables and triggers."""
    Database(path, CABINET, gapless=True).close()
    rows = [("node", NODE), ("stream", STREAM)]
    rows += [(f"cosigned:{STREAM}", note.decode())] if note else []
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", rows)
        insert_entries(connection, bodies)
    return path


def headquarters(path: Path, bodies: Sequence[bytes], note: bytes | None) -> Path:
    """Headquarters' database, the same way."""
    Database(path, HEADQUARTERS, gapless=False).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        insert_entries(connection, bodies)
        insert_stream(connection, STREAM, bodies, note)
    return path


def insert_entries(connection: sqlite3.Connection, bodies: Iterable[bytes]) -> None:
    """Put entries where they say that they belong."""
    found = [(unseal(body), body) for body in bodies]
    rows = [(one.node, one.stream, one.sequence, one.command, one.subject, body) for one, body in found]
    connection.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)", rows)


def insert_stream(connection: sqlite3.Connection, stream: str, bodies: Sequence[bytes], note: bytes | None) -> None:
    """Put headquarters' row of a stream."""
    row = (NODE, stream, len(bodies), digest(bodies[-1]) if bodies else NO_ENTRY, note)
    connection.execute("INSERT INTO streams (node, stream, size, head, cosigned, grown) VALUES (?, ?, ?, ?, ?, 0)", row)


def tampered(path: Path, *statements: str) -> Path:
    """A database after somebody with an SQLite shell has been there; triggers are no obstacle."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            connection.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            connection.execute(statement)
    return path
