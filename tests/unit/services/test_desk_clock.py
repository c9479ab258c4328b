"""A clock that goes back: the order of the journal does not depend on it, and everybody is told not to believe it."""

from datetime import UTC, datetime, timedelta

from kiosk.services.front import Step
from tests.building import House, chain_holds, refolds_to_itself

TWO_HOURS = timedelta(hours=2)


def test_entries_keep_their_order_when_the_clock_is_set_back_and_say_so(house: House) -> None:
    house.take("nadia", "K-1")
    house.clock.set_wall_clock(-TWO_HOURS)
    house.take("julien", "K-2")
    before, after = house.entries()[-2:]
    assert after.time < before.time
    assert after.sequence == before.sequence + 1
    assert (before.clock_set, after.clock_set) == (True, False)
    assert after.monotonic > before.monotonic
    assert chain_holds(house.bodies())
    assert refolds_to_itself(house.store)


def test_a_line_of_the_register_says_that_its_time_is_doubtful_until_it_moves_again(house: House) -> None:
    house.take("nadia", "K-1")
    house.clock.set_wall_clock(-TWO_HOURS)
    house.give_back("nadia", "K-1")
    assert house.item("K-1").clock_doubtful
    house.clock.set_wall_clock(TWO_HOURS)
    house.take("nadia", "K-1")
    assert not house.item("K-1").clock_doubtful


def test_a_key_taken_unsigned_by_a_doubtful_clock_says_so_too(house: House) -> None:
    house.clock.set_wall_clock(-timedelta(days=60))
    house.enter("nadia")
    house.lift("01")
    house.wait(50)
    assert house.item("K-1").unsigned
    assert house.item("K-1").clock_doubtful


def test_the_screen_shows_a_doubtful_clock_and_stops_when_it_is_right_again(house: House) -> None:
    house.take("nadia", "K-1")
    assert not house.screen.clock_doubtful
    house.clock.set_wall_clock(-TWO_HOURS)
    house.badge("nadia")
    assert house.screen.clock_doubtful
    house.wait(50)
    house.clock.set_wall_clock(TWO_HOURS)
    house.badge("nadia")
    assert not house.screen.clock_doubtful


def test_a_restart_remembers_the_latest_time_that_was_believed(house: House) -> None:
    house.take("nadia", "K-1")
    house.clock.set_wall_clock(-TWO_HOURS)
    house.restart()
    house.take("julien", "K-2")
    assert not house.entries()[-1].clock_set


def test_a_clock_that_was_never_set_is_not_believed(house: House) -> None:
    house.clock.time = datetime(1970, 1, 1, tzinfo=UTC)
    house.take("nadia", "K-1")
    assert not house.entries()[-1].clock_set
    assert house.entries()[-1].time.startswith("1970-01-01T00:00")
    assert chain_holds(house.bodies())


def test_the_waits_do_not_care(house: House) -> None:
    house.take("julien", "K-2")
    house.enter("nadia")
    house.key("K-1")
    house.clock.set_wall_clock(-TWO_HOURS)
    house.wait(59)
    assert (house.step, house.screen.asking) == (Step.SIGNING, False)
    house.wait(21)
    assert house.at(Step.IDLE)
    assert not house.entries()[-1].clock_set


def test_entries_of_one_act_have_one_time(house: House) -> None:
    house.take("nadia", "K-1", "K-2")
    one, other = house.entries()[-2:]
    assert (one.time, one.monotonic, one.boot) == (other.time, other.monotonic, other.boot)
    assert one.time.endswith("Z")
