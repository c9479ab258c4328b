"""Lives one visit again and again, and is killed at its first step, then at its second, and so on until it survives.

Run as `python -m tests.integration.cabinet.doomed VISIT TEMPLATE FOLDER`. Each life is a fork in a copy of TEMPLATE under
FOLDER; a step is a statement, a commit, a connection given back, the pulse, or the end of a movement of the hands. Further lives
end in the middle of the commit that records the signature, while SQLite writes: a little later each time.
"""

import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, event
from sqlalchemy.pool import Pool

from kiosk.domain.identifiers import HookId
from kiosk.services.front import Step
from tests.building import HOOKS, Front, House

#: What is left beside a cabinet that was killed: which hooks are occupied, each pulse, and where it died.
WORLD: Final = "world.json"
PULSES: Final = "pulses.txt"
LAST_STEP: Final = "last_step.txt"


#: How long after the beginning of the commit death comes, seconds: 0.1 ms to some 20 ms, for quick disks and slow ones.
IN_THE_COMMIT: Final = tuple(0.000_1 * 1.25**n for n in range(24))


class Death:
    """Comes at step number `at`, counted from when it is told to watch, or `within` the signature's commit."""

    def __init__(self, folder: Path, at: int, within: float = 0.0) -> None:
        self._folder, self._at, self._within = folder, at, within
        self._count, self._recording, self.watching = 0, False, False
        event.listen(Engine, "before_cursor_execute", self._before_statement)
        event.listen(Engine, "commit", self._commit)
        event.listen(Pool, "checkin", lambda *_: self.step("after the transaction"))

    def step(self, what: str) -> None:
        """One step further."""
        if self.watching:
            self._count += 1
            if self._count == self._at:
                (self._folder / LAST_STEP).write_text(what)
                os.kill(os.getpid(), signal.SIGKILL)

    def _before_statement(self, _: object, __: object, statement: str, *___: object) -> None:
        self._recording |= statement.startswith("INSERT INTO entries")
        if statement != "BEGIN":  # which only says that a transaction that reads follows
            self.step(f"before {statement}")

    def _commit(self, _: object) -> None:
        self.step("before the commit")
        if self.watching and self._recording and self._within:
            (self._folder / LAST_STEP).write_text(f"{1000 * self._within:.2f} ms within the commit")
            # Nobody handles this signal, so the kernel ends the process wherever it is, as SIGKILL would.
            signal.setitimer(signal.ITIMER_REAL, self._within)
            self._within = 0.0


class MortalHouse(House):
    """A cabinet in a world that outlives it: what the hands have moved stays moved."""

    def __init__(self, folder: Path, death: Death) -> None:
        super().__init__(folder, Front(), hanging=hanging_in(folder))
        self._death = death
        self.door.before = self._pulse

    def hook(self, name: str, occupied: bool) -> None:
        """Hang something on a hook, or lift it off."""
        hanging = hanging_in(self.folder)
        write_world(self.folder, hanging | {HookId(name)} if occupied else hanging - {HookId(name)})
        self._death.step("after the hook moved")
        super().hook(name, occupied)

    def _pulse(self) -> None:
        self._death.step("right before the pulse")
        with (self.folder / PULSES).open("ab", buffering=0) as log:
            log.write(b"pulse\n")
            os.fsync(log.fileno())


def hanging_in(folder: Path) -> frozenset[HookId]:
    """The hooks that are occupied in the world outside."""
    return frozenset(HookId(hook) for hook in json.loads((folder / WORLD).read_text()))


def write_world(folder: Path, hanging: frozenset[HookId]) -> None:
    """Remember which hooks are occupied."""
    (folder / WORLD).write_text(json.dumps(sorted(hanging & HOOKS.keys())))


def _take(house: House, then: Callable[[str], None]) -> None:
    house.badge("nadia")
    then("right after the pulse")
    house.open_door()
    house.lift("01")
    house.key("K-1")
    then("after the first key")
    house.key("K-17")
    then("after the second key")
    house.sign()
    then("after the signature")
    house.close_door()
    house.wait(4)


def _return(house: House, then: Callable[[str], None]) -> None:
    house.badge("nadia")
    then("right after the pulse")
    house.open_door()
    house.key("K-1")
    then("after the first key")
    house.hang("01")
    house.key("K-17")
    then("after the second key")
    house.sign()
    then("after the signature")
    house.close_door()
    house.wait(4)


def _debt(house: House, then: Callable[[str], None]) -> None:
    house.badge("nadia")
    then("after the badge")
    house.sign()
    then("right after the pulse")
    house.open_door()
    house.close_door()


def _restart(house: House, _: Callable[[str], None]) -> None:
    house.desk.resume()


VISITS: Final[Mapping[str, Callable[[House, Callable[[str], None]], None]]] = {
    "take": _take,
    "return": _return,
    "debt": _debt,
    "restart": _restart,
}


def _live(visit: str, folder: Path, at: int, within: float) -> None:
    death = Death(folder, at, within)
    house = MortalHouse(folder, death)
    if visit != "restart":
        house.desk.resume()
    death.watching = True
    VISITS[visit](house, death.step)
    death.watching = False
    assert house.step is Step.IDLE, house.screen


def _one_life(visit: str, folder: Path, at: int, within: float = 0.0) -> bool:
    """Live in a fork; tells whether it survived."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _live(visit, folder, at, within)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGALRM):
        return False
    assert os.waitstatus_to_exitcode(status) == 0, f"the visit failed at step {at}"
    return True


def main() -> None:
    """Die at every step, one after another, then within the commit."""
    visit, template, lives = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    for at in count(1):
        if _one_life(visit, _body(template, lives / f"{at:04}"), at):
            break
    for number, within in enumerate(IN_THE_COMMIT):
        _one_life(visit, _body(template, lives / f"commit-{number:02}"), 0, within)


def _body(template: Path, folder: Path) -> Path:
    shutil.copytree(template, folder)
    return folder


if __name__ == "__main__":
    main()
