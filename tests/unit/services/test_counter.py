"""The thread that owns the desk: reports and presses of many threads, one after another."""

import threading
import time
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from kiosk.clock import SystemClock
from kiosk.domain.errors import NotVisiting
from kiosk.domain.people import Tier
from kiosk.services.counter import Counter, Inbox, ear
from kiosk.services.front import Cancel, EnterPin, Screen, Sign, Step
from kiosk.services.ports import Tap
from tests.building import BADGES, KEYS, PIN, SIGNATURE, House


class Counted:
    """A counter over a house's desk, and hands that report to it as the hardware does."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.inbox: Inbox = SimpleQueue()
        self.counter = Counter(house.desk, SystemClock(), self.inbox)

    def tap(self, uid: str, tier: Tier = Tier.AUTHENTICATED) -> None:
        ear(self.inbox, SystemClock())(Tap("desk", self.house.tag(uid), tier))

    def wait_for(self, step: Step, holds: Callable[[Screen], bool] = lambda _: True) -> Screen:
        watch = self.counter.watch()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            shown = watch.next(1.0)
            if shown is not None and shown.step is step and holds(shown):
                return shown
        raise AssertionError(f"{step} did not come")


@pytest.fixture
def counted(house: House) -> Iterator[Counted]:
    made = Counted(house)
    made.counter.start()
    yield made
    made.counter.stop()


def test_a_watcher_sees_the_present_screen_at_once_and_then_only_changes(counted: Counted) -> None:
    watch = counted.counter.watch()
    first = watch.next(5)
    assert first is not None
    assert first.step is Step.IDLE
    assert watch.next(0.05) is None
    counted.tap(BADGES["nadia"])
    second = watch.next(5)
    assert second is not None
    assert second.step is Step.OPEN
    late = counted.counter.watch().next(0)
    assert late == second


def test_a_press_has_taken_effect_when_it_returns(counted: Counted) -> None:
    counted.tap(BADGES["thomas"], Tier.IDENTIFIER_ONLY)
    token = counted.wait_for(Step.PIN).token
    counted.counter.press(token, EnterPin(PIN))
    shown = counted.counter.watch().next(0)
    assert shown is not None
    assert shown.step is Step.OPEN


def test_a_press_raises_what_the_desk_refuses(counted: Counted) -> None:
    with pytest.raises(NotVisiting):
        counted.counter.press("nobody", Cancel())


def test_valider_from_two_screens_at_once_is_one_event(counted: Counted) -> None:
    counted.tap(BADGES["nadia"])
    counted.tap(KEYS["K-1"], Tier.IDENTIFIER_ONLY)
    shown = counted.wait_for(Step.SIGNING)
    assert shown.statement is not None
    press = Sign(SIGNATURE, shown.statement.text)
    failed: list[Exception] = []

    def validate() -> None:
        try:
            counted.counter.press(shown.token, press)
        except Exception as e:
            failed.append(e)

    screens = [threading.Thread(target=validate) for _ in range(8)]
    for screen in screens:
        screen.start()
    for screen in screens:
        screen.join()
    assert failed == []
    assert counted.house.custody("K-1") == ["custody.taken"]


def test_only_the_visit_at_the_inventory_may_read_it(counted: Counted) -> None:
    counted.tap(BADGES["sophie"])
    token = counted.wait_for(Step.PIN).token
    assert not counted.counter.may_read_inventory(token)
    counted.counter.press(token, EnterPin(PIN))
    assert counted.counter.may_read_inventory(token)
    for other in ("", "x" * 32):
        assert not counted.counter.may_read_inventory(other)
    counted.counter.press(token, Cancel())
    assert not counted.counter.may_read_inventory(token)


def test_a_watch_that_is_closed_or_whose_counter_stops_lets_its_thread_go(house: House) -> None:
    counted = Counted(house)
    counted.counter.start()
    watches = [counted.counter.watch() for _ in range(2)]
    for watch in watches:
        watch.next(5)
    waiting = [threading.Thread(target=watch.next, args=(60,)) for watch in watches]
    for thread in waiting:
        thread.start()
    watches[0].close()
    waiting[0].join(10)
    assert not waiting[0].is_alive()
    counted.counter.stop()
    waiting[1].join(10)
    assert not waiting[1].is_alive()


def test_what_has_queued_up_is_finished_before_the_counter_stops(house: House) -> None:
    counted = Counted(house)
    counted.counter.start()
    counted.tap(BADGES["nadia"])
    counted.tap(KEYS["K-1"], Tier.IDENTIFIER_ONLY)
    counted.counter.stop()
    assert house.basket == ["K-1"]


def test_the_beat_goes_on_while_nobody_comes(counted: Counted) -> None:
    before = counted.counter.beat
    deadline = time.monotonic() + 10
    while counted.counter.beat == before:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_tap_that_had_to_wait_opens_nothing(counted: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kiosk.services.counter.STALE", 50_000_000)
    folding = threading.Event()

    def hold_the_database() -> None:
        with counted.house.store.local._database.write():
            folding.set()
            time.sleep(0.3)

    other = threading.Thread(target=hold_the_database)
    other.start()
    folding.wait(5)
    counted.tap("04FFFFFFFFFF01")
    counted.tap(BADGES["nadia"])
    other.join()
    shown = counted.wait_for(Step.IDLE, lambda screen: screen.notice is not None and screen.notice.code == "TornTap")
    assert shown.token == ""
    assert counted.house.door.pulses == 0
