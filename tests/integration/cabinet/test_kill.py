"""§1. `kill -9` at every step of a visit: recorded whole or not at all, and never an opening without its record."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kiosk.domain.access_means import Place
from kiosk.domain.events import Returned, Taken, TakenUnsigned, TakeSigned, VisitUnresolved
from kiosk.domain.identifiers import Digest
from kiosk.ledger.entry import Entry
from tests.building import HANGING, MONDAY, FakeClock, Front, House, chain_holds, refolds_to_itself, register_of
from tests.integration.cabinet.doomed import LAST_STEP, PULSES, hanging_in, write_world

ROOT = Path(__file__).parents[3]
SIGNED = (Taken.type, TakeSigned.type, Returned.type)
#: Long after the visit, so that what a restart records can be told by its time.
LATER = 3600.0


@contextmanager
def house_in(folder: Path, front: Front) -> Iterator[House]:
    """The same folder, the same world outside, another process and another boot."""
    clock = FakeClock(MONDAY)
    clock.advance(LATER)
    clock.boot = "99999999-0000-0000-0000-000000000000"
    house = House(folder, front, clock, hanging_in(folder))
    try:
        yield house
    finally:
        house.close()


def lives_of(visit: str, template: Path, folder: Path) -> list[Path]:
    """Die at every step of the visit; the folders that are left."""
    folder.mkdir()
    subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.integration.cabinet.doomed", visit, template, folder],
        cwd=ROOT,
        check=True,
        timeout=100,
    )
    return sorted(folder.iterdir())


def last_step(folder: Path) -> str:
    path = folder / LAST_STEP
    return path.read_text() if path.exists() else "survived"


def pulses(folder: Path) -> int:
    path = folder / PULSES
    return len(path.read_text().splitlines()) if path.exists() else 0


def everything(house: House) -> tuple[object, ...]:
    """All that a second resumption could change."""
    return (
        house.bodies(),
        register_of(house.store),
        house.rows("SELECT * FROM visits"),
        house.rows("SELECT * FROM pins"),
    )


def is_kept(house: House, name: str) -> bool:
    """Whether a document is there, under its own digest."""
    kept = house.store.journal.document(Digest(name))
    return kept is not None and hashlib.sha256(kept).hexdigest() == name


def check_the_record(house: House, before: int) -> None:
    """What holds wherever the visit was cut off."""
    openings = house.rows("SELECT opened, ended FROM visits WHERE opened >= '2026-11-23T06:00'")
    assert pulses(house.folder) <= len(openings)
    house.desk.resume()
    assert house.rows("SELECT count(*) FROM visits WHERE ended IS NULL") == [(0,)]
    resumed = everything(house)
    house.desk.resume()
    assert everything(house) == resumed
    assert chain_holds(house.bodies())
    assert refolds_to_itself(house.store)
    for entry in house.entries(before):
        if entry.type in SIGNED:
            assert is_kept(house, entry.data["statement"])
            assert is_kept(house, entry.data["signature"])
    told = [tuple(entry.data["items"]) for entry in house.entries(before) if entry.type == VisitUnresolved.type]
    assert len(told) <= 1
    signed = {entry.subject for entry in house.entries(before) if entry.type in SIGNED}
    assert signed.isdisjoint(item for items in told for item in items)
    named = {name for entry in house.entries() for name in _documents(entry)}
    assert {name for (name,) in house.rows("SELECT digest FROM documents")} == named


def _documents(entry: Entry) -> set[str]:
    return {entry.data[name] for name in ("profile", "statement", "signature") if name in entry.data}


@contextmanager
def killed_everywhere(
    visit: str, template: Path, folder: Path, front: Front, before: int
) -> Iterator[Iterator[tuple[str, House]]]:
    """Each house that was killed, with its record checked and its visit resolved."""

    def houses() -> Iterator[tuple[str, House]]:
        for life in lives_of(visit, template, folder):
            with house_in(life, front) as house:
                check_the_record(house, before)
                yield last_step(life), house

    yield houses()
    shutil.rmtree(folder)


@pytest.fixture
def morning(house: House) -> Path:
    """Every key hangs on its hook."""
    write_world(house.folder, HANGING)
    return house.folder


def test_a_take_that_is_killed_anywhere_is_recorded_whole_or_not_at_all_or_as_unsigned(
    house: House, morning: Path, tmp_path: Path, front: Front
) -> None:
    before, nadia = house.size, house.person("nadia")
    house.close()
    ends: dict[str, str] = {}
    with killed_everywhere("take", morning, tmp_path / "lives", front, before) as houses:
        for step, after in houses:
            lifted = "01" not in hanging_in(after.folder)
            one, two = after.custody("K-1"), after.custody("K-17")
            assert one in ([], [Taken.type], [TakenUnsigned.type]), step
            assert two in ([], [Taken.type], [TakenUnsigned.type]), step
            # One signature covers both: either both are signed for or none.
            assert (one == [Taken.type]) == (two == [Taken.type]), step
            # What hangs is on its hook in the register too, and what has gone is Nadia's: nothing is in nobody's name.
            assert (after.item("K-1").holder == nadia) == lifted, step
            assert after.item("K-1").unsigned == (one == [TakenUnsigned.type])
            assert after.item("K-17").unsigned == (two == [TakenUnsigned.type])
            ends[step] = "/".join((*one, *two))
    assert set(ends.values()) == {
        "",
        TakenUnsigned.type,
        f"{TakenUnsigned.type}/{TakenUnsigned.type}",
        f"{Taken.type}/{Taken.type}",
    }
    assert ends["right before the pulse"] == ends["right after the pulse"] == ""
    assert ends["after the hook moved"] == TakenUnsigned.type
    assert ends["after the second key"] == f"{TakenUnsigned.type}/{TakenUnsigned.type}"
    assert ends["after the signature"] == ends["survived"] == f"{Taken.type}/{Taken.type}"


def test_a_return_that_is_killed_anywhere_is_recorded_whole_or_not_at_all(
    house: House, tmp_path: Path, front: Front
) -> None:
    house.take("nadia", "K-1", "K-17")
    write_world(house.folder, house_hanging(house))
    before, nadia = house.size, house.person("nadia")
    house.close()
    ends: dict[str, str] = {}
    with killed_everywhere("return", house.folder, tmp_path / "lives", front, before) as houses:
        for step, after in houses:
            one, two = after.custody("K-1")[1:], after.custody("K-17")[1:]
            assert (one, two) in (([], []), ([Returned.type], [Returned.type])), step
            for key in ("K-1", "K-17"):
                assert (after.item(key).holder, after.item(key).place) in ((nadia, Place.PERSON), (None, Place.HOOK))
                assert after.item(key).awaiting_countersignature == (one != [])
            ends[step] = "/".join(one)
    assert set(ends.values()) == {"", Returned.type}
    assert ends["right after the pulse"] == ends["after the second key"] == ""
    assert ends["after the signature"] == ends["survived"] == Returned.type


def test_a_return_that_is_killed_before_its_signature_is_told_as_unresolved(
    house: House, tmp_path: Path, front: Front
) -> None:
    house.take("nadia", "K-1", "K-17")
    house.enter("nadia")
    house.key("K-1")
    size = house.size
    house.restart()
    assert house.types(size) == ["cabinet.visit_unresolved", "cabinet.door_left_open"]
    assert house.entries(size)[0].data["items"] == ["K-1"]
    assert house.item("K-1").holder == house.person("nadia")


def test_a_restart_that_is_killed_itself_is_completed_by_the_next_one(
    house: House, tmp_path: Path, front: Front
) -> None:
    house.take("nadia", "K-17")
    before, nadia = house.size, house.person("nadia")
    house.enter("nadia")
    house.lift("01")
    house.key("K-1", "K-17")  # one to take, one to bring back
    write_world(house.folder, house_hanging(house))
    house.close()
    with killed_everywhere("restart", house.folder, tmp_path / "lives", front, before) as houses:
        for step, after in houses:
            assert after.types(before) == [TakenUnsigned.type, VisitUnresolved.type], step
            assert after.entries(before)[-1].data["items"] == ["K-1", "K-17"]
            assert {after.item(key).holder for key in ("K-1", "K-17")} == {nadia}
            assert (after.item("K-1").unsigned, after.item("K-17").unsigned) == (True, False)


def test_a_debt_is_signed_before_the_door_opens_wherever_the_visit_is_killed(
    house: House, tmp_path: Path, front: Front
) -> None:
    house.enter("nadia")
    house.lift("01")
    house.wait(50)
    write_world(house.folder, house_hanging(house))
    assert house.custody("K-1") == [TakenUnsigned.type]
    before = house.size
    house.close()
    ends: dict[str, str] = {}
    with killed_everywhere("debt", house.folder, tmp_path / "lives", front, before) as houses:
        for step, after in houses:
            signed = after.custody("K-1")[1:]
            assert signed in ([], [TakeSigned.type]), step
            assert after.item("K-1").unsigned == (signed == [])
            assert pulses(after.folder) <= len(signed), step
            ends[step] = "/".join(signed)
    assert set(ends.values()) == {"", TakeSigned.type}
    assert ends["right before the pulse"] == ends["survived"] == TakeSigned.type


def house_hanging(house: House) -> frozenset[Any]:
    """What the switches say now."""
    return frozenset(hook for hook, occupied in house.hooks.sensed.items() if occupied)
