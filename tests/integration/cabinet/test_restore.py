"""`kiosk restore --from-hq`: a card restored from an old image, a refused history, a card that died; and a lying headquarters."""

import shutil
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, tzinfo
from itertools import count
from pathlib import Path
from typing import Any, Self

import pytest

from kiosk import bootstrap, keys
from kiosk.bootstrap import Store, enrol_cabinet, headquarters, initialise, initialise_headquarters, opened_store
from kiosk.clock import SystemClock
from kiosk.config import Settings, read
from kiosk.domain import events
from kiosk.domain.errors import (
    BadCopy,
    HeadquartersSilent,
    KeyMissing,
    NothingToRestore,
    StorageBusy,
    StorageFailed,
    WriterBusy,
)
from kiosk.domain.identifiers import ClientId, CommandId, Digest, PersonId
from kiosk.hq import recall
from kiosk.hq.receipts import read_entries
from kiosk.ledger.checkpoint import origin
from kiosk.ledger.entry import unseal
from kiosk.mqtt import recall as asking
from kiosk.mqtt import topics
from kiosk.mqtt.client import BrokerAddress, Message
from kiosk.restore import restore
from kiosk.services.codec import profile
from kiosk.services.ports import PinState, Trouble
from kiosk.store import database
from kiosk.store.central import digest_of
from kiosk.store.database import Database, rollback_file
from kiosk.store.supervision import Supervision
from tests.conftest import StartMosquitto
from tests.integration.hq.parts import documents_of, register_of, stored
from tests.services import LOOPBACK, wait_until
from tests.unit.cli.typing_commands import Terminal

NODE = "armoire-1"
NADIA = PersonId("p001")


class Place:
    """A cabinet and its headquarters, each in a folder, and the broker between."""

    def __init__(self, folder: Path, port: int) -> None:
        self.broker = BrokerAddress(LOOPBACK, port)
        central = f"sqlite:///{folder}/hq/central.db"
        extra = f'\n[broker]\nport = {port}\n\n[headquarters]\ndatabase = "{central}"\n'
        self.settings = initialise(folder / "cabinet", NODE, pins="mock", settings=extra)
        initialise_headquarters(folder / "hq")
        # Headquarters runs on the cabinet's settings but with its own key, as if it were another machine.
        shutil.copy(folder / "hq" / keys.WITNESS_KEY, self.settings.folder)
        keys.trust(self.settings.folder, keys.own(folder / "hq", keys.WITNESS_KEY))
        self.let_in()

    def let_in(self) -> None:
        enrol_cabinet(self.settings, keys.own(self.settings.folder, keys.LOG_KEY))

    @contextmanager
    def headquarters(self) -> Iterator[None]:
        with headquarters(self.settings, self.broker) as central:
            wait_until(lambda: central.register.online, "headquarters is there")
            yield

    @contextmanager
    def cabinet(self) -> Iterator[Store]:
        with opened_store(self.settings, SystemClock()) as store:
            store.journal.committed = store.relay.wake
            store.relay.start()
            try:
                yield store
            finally:
                store.relay.stop()

    def same_registers(self) -> bool:
        with bootstrap.central_database(self.settings) as central, opened_store(self.settings, SystemClock()) as store:
            return register_of(central, NODE) == register_of(store.journal._database, NODE)


@pytest.fixture
def place(tmp_path: Path, mosquitto: StartMosquitto) -> Place:
    return Place(tmp_path, mosquitto().port)


def register(store: Store, *names: str) -> None:
    """An act each that registers a client."""
    for name in names:
        with store.journal.act(CommandId(str(uuid.uuid4())), NADIA) as act:
            act.record(events.ClientRegistered(client=ClientId(name), profile=act.keep(profile(name=f"Client {name}"))))


def seen(store: Store) -> Callable[[], bool]:
    return lambda: store.relay.view.size == store.journal.size()


def image_of(settings: Settings, to: Path) -> Path:
    """A copy of the card."""
    return Path(shutil.copytree(settings.folder, to))


def card_from(image: Path, settings: Settings) -> None:
    """Put an old image back."""
    shutil.copy(image / "cabinet.db", settings.database)
    shutil.copy(image / keys.LOG_KEY, settings.folder)


def databases(place: Place) -> set[str]:
    """The database files in the cabinet's folder."""
    return {path.name for path in place.settings.folder.glob("cabinet*") if path.stat().st_size}


def no_progress(_: int, __: int) -> None:
    """Nobody is watching."""


def live(place: Place, *names: str) -> None:
    """Run the cabinet until headquarters has seen these, and has their documents."""
    with place.cabinet() as store, bootstrap.central_database(place.settings) as central:
        register(store, *names)
        wait_until(seen(store), "headquarters has seen everything")
        supervision = Supervision(central)
        wait_until(lambda: not any(line.missing for line in supervision.cabinets()), "every document")


def test_a_card_restored_from_an_old_image_is_recognised_at_start_and_repaired_from_headquarters_copy(
    place: Place, tmp_path: Path
) -> None:
    with place.headquarters():
        live(place, "c1", "c2")
        image = image_of(place.settings, tmp_path / "image")
        live(place, *(f"c{n}" for n in range(3, 40)))
        card_from(image, place.settings)
        with place.cabinet() as store:
            wait_until(lambda: store.relay.view.trouble is Trouble.BEHIND, "the cabinet sees that it is behind")
            store.local.keep_pin(NADIA, PinState("a hash"))
        restored = restore(place.settings, no_progress)
        assert (restored.entries, restored.missing, restored.evidence) == (39, 0, 0)
        assert restored.set_aside is not None
        assert restored.set_aside.exists()
        with place.cabinet() as store:
            assert store.journal.size() == 1
            assert store.register.client(ClientId("c39")) is not None
            assert store.local.pin_of(NADIA) == PinState("a hash")
            assert store.relay.view.trouble is Trouble.UNCONFIRMED
            place.let_in()
            wait_until(lambda: store.relay.view.trouble is None, "headquarters lets the new journal in")
        live(place, "c40")
        wait_until(place.same_registers, "equal registers")


def test_what_was_recorded_on_the_old_image_is_refused_and_goes_along_as_evidence(place: Place, tmp_path: Path) -> None:
    with place.headquarters():
        live(place, "c1", "c2")
        image = image_of(place.settings, tmp_path / "image")
        live(place, "c3", "c4")
        card_from(image, place.settings)
        with opened_store(place.settings, SystemClock()) as store:
            # Offline, so that nobody tells.
            register(store, "x3", "x4", "x5")
            lost = store.journal.read(2, 3)
        with place.cabinet() as store:
            wait_until(lambda: store.relay.view.trouble is Trouble.REFUSED, "headquarters refuses this history")
        with place.cabinet() as store:
            assert store.relay.view.trouble is Trouble.REFUSED, "after a restart too"
        restored = restore(place.settings, no_progress)
        assert (restored.entries, restored.evidence) == (4, 3)
        place.let_in()
        with place.cabinet() as store:
            wait_until(seen(store), "headquarters has seen the new journal")
            opened = unseal(store.journal.read(0, 1)[0])
            assert opened.type == "ledger.stream_opened"
            assert (opened.data["size"], opened.data["refused_size"]) == ("4", "4")
            assert store.register.client(ClientId("x3")) is None
            with bootstrap.central_database(place.settings) as central:
                wait_until(lambda: opened.data["evidence"] in {d for d, _, __ in documents_of(central)}, "the evidence")
                kept = {digest: content for digest, _, content in documents_of(central)}
        assert kept[opened.data["evidence"]] == b"\n".join(lost)
        assert place.same_registers()


def test_a_card_that_died_is_replaced_by_a_new_one(place: Place, tmp_path: Path) -> None:
    with place.headquarters():
        live(place, "c1", "c2", "c3")
        place.settings.database.write_bytes(b"worn out" * 1000)
        restored = restore(place.settings, no_progress)
        assert (restored.entries, restored.unread) == (3, True)
        place.let_in()
        live(place, "c4")
        place.settings.database.unlink()
        # A second time: the journal now follows another.
        restored = restore(place.settings, no_progress)
        assert (restored.entries, restored.set_aside, restored.unread) == (5, None, False)
        with opened_store(place.settings, SystemClock()) as store:
            assert [store.register.client(ClientId(f"c{n}")) is not None for n in range(1, 5)] == [True] * 4
            assert store.register.directory().clients.keys() == {f"client c{n}" for n in range(1, 5)}
            assert store.journal.refold(no_progress) == 6


def test_without_headquarters_nothing_changes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_SECONDS", 0.1)
    before = place.settings.database.read_bytes()
    with pytest.raises(HeadquartersSilent):
        restore(place.settings, no_progress)
    assert place.settings.database.read_bytes() == before
    assert databases(place) == {"cabinet.db"}


def test_a_cabinet_of_which_headquarters_has_nothing_is_told_so(place: Place) -> None:
    with place.headquarters(), pytest.raises(NothingToRestore):
        restore(place.settings, no_progress)


def test_while_the_service_runs_nothing_is_restored(place: Place) -> None:
    with place.headquarters(), place.cabinet(), pytest.raises(WriterBusy):
        restore(place.settings, no_progress)


def tampered(bodies: list[bytes]) -> list[bytes]:
    return [body.replace(b"c2", b"c9") for body in bodies]


@pytest.mark.parametrize(
    "lie",
    [tampered, lambda bodies: bodies[1:], lambda bodies: bodies[:-1], lambda bodies: bodies[::-1], lambda _: [b"{}"]],
    ids=["edited", "the first missing", "the last missing", "reordered", "rubbish"],
)
def test_a_copy_that_is_not_what_headquarters_signed_is_not_taken(
    place: Place, monkeypatch: pytest.MonkeyPatch, lie: Callable[[list[bytes]], list[bytes]]
) -> None:
    with place.headquarters():
        live(place, "c1", "c2", "c3")
        before = place.settings.database.read_bytes()
        true = read_entries
        monkeypatch.setattr(recall, "read_entries", lambda *asked: lie(true(*asked)) if asked[2] == 0 else [])
        with pytest.raises(BadCopy):
            restore(place.settings, no_progress)
    assert place.settings.database.read_bytes() == before
    assert databases(place) == {"cabinet.db"}


def test_a_copy_under_another_headquarters_signature_is_not_taken(place: Place) -> None:
    with place.headquarters():
        live(place, "c1")
        (place.settings.folder / keys.HEADQUARTERS_KEYS).unlink()
        with pytest.raises(BadCopy):
            restore(place.settings, no_progress)


def test_documents_that_nobody_has_any_more_are_counted(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with place.headquarters():
        live(place, "c1", "c2")
        monkeypatch.setattr(recall, "_documents", lambda _, node, digests: _none(node, digests))
        place.settings.database.unlink()
        restored = restore(place.settings, no_progress)
    assert (restored.documents, restored.missing) == (0, 2)


def _none(node: str, digests: list[Digest]) -> Iterator[Message]:
    for digest in digests:
        yield Message(topics.recalled_document(node, digest), b"")


def test_a_cabinet_without_its_key_does_not_start(place: Place) -> None:
    (place.settings.folder / keys.LOG_KEY).unlink()
    with pytest.raises(KeyMissing), opened_store(place.settings, SystemClock()):
        pass


def test_headquarters_entries_are_untouched_by_a_restore(place: Place) -> None:
    with place.headquarters():
        live(place, "c1", "c2")
        with bootstrap.central_database(place.settings) as central:
            before = stored(central, NODE)
            restore(place.settings, no_progress)
            assert stored(central, NODE) == before


# ---- what the old database tells


def test_what_a_power_cut_left_half_done_is_undone_and_the_old_database_tells_all_that_it_knows(place: Place) -> None:
    with place.headquarters():
        live(place, "c1")
        with opened_store(place.settings, SystemClock()) as store:
            store.local.keep_pin(NADIA, PinState("a hash"))
            register(store, "c2")
        cut_the_power_in_a_commit(place.settings.database)
        restored = restore(place.settings, no_progress)
    assert (restored.entries, restored.evidence, restored.unread) == (1, 1, False)
    with opened_store(place.settings, SystemClock()) as store:
        assert store.local.pin_of(NADIA) == PinState("a hash")


def test_a_rollback_file_whose_database_is_gone_undoes_nothing_in_the_new_one(place: Place) -> None:
    with place.headquarters():
        live(place, "c1")
        cut_the_power_in_a_commit(place.settings.database)
        place.settings.database.unlink()
        restore(place.settings, no_progress)
    assert not rollback_file(place.settings.database).exists()


def test_a_rollback_file_goes_along_with_an_old_database_that_cannot_be_opened(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with place.headquarters():
        live(place, "c1")
        cut_the_power_in_a_commit(place.settings.database)
        before = rollback_file(place.settings.database).read_bytes()
        monkeypatch.setattr("kiosk.store.restoration.Database", _failing(place.settings.database))
        restored = restore(place.settings, no_progress)
    assert restored.unread
    assert restored.set_aside is not None
    assert rollback_file(restored.set_aside).read_bytes() == before
    assert not rollback_file(place.settings.database).exists()


def _failing(bad: Path) -> Callable[..., Database]:
    """A card on which one file cannot be read any more."""

    def opened(path: Path, *args: Any, **more: Any) -> Database:  # noqa: ANN401 - whatever a database takes
        if path == bad:
            raise StorageFailed(reason="SQLITE_IOERR_READ")
        return Database(path, *args, **more)

    return opened


def test_what_is_unreadable_in_an_old_database_that_opens_is_told(place: Place) -> None:
    with place.headquarters():
        live(place, "c1")
        with closing(sqlite3.connect(place.settings.database)) as old, old:
            old.execute("DROP TABLE pins")
        assert restore(place.settings, no_progress).unread


def cut_the_power_in_a_commit(path: Path) -> None:
    """Leave a database as it is on the disk in the middle of a commit, its rollback file beside it."""
    kept = [path, rollback_file(path)]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in ("PRAGMA journal_mode = TRUNCATE", "PRAGMA cache_size = 1", "BEGIN IMMEDIATE"):
            connection.execute(statement)
        rows = [(str(number), "x" * 200) for number in range(3000)]
        connection.executemany("INSERT INTO access_log (at, what) VALUES (?, ?)", rows)
        found = [file.read_bytes() for file in kept]
    for file, content in zip(kept, found, strict=True):
        file.write_bytes(content)
    assert rollback_file(path).stat().st_size


def test_while_somebody_reads_the_old_database_and_keeps_it_nothing_is_restored(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_MS", 50)
    with place.headquarters():
        live(place, "c1")
        with closing(sqlite3.connect(place.settings.database, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            with pytest.raises(StorageBusy):
                restore(place.settings, no_progress)
    assert databases(place) == {"cabinet.db"}


def test_a_document_that_has_rotted_on_the_old_card_comes_from_headquarters(place: Place) -> None:
    with place.headquarters():
        live(place, "c1", "c2", "c3")
        with closing(sqlite3.connect(place.settings.database)) as old, old:
            old.execute("UPDATE documents SET content = x'00' WHERE digest = (SELECT min(digest) FROM documents)")
        restored = restore(place.settings, no_progress)
    assert (restored.documents, restored.missing) == (3, 0)
    with closing(sqlite3.connect(place.settings.database)) as new:
        kept = new.execute("SELECT digest, salt, content FROM documents").fetchall()
    assert [digest_of(salt + content) for _, salt, content in kept] == [name for name, _, __ in kept]


# ---- cut short


class Cut(BaseException):
    """The power is gone."""


def cut_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """Cut before this step, of those that change which files there are."""
    steps = count()

    def cutting(real: Callable[..., Any]) -> Callable[..., Any]:
        def change(path: Path, *args: Any, **more: Any) -> Any:  # noqa: ANN401 - whatever the method takes
            if next(steps) == step:
                raise Cut
            return real(path, *args, **more)

        return change

    for method in (Path.unlink, Path.replace, Path.hardlink_to):
        patch.setattr(Path, method.__name__, cutting(method))


def whole(settings: Settings) -> bool:
    """Make sure that the cabinet is whole; whether it is the one of before."""
    with opened_store(settings, SystemClock()) as store:
        assert store.local.pin_of(NADIA) == PinState("a hash")
        assert store.register.client(ClientId("c1")) is not None
        assert {key.name for key in keys.own(settings.folder, keys.LOG_KEY)} == {origin(NODE, store.journal.stream)}
        return not store.journal.is_restored


def evidence(settings: Settings) -> list[str]:
    """Which clients the entries register that the journal carries along as evidence."""
    with opened_store(settings, SystemClock()) as store:
        opened = unseal(store.journal.read(0, 1)[0])
        kept = store.journal.document(opened.data["evidence"])
    assert kept is not None
    return [unseal(body).data["client"] for body in kept[32:].split(b"\n") if b"ledger.stream_opened" not in body]


def aside(settings: Settings) -> dict[str, bytes]:
    """What was set aside."""
    return {path.name: path.read_bytes() for path in settings.folder.glob("cabinet-*.db")}


def restored_with_a_cut(settings: Settings, step: int) -> bool:
    """Restore, cut before this step; whether it got as far."""
    with pytest.MonkeyPatch.context() as patch:
        cut_at(patch, step)
        try:
            restore(settings, no_progress)
        except Cut:
            return True
    return False


@pytest.mark.parametrize("looked", [True, False], ids=["the service ran meanwhile", "nothing ran meanwhile"])
def test_cut_at_any_step_the_cabinet_is_the_old_or_the_new_one_and_a_second_restore_loses_nothing(
    place: Place, tmp_path: Path, looked: bool
) -> None:
    outcomes = []
    with place.headquarters():
        live(place, "c1")
        with opened_store(place.settings, SystemClock()) as store:
            store.local.keep_pin(NADIA, PinState("a hash"))
            register(store, "c2")
        for step in count():
            settings = read(image_of(place.settings, tmp_path / f"{step}"))
            was_cut = restored_with_a_cut(settings, step)
            before = aside(settings)
            if looked or not was_cut:
                outcomes.append(whole(settings))
            restored = restore(settings, no_progress)
            assert not whole(settings)
            assert evidence(settings) == ["c2"], step
            assert before.items() <= aside(settings).items(), "nothing that was set aside is written over"
            assert not restored.unread
            assert not list(settings.folder.glob("*key-*")), "no key is left over"
            if not was_cut:
                break
    assert outcomes == sorted(outcomes, reverse=True), "there is one step that decides"
    assert not looked or {True, False} <= set(outcomes[:-1]), "and there were cuts on either side of it"


class OneSecond(datetime):
    """A clock that stands."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls(2026, 5, 4, 12, tzinfo=UTC)


def test_two_databases_that_are_set_aside_within_a_second_are_both_kept(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.restore.datetime", OneSecond)
    with place.headquarters():
        live(place, "c1")
        first = place.settings.database.read_bytes()
        for _ in range(3):
            restore(place.settings, no_progress)
    kept = aside(place.settings)
    assert sorted(kept) == [f"cabinet-20260504T120000Z{more}.db" for more in ("-2", "-3", "")]
    assert kept["cabinet-20260504T120000Z.db"] == first


# ---- what the command says


def test_the_command_says_what_could_not_be_read_and_which_journal_headquarters_will_close(
    place: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(place.settings.folder, capsys, monkeypatch)
    former, unread = keys.own(place.settings.folder, keys.LOG_KEY)[0].name, "n’a pas pu être lue"
    with place.headquarters():
        live(place, "c1")
        said = terminal.fine("restore", "--from-hq")
        assert former in said
        assert unread not in said
        place.settings.database.write_bytes(b"worn out" * 1000)
        assert unread in terminal.fine("restore", "--from-hq")
        place.let_in()
        live(place, "c2")
    assert former in terminal.refused("hq", "cabinet", "close", former), "it is closed already"


def test_an_old_card_cannot_go_on_once_headquarters_has_seen_the_restored_journal(place: Place, tmp_path: Path) -> None:
    with place.headquarters():
        live(place, "c1")
        old_card = image_of(place.settings, tmp_path / "old-card")
        restore(place.settings, no_progress)
        place.let_in()
        live(place, "c2")
        card_from(old_card, place.settings)
        with place.cabinet() as store:
            register(store, "x2")
            with bootstrap.supervision(place.settings) as supervision:
                wait_until(
                    lambda: (
                        ("not_enrolled", store.journal.stream) in [(a.kind, a.detail) for a in supervision.alarms()]
                    ),
                    "it is turned away",
                )
            assert store.relay.view.size < store.journal.size()
