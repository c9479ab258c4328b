"""Go-back-N without a broker: what may be sent, what is sent again, and when."""

from hypothesis import given
from hypothesis import strategies as st

from kiosk.mqtt.window import FIRST_PATIENCE, LAST_PATIENCE, WINDOW, Window


def sent(window: Window, count: int, now: float = 0.0) -> Window:
    for _ in range(count):
        window.sending(now)
    return window


def test_it_begins_after_the_acknowledgement() -> None:
    window = Window(7)
    assert (window.acked, window.sent, window.room, window.waiting) == (7, 7, WINDOW, False)


def test_an_acknowledgement_makes_room() -> None:
    window = sent(Window(0), WINDOW)
    assert window.room == 0
    window.acknowledge(10, 0.0, may_fall=False)
    assert window.room == 10


def test_within_an_instance_it_only_rises() -> None:
    window = sent(Window(5), 3)
    window.acknowledge(4, 0.0, may_fall=False)
    assert (window.acked, window.sent) == (5, 8)


def test_a_new_instance_may_lower_it_and_everything_after_is_sent_again() -> None:
    window = sent(Window(5), 3)
    window.acknowledge(2, 0.0, may_fall=True)
    assert (window.acked, window.sent) == (2, 2)


def test_an_acknowledgement_beyond_what_was_sent_skips_it() -> None:
    window = sent(Window(0), 3)
    window.acknowledge(9, 0.0, may_fall=True)
    assert (window.acked, window.sent) == (9, 9)


def test_the_wait_begins_with_the_first_entry_and_is_about_a_second() -> None:
    window = sent(Window(0), 1, now=100.0)
    assert not window.overdue(100.0 + 0.79 * FIRST_PATIENCE)
    assert window.overdue(100.0 + 1.21 * FIRST_PATIENCE)


def test_each_going_back_doubles_the_wait_up_to_ten_seconds() -> None:
    window, now, waits = sent(Window(0), 5), 0.0, []
    for _ in range(8):
        window.go_back(now)
        assert window.sent == 0
        later = next(now + step / 10 for step in range(200) if window.overdue(now + step / 10))
        waits.append(later - now)
        now = later
    assert all(0.8 * wait <= waits[at] <= 1.2 * wait + 0.1 for at, wait in enumerate([2, 4, 8, 10, 10, 10, 10, 10]))
    assert LAST_PATIENCE == 10


def test_progress_makes_it_patient_for_a_second_again() -> None:
    window = sent(Window(0), 5)
    for _ in range(5):
        window.go_back(0.0)
    sent(window, 5)
    window.acknowledge(1, 50.0, may_fall=False)
    assert window.overdue(51.3)


def test_cabinets_that_wait_for_the_same_thing_do_not_come_back_at_the_same_moment() -> None:
    windows = [sent(Window(0), 1) for _ in range(50)]
    overdue = sum(window.overdue(FIRST_PATIENCE) for window in windows)
    assert 0 < overdue < 50


@given(st.lists(st.tuples(st.sampled_from(["send", "ack", "fall", "back", "restart"]), st.integers(0, 200))))
def test_whatever_happens_no_more_than_the_window_is_ahead(happenings: list[tuple[str, int]]) -> None:
    window = Window(0)
    for what, number in happenings:
        match what:
            case "send":
                sent(window, min(number, window.room))
            case "ack":
                before = window.acked
                window.acknowledge(number, 0.0, may_fall=False)
                assert window.acked >= before
            case "fall":
                window.acknowledge(number, 0.0, may_fall=True)
                assert window.acked == number
            case "back":
                window.go_back(0.0)
            case _:
                window.restart(0.0)
        assert window.acked <= window.sent <= window.acked + WINDOW
