"""The tables, of three kinds: the journal (append only, never migrated), the register (a fold of it, disposable), and local ones.

The register's tables are made from the domain's own dataclasses, one column a field, so that the two cannot drift apart.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, get_type_hints

import msgspec
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table, Text, UniqueConstraint

from kiosk.domain.access_means import AccessMeans
from kiosk.domain.fold import KEYS, Line
from kiosk.domain.people import Badge, Client, Person, Site

#: `TRSS`, in the header of every file of ours (SQLite's application_id).
APPLICATION_ID = 0x54525353
#: Raised when a local or register table changes; the journal's form never does.
USER_VERSION = 1

metadata = MetaData()

entries = Table(
    "entries",
    metadata,
    Column("node", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("command", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    UniqueConstraint("node", "stream", "command", "subject"),
    sqlite_strict=True,
)

#: The hash of every complete subtree of 16, 256, 4096 … entries (`kiosk.ledger.merkle`); with the entries they give every root
#: and proof at the price of a logarithm.
subtrees = Table(
    "subtrees",
    metadata,
    Column("node", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
    sqlite_strict=True,
)

documents = Table(
    "documents",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("salt", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    sqlite_strict=True,
)


def _line_table(name: str, line: type[Line], *, indexed: frozenset[str] = frozenset()) -> Table:
    hints = get_type_hints(line)
    columns = [
        Column(
            field.name,
            Integer if hints[field.name] is bool else Text,
            primary_key=field.name == KEYS[line],
            nullable=type(None) in getattr(hints[field.name], "__args__", ()),
            index=field.name in indexed,
        )
        for field in dataclasses.fields(line)
    ]
    return Table(name, metadata, Column("node", Text, primary_key=True), *columns, sqlite_strict=True)


#: One table a kind of line; (node, key) names a line.
LINES: Mapping[type[Line], Table] = {
    Client: _line_table("clients", Client),
    Site: _line_table("sites", Site),
    Person: _line_table("persons", Person),
    Badge: _line_table("badges", Badge),
    AccessMeans: _line_table("items", AccessMeans, indexed=frozenset({"tag", "hook", "holder"})),
}

# ---- local to the cabinet: migrated, backed up, never folded, never sent

meta = Table(
    "meta", metadata, Column("name", Text, primary_key=True), Column("value", Text, nullable=False), sqlite_strict=True
)

pins = Table(
    "pins",
    metadata,
    Column("person", Text, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("locked_until", Text),
    sqlite_strict=True,
)

preferences = Table(
    "preferences",
    metadata,
    Column("person", Text, primary_key=True),
    Column("language", Text, nullable=False),
    sqlite_strict=True,
)

visits = Table(
    "visits",
    metadata,
    Column("visit", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("tier", Text, nullable=False),
    Column("opened", Text, nullable=False),
    Column("hanging", Text, nullable=False),
    Column("tapped", Text, nullable=False),
    Column("ended", Text, index=True),
    sqlite_strict=True,
)

access_log = Table(
    "access_log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Text, nullable=False, index=True),
    Column("what", Text, nullable=False),
    Column("person", Text),
    Column("tag", Text),
    sqlite_strict=True,
)

# ---- headquarters' own

#: How far each journal is complete. `cosigned` is the newest head with our cosignature; `refusal` is what we answered to a head
#: that rewrites history, `evidence` that head as the cabinet signed it. `grown` is when it last grew, microseconds since 1970.
streams = Table(
    "streams",
    metadata,
    Column("node", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("head", Text, nullable=False),
    Column("cosigned", LargeBinary),
    Column("refusal", LargeBinary),
    Column("evidence", LargeBinary),
    Column("grown", BigInteger().with_variant(Integer, "sqlite"), nullable=False, index=True),
    sqlite_strict=True,
)

#: The public keys that a journal's heads are signed with, several while they change. A key that was `retired` (when) counts no
#: longer for anything new; it stays for the proofs that it has signed.
logs = Table(
    "logs",
    metadata,
    Column("node", Text, primary_key=True),
    Column("stream", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("added", Text, nullable=False),
    Column("retired", Text),
    sqlite_strict=True,
)

#: Documents that have not come, each with the first entry that names it.
wanted = Table(
    "wanted",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    sqlite_strict=True,
)

#: What each cabinet last said of itself.
presences = Table(
    "presences",
    metadata,
    Column("node", Text, primary_key=True),
    Column("stream", Text, nullable=False),
    Column("online", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("size", Integer),
    Column("health", Text),
    Column("seen", Text, nullable=False),
    sqlite_strict=True,
)

#: What could not be placed, as it came.
quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("node", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("first", Text, nullable=False),
    Column("last", Text, nullable=False),
    Column("times", Integer, nullable=False),
    UniqueConstraint("topic", "digest"),
    sqlite_strict=True,
)

alarms = Table(
    "alarms",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("node", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("first", Text, nullable=False),
    Column("last", Text, nullable=False),
    Column("times", Integer, nullable=False),
    UniqueConstraint("node", "kind", "detail"),
    sqlite_strict=True,
)

JOURNAL = (entries, subtrees, documents)
CABINET = (*JOURNAL, *LINES.values(), meta, pins, preferences, visits, access_log)
HEADQUARTERS = (*JOURNAL, *LINES.values(), streams, logs, wanted, presences, quarantine, alarms)


def row_of(node: str, line: Line) -> dict[str, Any]:
    """A line as its table's row."""
    row = msgspec.to_builtins(line)
    return {"node": node} | {name: _flat(value) for name, value in row.items()}


def _flat(value: Any) -> Any:  # noqa: ANN401 - a column's value is whatever the column holds
    if isinstance(value, bool):
        return int(value)
    return json.dumps(value) if isinstance(value, list | tuple) else value


def line_of(line: type[Line], row: Mapping[Any, Any]) -> Line:
    """A table's row as its line."""
    # SQLAlchemy names some columns by a subclass of str, which msgspec does not take for a key.
    fields = {str(name): value for name, value in row.items() if name != "node"}
    if "roles" in fields:
        fields["roles"] = json.loads(fields["roles"])
    return msgspec.convert(fields, line, strict=False)
