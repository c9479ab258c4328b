"""The register: kept in step with the journal in the same transaction, and read by people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, Final, TypeVar, cast

from sqlalchemy import Connection, Select, Table, bindparam, func, select

from kiosk.domain.access_means import AccessMeans, State
from kiosk.domain.events import Event
from kiosk.domain.fold import FOLD, KEYS, Line, Moment
from kiosk.domain.identifiers import ClientId, Digest, HookId, ItemId, PersonId, SiteId, TagId
from kiosk.domain.people import Badge, Client, Person, Site
from kiosk.services.codec import read_profile
from kiosk.services.ports import Directory, InventoryFilter, InventoryLine, InventoryPage, Named
from kiosk.services.sheets import plain
from kiosk.store.database import Database
from kiosk.store.tables import LINES, documents, line_of, row_of
from kiosk.store.writing import upsert

_Line = TypeVar("_Line", Client, Site, Person, Badge, AccessMeans)

ITEMS: Table = LINES[AccessMeans]

#: How many lines are remembered and how many wait to be written, some kilobyte each. A cabinet has a few hundred.
REMEMBERED: Final = 50_000
PENDING: Final = 10_000

LineName = tuple[str, type[Line], str]
"""A line's node, kind and key."""


class Lines:
    """Lines as the database holds them, remembered from one fold to the next; of any node.

    They stay true while whoever holds them is the register's only writer and every transaction that used them was committed.
    """

    def __init__(self) -> None:
        self._lines: dict[LineName, Line | None] = {}

    def __contains__(self, name: LineName) -> bool:
        return name in self._lines

    def __getitem__(self, name: LineName) -> Line | None:
        return self._lines[name]

    def remember(self, lines: Mapping[LineName, Line | None]) -> None:
        """Remember these too; when that makes too many, these only."""
        self._lines |= lines
        if len(self._lines) > REMEMBERED:
            self._lines = dict(lines)

    def forget(self) -> None:
        """Forget all, as after a transaction that was not committed."""
        self._lines.clear()


class Fold:
    """The register's lines of one node within a transaction: read when needed, changed in memory, written together."""

    def __init__(self, connection: Connection, node: str, lines: Lines | None = None) -> None:
        self._connection = connection
        self._node = node
        self._lines = Lines() if lines is None else lines
        self._changed: dict[LineName, Line] = {}

    def apply(self, event: Event, moment: Moment) -> None:
        """Change the line that the event is about."""
        rule = FOLD.get(type(event))
        if rule is None:
            return
        name = (self._node, rule.line, event.subject)
        before = None if rule.whole else self._line(name)
        self._changed[name] = rule.change(before, event, moment)

    @property
    def is_full(self) -> bool:
        """Whether so many lines have changed that they should be written before more do."""
        return len(self._changed) >= PENDING

    def flush(self) -> None:
        """Write the changed lines."""
        by_table: dict[type[Line], list[dict[str, Any]]] = {}
        for name in sorted(self._changed, key=lambda name: (name[1].__name__, name[2])):
            by_table.setdefault(name[1], []).append(row_of(self._node, self._changed[name]))
        for kind, rows in by_table.items():
            upsert(self._connection, LINES[kind], rows)
        self._lines.remember(self._changed)
        self._changed.clear()

    def client(self, id_: ClientId) -> Client | None:
        """A client by id."""
        return self._get(Client, id_)

    def site(self, id_: SiteId) -> Site | None:
        """A site by id."""
        return self._get(Site, id_)

    def person(self, id_: PersonId) -> Person | None:
        """A person by id."""
        return self._get(Person, id_)

    def badge(self, tag: TagId) -> Badge | None:
        """A badge by the keyed hash of its UID."""
        return self._get(Badge, tag)

    def item(self, id_: ItemId) -> AccessMeans | None:
        """An access means by its identifier."""
        return self._get(AccessMeans, id_)

    def _get(self, kind: type[_Line], key: str) -> _Line | None:
        return cast("_Line | None", self._line((self._node, kind, key)))

    def _line(self, name: LineName) -> Line | None:
        changed = self._changed.get(name)
        if changed is not None:
            return changed
        if name not in self._lines:
            self._lines.remember({name: _read(self._connection, name)})
        return self._lines[name]


def _read(connection: Connection, name: LineName) -> Line | None:
    node, kind, key = name
    wanted = {"node": node, KEYS[kind]: key}
    found = connection.execute(_lines_with(LINES[kind], tuple(wanted)), wanted).mappings().first()
    return None if found is None else line_of(kind, found)


@cache
def _lines_with(table: Table, columns: tuple[str, ...]) -> Select[Any]:
    # Made once for each question: making it anew costs more than SQLite takes to run it. And not ordered: SQLite would then
    # follow the primary key through all lines instead of using the column's index.
    return select(table).where(*(table.c[name] == bindparam(name) for name in columns))


class StoredRegister:
    """The register of one node, or of all of them (headquarters, `node` None)."""

    def __init__(self, database: Database, node: str | None) -> None:
        self._database = database
        self._node = node

    # ---- lines

    def client(self, id_: ClientId) -> Client | None:
        """A client by id."""
        return self._one(Client, id=id_)

    def site(self, id_: SiteId) -> Site | None:
        """A site by id."""
        return self._one(Site, id=id_)

    def person(self, id_: PersonId) -> Person | None:
        """A person by id."""
        return self._one(Person, id=id_)

    def badge(self, tag: TagId) -> Badge | None:
        """A badge by the keyed hash of its UID."""
        return self._one(Badge, tag=tag)

    def item(self, id_: ItemId) -> AccessMeans | None:
        """An access means by its identifier."""
        return self._one(AccessMeans, id=id_)

    def item_by_tag(self, tag: TagId) -> AccessMeans | None:
        """The access means that carries this tag."""
        return self._one(AccessMeans, tag=tag)

    def items_on(self, hook: HookId) -> Sequence[AccessMeans]:
        """The access means in service whose own hook this is."""
        return self._many(AccessMeans, hook=hook, state=State.IN_SERVICE)

    def unsigned_of(self, person: PersonId) -> Sequence[AccessMeans]:
        """What this person took and has not signed for."""
        return self._many(AccessMeans, holder=person, unsigned=1)

    def persons(self) -> Sequence[Person]:
        """Everybody, by id."""
        return self._many(Person)

    # ---- with names

    def lines_of(self, items: Sequence[ItemId]) -> Sequence[InventoryLine]:
        """These access means with names, in this order; an unknown one is left out."""
        with self._database.read() as connection:
            found = {
                line.item.id: line for line in self._named(connection, self._select().where(ITEMS.c.id.in_(items)))
            }
        return [found[item] for item in items if item in found]

    def name_of(self, person: PersonId) -> str:
        """A person's name, or the id when the profile is not here."""
        found = self.person(person)
        if found is None:
            return person
        with self._database.read() as connection:
            return _profiles(connection, [found.profile]).get(found.profile, {}).get("name", person)

    def inventory(self, wanted: InventoryFilter, page: int, size: int) -> InventoryPage:
        """A page of the inventory, ordered by identifier."""
        criteria = [
            ITEMS.c[name] == value
            for name in ("client", "site", "state", "holder", "place")
            if (value := getattr(wanted, name)) is not None
        ]
        query = self._select().where(*criteria)
        with self._database.read() as connection:
            total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
            pages = max(1, -(-total // size))
            page = min(max(1, page), pages)
            lines = self._named(connection, query.order_by(ITEMS.c.id).limit(size).offset((page - 1) * size))
        return InventoryPage(lines, total, page, pages)

    def choices(self) -> Mapping[str, Sequence[Named]]:
        """The values that an inventory can be filtered by."""
        with self._database.read() as connection:
            names = {kind: self._names(connection, kind) for kind in (Client, Site, Person)}
        return {
            "client": _by_name(names[Client]),
            "site": _by_name(names[Site]),
            "holder": _by_name(names[Person]),
        }

    def directory(self) -> Directory:
        """Everybody and everything that an import may name."""
        sites = self._many(Site)
        with self._database.read() as connection:
            names = self._names(connection, Site)
            clients = self._names(connection, Client)
            persons = self._names(connection, Person)
            items = connection.scalars(self._of_node(select(ITEMS.c.id), ITEMS)).all()
        return Directory(
            clients={plain(name): ClientId(id_) for id_, name in clients.items()},
            sites={(site.client, plain(names[site.id])): site.id for site in sites},
            persons={plain(name): PersonId(id_) for id_, name in persons.items()},
            items=frozenset(plain(id_) for id_ in items),
        )

    # ---- how

    def _select(self) -> Select[Any]:
        return self._of_node(select(ITEMS), ITEMS)

    def _of_node(self, query: Select[Any], table: Table) -> Select[Any]:
        return query if self._node is None else query.where(table.c.node == self._node)

    def _many(self, kind: type[_Line], **wanted: str | int) -> list[_Line]:
        """The lines whose columns have these values, by key."""
        of_node = {} if self._node is None else {"node": self._node}
        values = of_node | wanted
        query = _lines_with(LINES[kind], tuple(values))
        with self._database.read() as connection:
            found = [cast("_Line", line_of(kind, row)) for row in connection.execute(query, values).mappings()]
        return sorted(found, key=attrgetter(KEYS[kind]))

    def _one(self, kind: type[_Line], **wanted: str | int) -> _Line | None:
        return next(iter(self._many(kind, **wanted)), None)

    def _names(
        self, connection: Connection, kind: type[Client | Site | Person], ids: Iterable[str] | None = None
    ) -> dict[str, str]:
        table = LINES[kind]
        query = self._of_node(select(table.c.id, table.c.profile), table)
        if ids is not None:
            query = query.where(table.c.id.in_(sorted(ids)))
        rows = list(connection.execute(query))
        profiles = _profiles(connection, [row.profile for row in rows])
        return {row.id: profiles.get(row.profile, {}).get("name", row.id) for row in rows}

    def _named(self, connection: Connection, query: Select[Any]) -> list[InventoryLine]:
        items = [cast(AccessMeans, line_of(AccessMeans, row)) for row in connection.execute(query).mappings()]
        clients = self._names(connection, Client, {item.client for item in items})
        sites = self._names(connection, Site, {item.site for item in items})
        people = {item.in_charge for item in items} | {item.holder for item in items if item.holder}
        persons = self._names(connection, Person, people)
        profiles = _profiles(connection, [item.profile for item in items])
        return [
            InventoryLine(
                item=item,
                designation=profiles.get(item.profile, {}).get("designation", item.id),
                client=clients.get(item.client, item.client),
                site=sites.get(item.site, item.site),
                in_charge=persons.get(item.in_charge, item.in_charge),
                holder=persons.get(item.holder, item.holder) if item.holder else None,
            )
            for item in items
        ]


def _by_name(names: dict[str, str]) -> list[Named]:
    return [Named(id_, name) for id_, name in sorted(names.items(), key=lambda pair: plain(pair[1]))]


def _profiles(connection: Connection, digests: Sequence[Digest]) -> dict[Digest, dict[str, str]]:
    rows = connection.execute(
        select(documents.c.digest, documents.c.content).where(documents.c.digest.in_(sorted(set(digests))))
    )
    return {Digest(row.digest): read_profile(row.content) for row in rows}
