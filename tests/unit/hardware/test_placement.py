from kiosk.hardware.placement import CROWD, Placement

BADGE, KEY = b"badge", b"key"
AWAY = 1.5


def read_at(now: float) -> Placement:
    placement = Placement(AWAY)
    assert placement.is_new(BADGE, now)
    placement.settle(frozenset({BADGE}), now, BADGE)
    return placement


def gone(placement: Placement) -> Placement:
    placement.miss()
    placement.miss()
    return placement


def test_a_tag_that_stays_is_new_once() -> None:
    placement = read_at(0.0)
    assert not any(placement.is_new(BADGE, now) for now in (0.1, 10.0, 3600.0))


def test_one_missed_poll_is_not_a_departure() -> None:
    placement = read_at(0.0)
    placement.miss()
    assert not placement.is_new(BADGE, 60.0)


def test_a_tag_that_was_away_for_long_is_new() -> None:
    assert gone(read_at(0.0)).is_new(BADGE, AWAY)


def test_a_tag_that_flutters_is_not_new() -> None:
    placement = gone(read_at(0.0))
    assert not placement.is_new(BADGE, AWAY - 0.1)
    assert not gone(placement).is_new(BADGE, 2 * AWAY - 0.2)


def test_another_tag_is_new_at_once() -> None:
    assert read_at(0.0).is_new(KEY, 0.1)


def test_a_tag_that_could_not_be_read_is_new_as_soon_as_it_has_left() -> None:
    placement = Placement(AWAY)
    placement.settle(frozenset({BADGE}), 0.0, None)
    assert not placement.is_new(BADGE, 0.1)
    assert gone(placement).is_new(BADGE, 0.5)


def test_of_several_tags_reported_together_none_is_new_until_all_have_left() -> None:
    placement = Placement(AWAY)
    placement.settle(frozenset({BADGE, CROWD}), 0.0, None)
    assert not placement.is_new(KEY, 60.0)
    assert not placement.is_new(BADGE, 61.0)
    assert gone(placement).is_new(KEY, 61.5)
