"""Bringing access means and people in from CSV files: everything, or nothing and the list of what is wrong, by line."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

from kiosk.domain.access_means import Kind, State
from kiosk.domain.events import BadgeAssigned, ClientRegistered, ItemReceived, PersonEnrolled, SiteRegistered
from kiosk.domain.identifiers import ClientId, CommandId, HookId, ItemId, PersonId, SiteId, TagId
from kiosk.domain.people import Role, Tier
from kiosk.services.codec import profile
from kiosk.services.fingerprints import Fingerprints, is_random, parse_uid
from kiosk.services.ports import ActInProgress, Directory, Journal, Register
from kiosk.services.sheets import Row, Sheet, plain, read_sheet

#: Who acts when the machine's own administrator gives a command.
OPERATOR: Final = "operator"

#: Headings, French and English, without accents and capitals.
ITEM_COLUMNS: Final = {
    "identifiant": "id",
    "id": "id",
    "client": "client",
    "site": "site",
    "type": "kind",
    "kind": "kind",
    "designation": "designation",
    "date de reception": "received",
    "received": "received",
    "personne en charge": "in_charge",
    "in charge": "in_charge",
    "etat": "state",
    "state": "state",
    "crochet": "hook",
    "hook": "hook",
    "uid": "uid",
}
ITEM_REQUIRED: Final = ("id", "client", "site", "kind", "received", "in_charge")
PEOPLE_COLUMNS: Final = {"nom": "name", "name": "name", "roles": "roles", "uid": "uid", "badge": "tier", "tier": "tier"}
PEOPLE_REQUIRED: Final = ("name", "roles")

KINDS: Final = {
    "badge": Kind.BADGE,
    "cle mecanique": Kind.MECHANICAL_KEY,
    "mechanical key": Kind.MECHANICAL_KEY,
    "cle a code": Kind.CODED_KEY,
    "coded key": Kind.CODED_KEY,
    "cle maitresse": Kind.MASTER_KEY,
    "master key": Kind.MASTER_KEY,
}
STATES: Final = {
    "": State.IN_SERVICE,
    "en service": State.IN_SERVICE,
    "in service": State.IN_SERVICE,
    "restitue": State.RESTITUTED,
    "restituted": State.RESTITUTED,
    "perdu": State.LOST,
    "lost": State.LOST,
}
ROLES: Final = {
    "technicien": Role.TECHNICIAN,
    "technician": Role.TECHNICIAN,
    "personne en charge": Role.PERSON_IN_CHARGE,
    "person in charge": Role.PERSON_IN_CHARGE,
    "responsable d'exploitation": Role.OPERATIONS_MANAGER,
    "operations manager": Role.OPERATIONS_MANAGER,
    "administrateur": Role.ADMINISTRATOR,
    "administrator": Role.ADMINISTRATOR,
}
TIERS: Final = {
    "": Tier.AUTHENTICATED,
    "authentifie": Tier.AUTHENTICATED,
    "authenticated": Tier.AUTHENTICATED,
    "identifiant": Tier.IDENTIFIER_ONLY,
    "identifier": Tier.IDENTIFIER_ONLY,
}

#: What an identifier, as people print it on a label, is made of.
_ITEM_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,39}")
_HOOK: Final = re.compile(r"[A-Za-z0-9-]{1,8}")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """A line of the register to be: read and found right."""

    id: ItemId
    client: str
    site: str
    kind: Kind
    designation: str
    received: str
    in_charge: PersonId
    state: State
    hook: HookId | None
    tag: TagId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Person:
    name: str
    roles: tuple[Role, ...]
    tag: TagId | None
    tier: Tier


class ImportService:
    """One file, one command, one transaction."""

    def __init__(self, journal: Journal, register: Register, fingerprints: Fingerprints) -> None:
        self._journal = journal
        self._register = register
        self._fingerprints = fingerprints
        #: Numbers for new clients, sites and people are given out by one import at a time.
        self._turn = Lock()

    def items(self, command: CommandId, content: bytes, progress: Progress) -> int:
        """Import access means; returns how many.

        Raises:
            BadImport: with every fault of the file; then nothing was imported.
        """
        with self._turn:
            directory = self._register.directory()
            sheet = read_sheet(content, ITEM_COLUMNS, ITEM_REQUIRED)
            _require_unique(sheet, "id")
            tags = self._tags(sheet)
            read = [_read_item(row, directory, tags.get(row.line)) for row in sheet.rows]
            self._require_free_hooks(sheet)
            sheet.require_no_faults()
            items = [item for item in read if item is not None]
            with self._journal.act(command, OPERATOR) as act:
                if not act.done:
                    _receive(act, items, _Names(act, directory), progress)
        return len(items)

    def people(self, command: CommandId, content: bytes, progress: Progress) -> int:
        """Import people with their badges; returns how many.

        Raises:
            BadImport: with every fault of the file; then nothing was imported.
        """
        with self._turn:
            directory = self._register.directory()
            sheet = read_sheet(content, PEOPLE_COLUMNS, PEOPLE_REQUIRED)
            _require_unique(sheet, "name")
            tags = self._tags(sheet)
            read = [_read_person(row, directory, tags.get(row.line)) for row in sheet.rows]
            sheet.require_no_faults()
            people = [person for person in read if person is not None]
            with self._journal.act(command, OPERATOR) as act:
                if not act.done:
                    _enrol(act, people, _numbers("p", directory.persons.values()), progress)
        return len(people)

    def _require_free_hooks(self, sheet: Sheet) -> None:
        """A hook is one access means' own: a switch that opens can stand for one only."""
        owners: dict[HookId, str] = {}
        for row in sheet.rows:
            hook, id_ = _occupied(row), plain(row.text("id"))
            if hook is None:
                continue
            others = {plain(item.id) for item in self._register.items_on(hook)} | {owners.setdefault(hook, id_)}
            if others != {id_}:
                row.fault("hook_taken", "hook")

    def _tags(self, sheet: Sheet) -> dict[int, TagId]:
        """The tags of the file by line; §2: a tag that something else carries already is refused."""
        _require_unique(sheet, "uid")
        found: dict[int, TagId] = {}
        for row in sheet.rows:
            tag = self._tag(row) if row.text("uid") else None
            if tag is not None:
                found[row.line] = tag
        return found

    def _tag(self, row: Row) -> TagId | None:
        try:
            uid = parse_uid(row.text("uid"))
        except ValueError:
            row.fault("not_a_uid", "uid")
            return None
        if is_random(uid):
            row.fault("random_uid", "uid")
        tag = self._fingerprints.of(uid)
        if self._register.badge(tag) is not None or self._register.item_by_tag(tag) is not None:
            row.fault("uid_known", "uid")
        return tag


class _Names:
    """Clients and sites by name; those that the register does not know yet are registered on the way."""

    def __init__(self, act: ActInProgress, directory: Directory) -> None:
        self._act = act
        self._clients = dict(directory.clients)
        self._sites = dict(directory.sites)
        self._client_numbers = _numbers("c", self._clients.values())
        self._site_numbers = _numbers("s", self._sites.values())

    def client(self, name: str) -> ClientId:
        key = plain(name)
        if key not in self._clients:
            self._clients[key] = client = ClientId(next(self._client_numbers))
            self._act.record(ClientRegistered(client=client, profile=self._act.keep(profile(name=name))))
        return self._clients[key]

    def site(self, client: ClientId, name: str) -> SiteId:
        key = (client, plain(name))
        if key not in self._sites:
            self._sites[key] = site = SiteId(next(self._site_numbers))
            self._act.record(SiteRegistered(site=site, client=client, profile=self._act.keep(profile(name=name))))
        return self._sites[key]


def _receive(act: ActInProgress, items: Sequence[_Item], names: _Names, progress: Progress) -> None:
    for done, item in enumerate(items, 1):
        client = names.client(item.client)
        act.record(
            ItemReceived(
                item=item.id,
                client=client,
                site=names.site(client, item.site),
                kind=item.kind,
                received=item.received,
                in_charge=item.in_charge,
                state=item.state,
                profile=act.keep(profile(designation=item.designation)),
                tag=item.tag,
                hook=item.hook,
            )
        )
        progress(done, len(items))


def _enrol(act: ActInProgress, people: Sequence[_Person], numbers: Iterator[str], progress: Progress) -> None:
    for done, person in enumerate(people, 1):
        id_ = PersonId(next(numbers))
        act.record(PersonEnrolled(person=id_, roles=person.roles, profile=act.keep(profile(name=person.name))))
        if person.tag is not None:
            act.record(BadgeAssigned(badge=person.tag, person=id_, tier=person.tier))
        progress(done, len(people))


def _read_item(row: Row, directory: Directory, tag: TagId | None) -> _Item | None:
    kind, received = row.word("kind", KINDS), row.date("received")
    state = row.word("state", STATES)
    in_charge = directory.persons.get(plain(row.text("in_charge")))
    if in_charge is None:
        row.fault("person_unknown", "in_charge")
    if not _ITEM_ID.fullmatch(row.text("id")):
        row.fault("not_an_id", "id")
    if plain(row.text("id")) in directory.items:
        row.fault("item_known", "id")
    if row.text("hook") and not _HOOK.fullmatch(row.text("hook")):
        row.fault("not_a_hook", "hook")
    if kind is None or received is None or in_charge is None or state is None:
        return None
    return _Item(
        id=ItemId(row.text("id")),
        client=row.text("client"),
        site=row.text("site"),
        kind=kind,
        designation=row.text("designation") or row.text("id"),
        received=received.isoformat(),
        in_charge=in_charge,
        state=state,
        hook=HookId(row.text("hook")) if row.text("hook") else None,
        tag=tag,
    )


def _occupied(row: Row) -> HookId | None:
    """The hook on which the line's access means is going to hang: what is given back to the client or lost hangs nowhere."""
    hook, state = row.text("hook"), STATES.get(plain(row.text("state")))
    return HookId(hook) if state is State.IN_SERVICE and _HOOK.fullmatch(hook) else None


def _read_person(row: Row, directory: Directory, tag: TagId | None) -> _Person | None:
    words = [word for word in row.text("roles").split("+") if word.strip()]
    roles = [ROLES.get(plain(word)) for word in words]
    if None in roles or not roles:
        row.fault("unknown_word", "roles")
    tier = row.word("tier", TIERS)
    if plain(row.text("name")) in directory.persons:
        row.fault("person_known", "name")
    if tier is None:
        return None
    return _Person(name=row.text("name"), roles=tuple(role for role in roles if role), tag=tag, tier=tier)


def _require_unique(sheet: Sheet, column: str) -> None:
    seen: set[str] = set()
    for row in sheet.rows:
        key = plain(row.text(column)).replace(":", "").replace(" ", "") if column == "uid" else plain(row.text(column))
        if key and key in seen:
            row.fault("twice", column)
        seen.add(key)


def _numbers(prefix: str, taken: Iterable[str]) -> Iterator[str]:
    """The identifiers that follow those given out: pseudonymous, and short enough to be read out on the telephone."""
    highest = max((int(id_[1:]) for id_ in taken if id_[:1] == prefix and id_[1:].isdigit()), default=0)
    return (f"{prefix}{number:03d}" for number in itertools.count(highest + 1))
