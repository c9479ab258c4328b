"""Cabinets, a broker that keeps nothing, and headquarters, killed at random: nothing is lost, nothing doubled, nothing early."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.conftest import StartMosquitto, StartPostgres
from tests.integration.chaos.town import Town
from tests.integration.chaos.verdict import everything_is_there_once, nothing_was_believed_too_early
from tests.services import Mosquitto, Postgres

#: Set to what a failure prints, the same technicians come and the same parts die, in the same order.
SEED: Final = "CHAOS_SEED"
A_WHILE: Final = 15.0
LONG: Final = 1_800.0
#: How old the backup is that headquarters is restored from, seconds.
AGE: Final = 120.0


@contextmanager
def a_town(folder: Path, broker: Mosquitto, url: str, cluster: Postgres | None = None) -> Iterator[Town]:
    """A town where everybody is at work; what a failure needs is printed."""
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(10**9))
    print(f"{SEED}={seed}")
    town = Town(folder, broker, url, cluster, seed)
    try:
        town.begin()
        yield town
    finally:
        town.end()
        for one in town.ours:
            print(f"--- {one.name}\n{one.log[-4_000:]}")


def test_whoever_dies_for_a_while_nothing_is_lost_nor_doubled_nor_believed_too_early(
    tmp_path: Path, mosquitto: StartMosquitto, postgres_url: str
) -> None:
    with a_town(tmp_path, mosquitto(), postgres_url) as town:
        for _ in town.deaths(A_WHILE):
            nothing_was_believed_too_early(town)
        everything_is_there_once(town)


@pytest.mark.soak
def test_the_same_for_half_an_hour_in_which_the_database_dies_too_and_is_restored_from_an_older_backup(
    tmp_path: Path, mosquitto: StartMosquitto, start_postgres: StartPostgres
) -> None:
    cluster = start_postgres(fsync=True)
    with a_town(tmp_path, mosquitto(), cluster.url(cluster.create_database()), cluster) as town:
        for _ in town.deaths(LONG):
            nothing_was_believed_too_early(town)
        backup = town.back_up()
        for _ in town.deaths(AGE):
            nothing_was_believed_too_early(town)
        town.restore(backup)
        for _ in town.deaths(A_WHILE):
            pass  # now cabinets believe what headquarters has forgotten
        everything_is_there_once(town)
