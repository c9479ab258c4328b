"""Everything that can be killed: cabinets, a broker that keeps nothing, two headquarters, and PostgreSQL if need be."""

import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Final

from sqlalchemy import make_url

from kiosk.store.database import Database
from kiosk.store.enrolment import enrol
from kiosk.store.tables import HEADQUARTERS
from tests.integration.chaos.cabinet import EMPTY, ENOUGH
from tests.integration.chaos.told import FILE, last_told
from tests.integration.hq.parts import LET_IN, Cabinet, log_key
from tests.services import (
    Mosquitto,
    Postgres,
    Service,
    ServiceFailed,
    children,
    dying_with_us,
    postgres_program,
    wait_until,
)

CABINETS: Final = 3
OFFICES: Final = 2
#: How many die at once: one as a rule, and now and then everybody, in a power cut.
VICTIMS: Final = (1, 1, 1, 1, 2, 3, 100)
#: How long an entry takes to headquarters and back, seconds.
ON_ITS_WAY: Final = 0.02
#: Longer than between acts in which nobody comes, seconds.
LULL: Final = 1.0


class Mortal(Service):
    """One of our own processes. It says nothing when it is ready: whoever needs it waits for it."""

    def __init__(self, name: str, folder: Path, module: str, *arguments: str) -> None:
        super().__init__(name, folder, None)
        self._command = [*dying_with_us("KILL"), sys.executable, "-m", f"tests.integration.chaos.{module}", *arguments]

    def command(self) -> list[str]:
        return self._command

    def is_ready(self) -> bool:
        return True


class Town:
    """Cabinets and those whom they depend on.

    Args:
        folder: where cabinets keep what they have.
        broker: running.
        url: headquarters' empty database.
        cluster: the PostgreSQL that it is in, when that may be killed too.
        seed: decides who dies when, and what technicians do.
    """

    def __init__(self, folder: Path, broker: Mosquitto, url: str, cluster: Postgres | None, seed: int) -> None:
        self._chance, self._folder, self._url, self._cluster = Random(seed), folder, url, cluster
        self.folders = {f"cabinet-{number}": folder / f"cabinet-{number}" for number in range(CABINETS)}
        port = str(broker.port)
        self._cabinets = [
            Mortal(node, place, "cabinet", str(place), node, port, f"{seed} {node}")
            for node, place in self.folders.items()
        ]
        self._offices = [Mortal(f"office-{number}", folder, "headquarters", url, port) for number in range(OFFICES)]
        self.ours = (*self._offices, *self._cabinets)
        self._all: list[Service] = [broker, *self.ours, *([cluster] if cluster else [])]

    def central(self) -> closing[Database]:
        """Headquarters' database, for a look."""
        return closing(Database(self._url, HEADQUARTERS, gapless=False))

    def begin(self) -> None:
        """Found the journals, let them in, start everybody, and wait until technicians come."""
        with self.central() as database:
            for node, place in self.folders.items():
                stream = str(uuid.uuid4())
                Cabinet(place, node, stream).close()
                enrol(database, [log_key(node, stream).verifier], LET_IN)
        for one in self.ours:
            one.start()
        self._wait_for_visits()

    def deaths(self, seconds: float) -> Iterator[int]:
        """Kill for so long, and bring back; between the two, while the dead are dead, tells how many there were so far."""
        end, count = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            victims = self._chance.sample(self._all, min(self._chance.choice(VICTIMS), len(self._all)))
            self._wait_for_an_act()
            for victim in victims:
                victim.kill()
            count += len(victims)
            # The other headquarters takes over within half a second, and puts right what the dead one has done wrong.
            time.sleep(self._chance.uniform(0, 0.5))
            if self._cluster in victims:
                victims.remove(self._cluster)
                _bring_back(self._cluster)
            yield count
            for victim in victims:
                _bring_back(victim)
            self._wait_for_visits()
            time.sleep(self._chance.uniform(0, 1.5))

    def back_up(self) -> Path:
        """Copy headquarters' database as it is now."""
        backup = self._folder / "backup"
        self._with_database("pg_dump", "--format=custom", f"--file={backup}")
        return backup

    def restore(self, backup: Path) -> None:
        """Give headquarters an older database."""
        for office in self._offices:
            office.kill()
        self._with_database("pg_restore", "--clean", "--single-transaction", str(backup))
        for office in self._offices:
            office.start()

    def close_shop(self) -> None:
        """Nobody comes any more; wait until the last one has gone."""
        for place in self.folders.values():
            (place / ENOUGH).touch()
        wait_until(lambda: all((place / EMPTY).exists() for place in self.folders.values()), "closing time")

    def fallen(self) -> list[str]:
        """Who has ended without being killed."""
        return [one.name for one in self.ours if one.pid not in children()]

    def end(self) -> None:
        """Kill everybody of ours, the last time."""
        for one in self.ours:
            one.kill()

    def _wait_for_visits(self) -> None:
        """On a busy machine a cabinet takes seconds to start: all are given the time for an act before anybody dies again."""
        before = {place: last_told(place).act for place in self.folders.values()}
        wait_until(lambda: all(last_told(place).act > act for place, act in before.items()), "a visit to every cabinet")

    def _wait_for_an_act(self) -> None:
        """Until somebody was told something: while that is on its way to headquarters death finds more to spoil."""
        book = self._chance.choice(list(self.folders.values())) / FILE
        size, deadline = book.stat().st_size, time.monotonic() + LULL
        while book.stat().st_size == size and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(self._chance.uniform(0, ON_ITS_WAY))

    def _with_database(self, program: str, *arguments: str) -> None:
        address = make_url(self._url).set(drivername="postgresql").render_as_string(hide_password=False)
        subprocess.run([postgres_program(program), f"--dbname={address}", *arguments], check=True)


def _bring_back(service: Service) -> None:
    wait_until(lambda: _started(service), f"the return of {service.name}")


def _started(service: Service) -> bool:
    # PostgreSQL refuses to begin while processes of its last life are still ending.
    with suppress(ServiceFailed):
        service.start()
        return True
    return False
