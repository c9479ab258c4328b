"""Real parts for the tests: a broker, a database, a browser. Loopback only, free ports, nothing left behind.

A part that is not installed raises `ServiceMissing` with the line that installs it; it is never skipped.
"""

import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any, Self, cast

import psycopg

LOOPBACK = "127.0.0.1"

#: Outside the kernel's ephemeral range (from 32768 on): no outgoing connection takes a port while its service is down.
PORTS = range(20_000, 32_000)

#: Long enough for a busy machine, short enough to fail with the service's own log instead of pytest's timeout.
PATIENCE = 30.0

BROWSER_SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-pinch",
    # A page that asks for anything but this machine fails, as it would in a cabinet's closed network.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)

#: Debian keeps daemons out of a person's PATH.
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/sbin")

# A process asked to die with its parent dies with the *thread* that started it, so one thread that stays starts all.
_SPAWNER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


class ServiceMissing(Exception):
    """A program that the tests talk to is not installed."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed. Install what the tests need: tests/install-services")


class ServiceFailed(Exception):
    """A service ended or stayed silent instead of becoming ready."""


def program(name: str, folders: Sequence[str] = SYSTEM_FOLDERS) -> Path:
    """Find a program on the PATH, then in `folders`.

    Raises:
        ServiceMissing: it is in neither.
    """
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        raise ServiceMissing(name)
    return Path(found)


def free_port() -> int:
    """A port of the loopback interface that nothing listens on."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
        return port


def accepts(port: int) -> bool:
    """Tell whether something listens on `port`."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def wait_until(ready: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Poll until `ready` says so.

    Raises:
        ServiceFailed: it did not within `patience` seconds.
    """
    deadline = time.monotonic() + patience
    while not ready():
        if time.monotonic() > deadline:
            raise ServiceFailed(f"{what} did not happen within {patience:g} s")
        time.sleep(0.02)


def dying_with_us(how: str) -> list[str]:
    """The command prefix that ends a service with signal `how` should pytest itself be killed."""
    return [str(program("setpriv")), "--pdeathsig", how]


class Service:
    """A program run on a port of the loopback interface, with its log in a folder."""

    stop_signal = signal.SIGTERM

    def __init__(self, name: str, folder: Path, port: int | None) -> None:
        self.name = name
        self.folder = folder
        self.port = port or free_port()
        self.log_file = folder / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        """What the program said so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def pid(self) -> int:
        """The process that runs now."""
        if self._process is None:
            raise ServiceFailed(f"{self.name} is not running")
        return self._process.pid

    def command(self) -> list[str]:
        """What to run. Each service says it."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether it can be talked to."""
        return accepts(self.port)

    def start(self) -> Self:
        """Run the program and wait until it answers."""
        with self.log_file.open("ab") as log:
            self._process = _SPAWNER.submit(self._spawn, log).result()
        try:
            wait_until(self._ready_or_ended, f"the start of {self.name}")
        except ServiceFailed as silence:
            self.kill()
            raise ServiceFailed(f"{silence}; its log:\n{self.log}") from silence
        return self

    def stop(self) -> None:
        """End it in good order, by force if that takes too long."""
        self._end(self.stop_signal)

    def kill(self) -> None:
        """Cut it off: SIGKILL, as a power cut would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Stop it, or note that it is gone, and run it again on the same port."""
        self.stop()
        self.start()

    def _spawn(self, log: Any) -> subprocess.Popen[bytes]:  # noqa: ANN401  # whatever Popen takes as a file
        return subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder)

    def _ready_or_ended(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            status, self._process = self._process.returncode, None
            raise ServiceFailed(f"{self.name} ended with status {status}")
        return self.is_ready()

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


#: The least a broker needs; `{port}` and `{folder}` are filled in, in any configuration that is given.
MOSQUITTO_CONFIGURATION = """\
listener {port} 127.0.0.1
allow_anonymous true
set_tcp_nodelay true
max_queued_messages 0
max_inflight_messages 1000
persistence false
"""


class Mosquitto(Service):
    """A real mosquitto. Killed or restarted it forgets everything, unless its configuration persists."""

    def __init__(self, folder: Path, configuration: str | Path | None = None, port: int | None = None) -> None:
        super().__init__("mosquitto", folder, port)
        self._program = program("mosquitto")
        self.configuration_file = folder / "mosquitto.conf"
        self.configuration_file.write_text(self._filled(configuration or MOSQUITTO_CONFIGURATION))

    def command(self) -> list[str]:
        """The broker, with its log on standard error."""
        return [*dying_with_us("KILL"), str(self._program), "-c", str(self.configuration_file), "-v"]

    def _filled(self, configuration: str | Path) -> str:
        text = configuration.read_text() if isinstance(configuration, Path) else configuration
        text = text.replace("{port}", str(self.port)).replace("{folder}", str(self.folder))
        has_user = any(line.split()[:1] == ["user"] for line in text.splitlines())
        if os.geteuid() == 0 and not has_user:
            # Started by root it would become `mosquitto`, who may not read a folder of the tests.
            text = f"user root\n{text}"
        return text


class Postgres(Service):
    """A real PostgreSQL cluster with databases to throw away.

    Args:
        fsync: wait for the disk at each commit, as headquarters does. Off, a test is quicker.
    """

    # Fast shutdown: roll back whoever is still connected instead of waiting for them.
    stop_signal = signal.SIGINT

    def __init__(self, *, fsync: bool = False, port: int | None = None) -> None:
        # Not below pytest's own temporary folder: only its owner may enter that, and PostgreSQL refuses to run as root.
        super().__init__("postgres", Path(tempfile.mkdtemp(prefix="trousseau-postgres-")), port)
        self._fsync = fsync
        self._data = self.folder / "data"
        self._numbers = count(1)
        try:
            self._initialise()
        except BaseException:
            self.remove()
            raise

    def command(self) -> list[str]:
        """The server, on TCP alone."""
        durability = "on" if self._fsync else "off"
        settings: Mapping[str, str] = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": durability,
            "full_page_writes": durability,
            "synchronous_commit": durability,
            "shared_buffers": "32MB",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*_as_someone("QUIT"), str(postgres_program("postgres")), "-D", str(self._data), *options]

    def is_ready(self) -> bool:
        """Whether it answers a query, which is later than when it listens."""
        if not accepts(self.port):
            return False
        try:
            self._run("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """Cut all of it off: a process of the server's that outlives it by a moment would keep it from starting again."""
        others = children(self._process.pid) if self._process is not None else {}
        super().kill()
        for pid in others:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in others), "the end of the server's processes"
        )

    def url(self, database: str) -> str:
        """The address of a database, for SQLAlchemy."""
        return f"postgresql+psycopg://trousseau@{LOOPBACK}:{self.port}/{database}"

    def create_database(self) -> str:
        """Make an empty database and return its name."""
        name = f"test_{next(self._numbers)}"
        self._run(f"create database {name}")
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database even if someone is still connected."""
        self._run(f"drop database if exists {name} with (force)")

    def remove(self) -> None:
        """Stop it and delete its files."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _initialise(self) -> None:
        if os.geteuid() == 0:
            owner = _unprivileged()
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        initdb = [*_as_someone("KILL"), str(postgres_program("initdb")), "--pgdata", str(self._data)]
        options = ["--username=trousseau", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
        made = subprocess.run([*initdb, *options], cwd=self.folder, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise ServiceFailed(f"initdb ended with status {made.returncode}:\n{made.stdout}{made.stderr}")

    def _run(self, statement: str) -> None:
        conninfo = f"host={LOOPBACK} port={self.port} user=trousseau dbname=postgres connect_timeout=5"
        with psycopg.connect(conninfo, autocommit=True) as connection:
            connection.execute(statement.encode())


def postgres_program(name: str) -> Path:
    """A program of PostgreSQL: on the PATH, or else of the newest version that Debian installed."""
    versions = [folder for folder in Path("/usr/lib/postgresql").glob("*/bin") if folder.parent.name.isdigit()]
    newest_first = sorted(versions, key=lambda folder: int(folder.parent.name), reverse=True)
    return program(name, [str(folder) for folder in newest_first])


def _unprivileged() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _as_someone(how: str) -> list[str]:
    """The prefix that runs a program as somebody other than root and ends it with us."""
    if os.geteuid() != 0:
        return dying_with_us(how)
    owner = _unprivileged()
    return [*dying_with_us(how), f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]


def children(of: int | None = None) -> dict[int, str]:
    """The processes that this one (or another) started and that still run: identifier and command line."""
    parent = of or os.getpid()
    found: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and _parent(folder) == parent:
            found[int(folder.name)] = _command_line(folder)
    return found


def _parent(folder: Path) -> int:
    try:
        # proc(5): the name, in parentheses, may hold anything; the state and the parent follow it.
        state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
    except OSError:
        return 0
    return 0 if state == "Z" else int(parent)


def _command_line(folder: Path) -> str:
    try:
        return (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "(just ended)"


class LoopbackOnly(AssertionError):
    """A test reached for the network."""

    def __init__(self, address: object) -> None:
        super().__init__(f"the tests stay on this machine, and something connected to {address!r}")


def refuse_beyond_loopback(family: int, address: object) -> None:
    """Raise `LoopbackOnly` unless `address` is on this machine."""
    if family == socket.AF_UNIX:
        return
    host = cast("tuple[object, ...]", address)[0] if isinstance(address, tuple) else None
    if not isinstance(host, str) or not (host in ("localhost", "::1") or host.startswith("127.")):
        raise LoopbackOnly(address)
