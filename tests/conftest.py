"""What every test may ask for, and two guards that none escapes.

| fixture | scope | what it gives |
|---|---|---|
| `mosquitto` | test | `mosquitto(configuration=None, port=None)` starts a broker: `.port .kill() .restart() .stop()` |
| `postgres_url` | test | the address of an empty database, for SQLAlchemy |
| `postgres_cluster` | session | the cluster behind it |
| `start_postgres` | test | `start_postgres(fsync=True)` starts a cluster of the test's own, to kill or restart |
| `chromium` | session | the path of the browser |
| `browser` | session | Playwright's browser (synchronous); a test makes its own contexts |
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.services import (
    BROWSER_SWITCHES,
    Mosquitto,
    Postgres,
    ServiceFailed,
    ServiceMissing,
    children,
    program,
    refuse_beyond_loopback,
    wait_until,
)

Part = TypeVar("Part")


class StartMosquitto(Protocol):
    """How a test asks for a broker."""

    def __call__(self, configuration: str | Path | None = None, port: int | None = None) -> Mosquitto:
        """Start one; `{port}` and `{folder}` in the configuration are filled in."""
        ...


class StartPostgres(Protocol):
    """How a test asks for a cluster of its own."""

    def __call__(self, *, fsync: bool = False) -> Postgres:
        """Start one, waiting for the disk at each commit or not."""
        ...


def installed(make: Callable[[], Part]) -> Part:
    """Make a part; if its program is missing, fail with the line that installs it."""
    try:
        return make()
    except ServiceMissing as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture(scope="session", autouse=True)
def nothing_left_running() -> Iterator[None]:
    """No process outlives the tests. Set up first of all, so checked last."""
    yield
    # What was told to end a moment ago may need that moment.
    with contextlib.suppress(ServiceFailed):
        wait_until(lambda: not children(), "the end of every process", patience=5)
    left = "\n".join(f"{pid}: {command}" for pid, command in children().items())
    if left:
        pytest.fail(f"the tests left processes behind:\n{left}", pytrace=False)


@pytest.fixture(scope="session", autouse=True)
def only_loopback() -> Iterator[None]:
    """No test reaches beyond this machine."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guarded_connect(self: socket.socket, address: tuple[str, int]) -> None:
        refuse_beyond_loopback(self.family, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: tuple[str, int]) -> int:
        refuse_beyond_loopback(self.family, address)
        return connect_ex(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        yield


@pytest.fixture(autouse=True)
def no_foreign_event_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Playwright's loop counts as running for the whole session; tests without it may still call `asyncio.run`."""
    loop = asyncio._get_running_loop()
    if loop is None or "browser" in request.fixturenames:
        yield
        return
    asyncio._set_running_loop(None)
    yield
    asyncio._set_running_loop(loop)


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartMosquitto]:
    """Start real brokers; all are stopped after the test."""
    started: list[Mosquitto] = []

    def start(configuration: str | Path | None = None, port: int | None = None) -> Mosquitto:
        folder = tmp_path_factory.mktemp("mosquitto")
        broker = installed(lambda: Mosquitto(folder, configuration, port))
        started.append(broker)
        return broker.start()

    yield start
    for broker in reversed(started):
        broker.stop()


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Postgres]:
    """A real cluster, one for each worker, that does not wait for the disk."""
    cluster = installed(Postgres)
    try:
        yield cluster.start()
    finally:
        cluster.stop()
        cluster.remove()


@pytest.fixture
def postgres_url(postgres_cluster: Postgres) -> Iterator[str]:
    """The address of an empty database that is dropped after the test."""
    database = postgres_cluster.create_database()
    yield postgres_cluster.url(database)
    postgres_cluster.drop_database(database)


@pytest.fixture
def start_postgres() -> Iterator[StartPostgres]:
    """Start clusters of the test's own, to be cut off and restarted; all are removed after the test."""
    started: list[Postgres] = []

    def start(*, fsync: bool = False) -> Postgres:
        cluster = installed(lambda: Postgres(fsync=fsync))
        started.append(cluster)
        return cluster.start()

    yield start
    for cluster in reversed(started):
        cluster.remove()


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser that Debian installs."""
    return installed(lambda: program("chromium"))


@pytest.fixture(scope="session")
def browser(chromium: Path) -> Iterator[Browser]:
    """A real browser, confined to this machine."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=list(BROWSER_SWITCHES))
        yield launched
        launched.close()
