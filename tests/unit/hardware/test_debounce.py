import time

from kiosk.hardware.debounce import Debouncer

#: Long against the bounces, so that a busy machine does not take one of them for the rest.
SETTLE = 0.4


class Switch:
    """A switch that the test moves, and what was told of it."""

    def __init__(self) -> None:
        self.level = False
        self.told: list[tuple[str, bool, float]] = []
        self.debouncer = Debouncer({"switch": False}, lambda _: self.level, self._tell, SETTLE)

    def _tell(self, name: str, level: bool) -> None:
        self.told.append((name, level, time.monotonic()))

    def move(self, level: bool) -> None:
        self.level = level
        self.debouncer.edge("switch")


def test_a_change_counts_once_and_only_when_it_has_lasted() -> None:
    switch = Switch()
    for _ in range(6):
        switch.move(True)
        time.sleep(0.02)
        switch.move(False)
        time.sleep(0.02)
    switch.move(True)
    last = time.monotonic()
    time.sleep(2 * SETTLE)
    switch.debouncer.close()
    ((name, level, when),) = switch.told
    assert (name, level) == ("switch", True)
    assert when - last >= SETTLE * 0.9


def test_what_has_not_settled_when_it_is_closed_is_not_told() -> None:
    switch = Switch()
    switch.move(True)
    switch.debouncer.close()
    switch.debouncer.close()
    assert switch.told == []
