"""Samples, and how two sides are compared: by turns within one run, so that whatever slows the machine down slows both."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Side = Callable[[], float]
"""Does a thing once and tells how many seconds it took."""

Tick = Callable[[], None]
"""Called after each round, for the progress bar."""

#: How many of its units a second or a byte is.
SCALES: Mapping[str, float] = {"µs": 1e6, "ms": 1e3, "s": 1.0, "MB": 1e-6, "kB": 1e-3}

#: Rounds whose figures are thrown away: caches fill, statements are compiled.
WARM_UP = 10


@dataclass(frozen=True, slots=True)
class Samples:
    """What one side took, each time; seconds, or bytes for memory."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of them were below."""
        return statistics.median(self.values)

    @property
    def p95(self) -> float:
        """All but one in twenty were below."""
        return sorted(self.values)[min(len(self.values) - 1, int(len(self.values) * 0.95))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A line of the table. With a `reference` the bound is on the ratio of the medians, else on `verdict`'s own value.

    A figure without a bound is there to explain another one. Those of a `series` are drawn against the `length` of the log.
    """

    what: str
    samples: Samples
    reference: Samples | None = None
    against: str = ""
    bound: float | None = None
    on: str = "p95"
    unit: str = "ms"
    series: str = ""
    length: int = 0

    @property
    def ratio(self) -> float | None:
        """How many times what the reference takes."""
        return None if self.reference is None else self.samples.median / self.reference.median

    @property
    def verdict(self) -> float:
        """What the bound is on."""
        if self.ratio is not None:
            return self.ratio
        return max(self.samples.values) if self.on == "every" else self.samples.p95

    @property
    def met(self) -> bool | None:
        """Whether the bound holds; None without one."""
        return None if self.bound is None else self.verdict <= self.bound


def by_turns(sides: Mapping[str, Side], rounds: int, tick: Tick, warm_up: int = WARM_UP) -> dict[str, Samples]:
    """Measure each side once a round; each round another one begins, so that none always follows the same neighbour."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    order = list(sides)
    for round_ in range(-warm_up, rounds):
        for name in _turned(order, round_):
            seconds = sides[name]()
            if round_ >= 0:
                taken[name].append(seconds)
        if round_ >= 0:
            tick()
    return {name: Samples(tuple(values)) for name, values in taken.items()}


def _turned(order: Sequence[str], by: int) -> list[str]:
    start = by % len(order)
    return [*order[start:], *order[:start]]
