"""Which journals headquarters lets in, by their public keys.

A key that is retired counts for nothing new: whoever stole it signs in vain. It is never forgotten, because what it has signed
before still has to be verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, exists, select, update

from kiosk.domain.errors import NotLetIn
from kiosk.domain.identifiers import Timestamp
from kiosk.ledger.checkpoint import node_and_stream
from kiosk.ledger.errors import WrongOrigin
from kiosk.ledger.note import VerifierKey
from kiosk.store.database import Database
from kiosk.store.stream import Key, new_stream
from kiosk.store.tables import logs, streams
from kiosk.store.writing import insert_new

#: Of a row of `streams`: whether its journal is let in now.
is_open: Final = (
    exists()
    .where(logs.c.node == streams.c.node, logs.c.stream == streams.c.stream, logs.c.retired.is_(None))
    .correlate(streams)
)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Which keys count that did not before, and which count no longer."""

    new: Sequence[VerifierKey]
    retired: Sequence[VerifierKey]


def enrol(database: Database, keys: Iterable[VerifierKey], at: Timestamp) -> Enrolment:
    """Let journals in by their public keys, whose name is their origin; any other key of the same journals is retired.

    Raises:
        WrongOrigin: a key is no journal's.
    """
    given = list(dict.fromkeys(keys))
    journals = {node_and_stream(key.name) for key in given}
    with database.write() as connection:
        current = [key for journal in journals for key in current_keys(connection, journal)]
        done = Enrolment([key for key in given if key not in current], [key for key in current if key not in given])
        for key in done.new:
            _let_in(connection, key, at)
        for key in done.retired:
            _mark(connection, key, retired=at)
    return done


def close_log(database: Database, origin: str, at: Timestamp) -> Sequence[VerifierKey]:
    """Let nothing more of a journal in, by retiring its keys, which are returned; what is here stays.

    Raises:
        NotLetIn: there is no such journal, or it is closed already.
    """
    with database.write() as connection:
        keys = close(connection, _journal(origin), at)
    if not keys:
        raise NotLetIn(origin=origin)
    return keys


def close(connection: Connection, journal: Key, at: Timestamp) -> Sequence[VerifierKey]:
    """Retire the keys of a journal, which are returned; none when it is closed already."""
    keys = current_keys(connection, journal)
    for key in keys:
        _mark(connection, key, retired=at)
    return keys


def current_keys(connection: Connection, journal: Key) -> list[VerifierKey]:
    """The keys that this journal's heads may be signed with now; none when it is not let in."""
    node, stream = journal
    query = select(logs.c.key).where(logs.c.node == node, logs.c.stream == stream, logs.c.retired.is_(None))
    return [VerifierKey.parse(key) for key in connection.execute(query).scalars()]


def every_log_key(database: Database) -> list[VerifierKey]:
    """The keys of every journal, retired ones too, as a verifier needs them."""
    query = select(logs.c.key).order_by(logs.c.node, logs.c.added, logs.c.key)
    with database.read() as connection:
        return [VerifierKey.parse(key) for key in connection.execute(query).scalars()]


def _journal(origin: str) -> Key:
    try:
        return node_and_stream(origin)
    except WrongOrigin as e:
        raise NotLetIn(origin=origin) from e


def _let_in(connection: Connection, key: VerifierKey, at: Timestamp) -> None:
    node, stream = node_and_stream(key.name)
    insert_new(connection, streams, [new_stream(node, stream)])
    insert_new(connection, logs, [{"node": node, "stream": stream, "key": str(key), "added": at}])
    # One that was retired may come back.
    _mark(connection, key, retired=None)


def _mark(connection: Connection, key: VerifierKey, *, retired: Timestamp | None) -> None:
    connection.execute(update(logs).where(logs.c.key == str(key)).values(retired=retired))
