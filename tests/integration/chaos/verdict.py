"""What has to be true while everything dies, and afterwards."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Final

from sqlalchemy import select

from kiosk.ledger.checkpoint import Checkpoint, open_cosigned, origin
from kiosk.ledger.entry import digest, unseal
from kiosk.ledger.merkle import Frontier, leaf_hash
from kiosk.mqtt.messages import Health
from kiosk.services.heads import cosigned_cursor
from kiosk.store.central import digest_of
from kiosk.store.database import Database
from kiosk.store.supervision import CabinetLine, Supervision
from kiosk.store.tables import documents, streams
from tests.integration.chaos.cabinet import command_of
from tests.integration.chaos.told import Told, last_told, told_in
from tests.integration.chaos.town import Town
from tests.integration.hq.parts import HQ_KEY, Cabinet, register_of, stored
from tests.services import ServiceFailed, wait_until
from tests.trees import subtrees_from_scratch, subtrees_of

#: Left alone, everything has to arrive within this time, seconds.
CALM: Final = 60.0


def nothing_was_believed_too_early(town: Town) -> None:
    """No cabinet takes for safe what headquarters has not committed."""
    # The cabinets first: what they learn meanwhile is committed by then.
    believed = {node: last_told(place).believed for node, place in town.folders.items()}
    with town.central() as central:
        signed = {line.node: line.cosigned for line in Supervision(central).cabinets()}
    early = [node for node in believed if believed[node] > signed[node]]
    assert not early, f"{early} believe {believed}; headquarters has signed for {signed}"


def everything_is_there_once(town: Town) -> None:
    """When it has become quiet, headquarters holds all that the cabinets hold, and all that technicians were told, and no more."""
    town.close_shop()
    with ExitStack() as stack:
        central = stack.enter_context(town.central())
        cabinets = [stack.enter_context(closing(Cabinet(place, node))) for node, place in town.folders.items()]
        _wait_until_quiet(central, cabinets)
        assert not town.fallen(), "somebody ended without being killed"
        town.end()
        for cabinet in cabinets:
            bodies = stored(central, cabinet.journal.node)
            assert bodies == cabinet.bodies(), f"{cabinet.journal.node}: other entries at headquarters"
            _promises_were_kept(bodies, list(told_in(town.folders[cabinet.journal.node])))
            _roots_are_equal(central, cabinet, bodies)
            assert register_of(central, cabinet.journal.node) == register_of(cabinet.database, cabinet.journal.node)
        assert _documents(central) == set().union(*(_documents(cabinet.database) for cabinet in cabinets))
        _nobody_is_suspected(central, town)


def _wait_until_quiet(central: Database, cabinets: Sequence[Cabinet]) -> None:
    """Until everything has arrived, every cabinet knows it, and all are well."""

    def restless() -> list[CabinetLine]:
        lines = {line.node: line for line in Supervision(central).cabinets()}
        return [lines[one.journal.node] for one in cabinets if not _is_at_rest(one, lines[one.journal.node])]

    try:
        wait_until(lambda: not restless(), "calm", CALM)
    except ServiceFailed as e:
        sizes = {one.journal.node: one.journal.size() for one in cabinets}
        raise AssertionError(f"{e}: the journals have {sizes}, and headquarters {restless()}") from e


def _is_at_rest(cabinet: Cabinet, line: CabinetLine) -> bool:
    size = cabinet.journal.size()
    is_complete = (line.cosigned, line.complete, line.refused) == (size, size, False)
    is_well = line.presence is not None and line.presence.online and line.presence.health == Health.OK
    return is_complete and is_well and _signed_for(cabinet) == size


def _signed_for(cabinet: Cabinet) -> int:
    """How much of its journal it keeps headquarters' signature for."""
    note = cabinet.local.cursor(cosigned_cursor(cabinet.journal.stream))
    return cabinet.heads.read("", cabinet.journal.stream, note, None).size


def _promises_were_kept(bodies: Sequence[bytes], told: Sequence[Told]) -> None:
    """Every entry that technicians were told of is there exactly once and in order, and no other is."""
    entries = [unseal(body) for body in bodies]
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    recorded: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for entry, body in zip(entries, bodies, strict=True):
        recorded[entry.command].append((entry.sequence, digest(body)))
    assert recorded == {command_of(one.act): list(one.entries) for one in told}


def _roots_are_equal(central: Database, cabinet: Cabinet, bodies: Sequence[bytes]) -> None:
    """The cabinet's tree, one grown from headquarters' entries, and the head that headquarters has signed."""
    key = cabinet.journal.node, cabinet.journal.stream
    tree = Frontier()
    for body in bodies:
        tree.append(leaf_hash(body))
    assert cabinet.journal.frontier(len(bodies)).root() == tree.root()
    assert _cosigned(central, key) == Checkpoint(origin(*key), len(bodies), tree.root())
    assert subtrees_of(central, key) == subtrees_of(cabinet.database, key) == subtrees_from_scratch(bodies)


def _cosigned(central: Database, key: tuple[str, str]) -> Checkpoint:
    """The one journal's newest head, its signature verified."""
    with central.read() as connection:
        row = connection.execute(select(streams).where(streams.c.node == key[0])).one()
    return open_cosigned(row.cosigned, origin(*key), [HQ_KEY.verifier]).checkpoint


def _documents(database: Database) -> set[str]:
    """The names of all documents, which tell their contents."""
    with database.read() as connection:
        rows = connection.execution_options(yield_per=100).execute(select(documents))
        names = {row.digest: digest_of(row.salt + row.content) for row in rows}
    assert all(name == hash_ for name, hash_ in names.items())
    return set(names)


def _nobody_is_suspected(central: Database, town: Town) -> None:
    supervision = Supervision(central)
    assert (supervision.alarms(), supervision.quarantined()) == ([], [])
    for one in town.ours:
        assert "ALARM" not in one.log, one.name
        assert "Traceback" not in one.log, one.name
