"""The simulated cabinet, with the product's own door, hooks, signals and reader on its wires."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk.domain.errors import HandRefused
from kiosk.domain.identifiers import HookId, TagId
from kiosk.domain.people import Tier
from kiosk.hardware.door import LockedDoor
from kiosk.hardware.hooks import SwitchedHooks
from kiosk.hardware.readers import NfcReader, Pace
from kiosk.hardware.signals import FrontSignals
from kiosk.hardware.simulated.cabinet import HOLD, SimulatedCabinet, TagSpec
from kiosk.hardware.wiring import load_wiring
from kiosk.services.ports import DoorChanged, HookChanged, ReaderChanged, Simulation, Tap, VirtualCabinet, VirtualTag
from tests.conformance.waiting import Reports, wait_until

CONFIGURATION = Path(__file__).parents[2] / "firmware_config"
MASTER = bytes(range(16))
TAGS = [
    TagSpec("nadia", "badge", "Nadia", "04A1B2C3D4E5F6", "ntag424"),
    TagSpec("old badge", "badge", "Paul", "5A6B7C8D", "uid_only"),
    TagSpec("k1", "key", "Clé 1", "04112233445566", "ntag213", "01"),
    TagSpec("k17", "key", "Clé 17", "04112233445577", "ntag213", "17"),
]
UID = {tag.name: tag.uid.lower() for tag in TAGS}


class Whole:
    """A cabinet and everything on it."""

    def __init__(self) -> None:
        wiring = load_wiring(CONFIGURATION / "pins.toml", CONFIGURATION / "readers.toml")
        self.cabinet = SimulatedCabinet(wiring, TAGS, MASTER)
        pins = self.cabinet.pins
        self.reports = Reports()
        self.signals = FrontSignals(wiring.green, wiring.red, wiring.buzzer, pins)
        self.door = LockedDoor(wiring.lock, wiring.contact, self.reports, pins, pulse=0.1)
        self.hooks = SwitchedHooks(wiring.hooks, self.reports, pins)
        self.reader = NfcReader(
            "desk", self.cabinet.reader_path, self.reports, lambda uid: TagId(uid.hex()), MASTER, self.signals.seen
        )
        self.reader.start()

    def open_door(self) -> None:
        self.door.release()
        self.reports.wait_for(DoorChanged(True))

    def close(self) -> None:
        self.reader.stop()
        for part in (self.hooks, self.door, self.signals, self.cabinet):
            part.close()


@pytest.fixture
def whole() -> Iterator[Whole]:
    made = Whole()
    made.reports.wait_for(ReaderChanged("desk", True))
    yield made
    made.close()


def test_the_cabinet_fills_the_port(whole: Whole) -> None:
    hands: Simulation = whole.cabinet
    assert hands.tags()[2] == VirtualTag("k1", "key", "Clé 1", HookId("01"))


def test_it_begins_shut_dark_and_with_every_key_on_its_own_hook(whole: Whole) -> None:
    view = whole.cabinet.look()
    assert not view.door_open
    assert (view.hooks[HookId("01")], view.hooks[HookId("02")], view.hooks[HookId("17")]) == ("k1", None, "k17")
    assert (view.lit, view.lamp, view.on_reader, view.in_hand) == (frozenset(), "", None, ())
    assert whole.hooks.sensed[HookId("01")]
    assert HookId("17") not in whole.hooks.sensed


def test_a_key_that_is_away_begins_in_hand() -> None:
    wiring = load_wiring(CONFIGURATION / "pins.toml", CONFIGURATION / "readers.toml")
    cabinet = SimulatedCabinet(wiring, TAGS, MASTER, away={"k1"})
    view = cabinet.look()
    assert view.hooks[HookId("01")] is None
    assert view.in_hand == ("k1",)
    cabinet.close()


def test_a_day_at_the_cabinet(whole: Whole) -> None:
    cabinet, reports = whole.cabinet, whole.reports
    cabinet.tap("nadia")
    reports.wait_for(Tap("desk", TagId(UID["nadia"]), Tier.AUTHENTICATED))
    whole.open_door()
    cabinet.take("k1")
    reports.wait_for(HookChanged(HookId("01"), False))
    cabinet.tap("k1")
    reports.wait_for(Tap("desk", TagId(UID["k1"]), Tier.IDENTIFIER_ONLY))
    assert cabinet.look().in_hand == ("k1",)
    cabinet.hang("k1", HookId("03"))
    reports.wait_for(HookChanged(HookId("03"), True))
    cabinet.close_door()
    reports.wait_for(DoorChanged(False))
    assert cabinet.look().hooks[HookId("03")] == "k1"


def test_a_tap_is_over_when_the_tag_has_been_read(whole: Whole) -> None:
    for name in ("nadia", "old badge", "k1", "k17", "nadia"):
        before = len(whole.reports.of(Tap))
        whole.cabinet.tap(name)
        assert len(whole.reports.of(Tap)) == before + 1
        assert whole.cabinet.look().on_reader is None


def test_a_hand_waits_for_a_slow_reader(whole: Whole) -> None:
    whole.reader.stop()
    reports = Reports()
    slow = NfcReader(
        "slow",
        whole.cabinet.reader_path,
        reports,
        lambda uid: TagId(uid.hex()),
        MASTER,
        lambda: None,
        pace=Pace(poll=3 * HOLD),
    )
    slow.start()
    reports.wait_for(ReaderChanged("slow", True))
    whole.cabinet.tap("nadia")
    assert Tap("slow", TagId(UID["nadia"]), Tier.AUTHENTICATED) in reports.all
    slow.stop()


def test_the_same_tag_tapped_twice_in_a_row_is_two_taps(whole: Whole) -> None:
    whole.cabinet.tap("nadia")
    whole.cabinet.tap("nadia")
    assert len(whole.reports.of(Tap)) == 2


def test_hands_in_several_threads_tap_one_after_the_other(whole: Whole) -> None:
    names = ["nadia", "old badge", "k1", "k17"]
    threads = [threading.Thread(target=whole.cabinet.tap, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {report.tag for report in whole.reports.all if isinstance(report, Tap)} == {UID[name] for name in names}


def test_a_hook_without_a_switch_holds_a_key_that_nothing_senses(whole: Whole) -> None:
    whole.open_door()
    whole.cabinet.take("k17")
    assert whole.cabinet.look().in_hand == ("k17",)
    whole.cabinet.hang("k17")
    assert whole.cabinet.look().hooks[HookId("17")] == "k17"
    time.sleep(0.15)
    assert whole.reports.of(HookChanged) == []


def test_a_shut_door_keeps_its_keys(whole: Whole) -> None:
    for move in (whole.cabinet.take, whole.cabinet.hang):
        with pytest.raises(HandRefused) as refused:
            move("k1")
        assert refused.value.values == {"kind": "door_shut"}


def test_what_hands_cannot_do_is_refused_and_changes_nothing(whole: Whole) -> None:
    whole.open_door()
    whole.cabinet.take("k1")
    before = whole.cabinet.look()
    moves: list[tuple[str, Callable[[], None]]] = [
        ("not_on_hook", lambda: whole.cabinet.take("k1")),
        ("already_on_hook", lambda: whole.cabinet.hang("k17", HookId("02"))),
        ("hook_taken", lambda: whole.cabinet.hang("k1", HookId("17"))),
        ("no_hook", lambda: whole.cabinet.hang("nadia")),
        ("unknown_tag", lambda: whole.cabinet.tap("nobody")),
        ("unknown_tag", lambda: whole.cabinet.take("nobody")),
        ("unknown_tag", lambda: whole.cabinet.hang("nobody")),
    ]
    for reason, move in moves:
        with pytest.raises(HandRefused) as refused:
            move()
        assert refused.value.values["kind"] == reason
    assert whole.cabinet.look() == before


def test_lights_and_lamps_can_be_seen(whole: Whole) -> None:
    whole.hooks.light(frozenset({HookId("02"), HookId("10")}))
    assert whole.cabinet.look().lit == {"02", "10"}
    whole.signals.accepted()
    wait_until(lambda: whole.cabinet.look().lamp == "green")
    whole.signals.refused()
    wait_until(lambda: whole.cabinet.look().lamp == "red")


def test_a_watcher_sees_it_now_and_at_each_change_until_the_cabinet_is_closed(whole: Whole) -> None:
    seen: list[VirtualCabinet] = []

    def watch() -> None:
        seen.extend(whole.cabinet.watch())

    watchers = [threading.Thread(target=watch) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    whole.open_door()
    whole.cabinet.take("k1")
    whole.cabinet.close_door()
    wait_until(lambda: sum(not view.door_open and view.in_hand == ("k1",) for view in list(seen)) >= 2)
    whole.close()
    for watcher in watchers:
        watcher.join(10)
    assert not any(watcher.is_alive() for watcher in watchers)


def test_a_watch_that_is_closed_is_over(whole: Whole) -> None:
    watch = whole.cabinet.watch()
    assert next(watch) == whole.cabinet.look()
    watch.close()  # type: ignore[attr-defined]  # the port promises an iterator; ours is a generator
    assert next(watch, None) is None
