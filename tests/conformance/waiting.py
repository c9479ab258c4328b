"""Reports come from the hardware's own threads: a test waits for them, and for their absence."""

import time
from collections.abc import Callable

from kiosk.services.ports import Report

PATIENCE = 15.0


class Reports:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.all: list[Report] = []

    def __call__(self, report: Report) -> None:
        self.all.append(report)

    def of(self, *kinds: type[Report]) -> list[Report]:
        """Those of these kinds, in order."""
        return [report for report in list(self.all) if isinstance(report, kinds)]

    def wait_for(self, report: Report, times: int = 1) -> None:
        """Until it has come so many times; what came is shown when it does not."""
        wait_until(lambda: self.all.count(report) >= times, lambda: f"{report} did not come, only {self.all}")


def wait_until(holds: Callable[[], bool], otherwise: Callable[[], str] = lambda: "it never held") -> None:
    """Wait, with patience for a busy machine."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, otherwise()
        time.sleep(0.01)
