import asyncio
import re
import socket
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from playwright.sync_api import Browser

from tests.conftest import StartMosquitto, StartPostgres
from tests.services import LOOPBACK, LoopbackOnly, ServiceMissing, children, program

ROOT = Path(__file__).parents[2]
LOCKS = sorted(ROOT.glob("requirements*.txt"))

#: Where a document may say that something gets installed, even if a checkout happens to stand there.
PUBLIC_PLACES = tuple(map(Path, ("/opt", "/srv", "/usr", "/var", "/etc", "/home", "/tmp", "/mnt", "/media")))


def output_of(*command: str | Path) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def pins(lock: Path) -> dict[str, str]:
    """Each locked package and its whole entry: version, marker and hashes."""
    entries = re.split(r"\n(?=\S)", re.sub(r"^ *#.*\n", "", lock.read_text(), flags=re.MULTILINE).strip())
    return {entry.partition("==")[0]: entry for entry in entries}


def targets() -> set[str]:
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    return set(phony[1].split())


def kept_files() -> list[Path]:
    """What git keeps, or would on the next `git add`."""
    names = output_of("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def private_places() -> list[Path]:
    """The folders of this machine and of this person, which mean nothing to anybody else."""
    return [place for place in (ROOT, ROOT.parent, Path.home()) if len(place.parts) > 1 and place not in PUBLIC_PLACES]


def test_there_is_a_lock_for_the_build_for_the_cabinet_and_for_the_tests() -> None:
    assert [lock.name for lock in LOCKS] == ["requirements-build.txt", "requirements-test.txt", "requirements.txt"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_a_lock_names_no_index(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|-f|--index-url|--extra-index-url|--find-links)\b", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_locked_package_is_pinned_to_one_version_and_has_a_hash(lock: Path) -> None:
    for name, entry in pins(lock).items():
        assert re.match(rf"{re.escape(name)}==\d\S*", entry), entry
        assert "--hash=sha256:" in entry, f"{name} has no hash"


def test_the_cabinet_runs_on_the_versions_that_the_tests_ran_on() -> None:
    tested = pins(ROOT / "requirements-test.txt")
    for lock in LOCKS:
        assert {name: tested.get(name, entry) for name, entry in pins(lock).items()} == pins(lock)


def test_the_build_uses_the_locked_setuptools() -> None:
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    locked = pins(ROOT / "requirements-build.txt")
    assert required == [locked[name].split()[0] for name in ("setuptools", "wheel")]


def test_lgpio_is_left_to_debian() -> None:
    assert not any("lgpio" in pins(lock) for lock in LOCKS)


def test_make_help_names_every_target() -> None:
    named = set(re.findall(r"^  make ([a-z-]+)", output_of("make", "help"), re.MULTILINE))
    assert named == targets()


def test_every_make_command_in_the_documents_is_a_target() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    named = {name for page in pages for name in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE)}
    assert named <= targets()


def test_no_kept_file_names_a_folder_of_this_machine() -> None:
    places = "|".join(re.escape(str(place)) for place in private_places())
    private = re.compile(rf"(?<![\w.-])({places})(?![\w-])".encode())
    assert [path for path in kept_files() if private.search(path.read_bytes())] == []


def test_mosquitto_brings_a_message_from_a_publisher_to_a_subscriber(mosquitto: StartMosquitto) -> None:
    broker = mosquitto()
    at = ["-h", LOOPBACK, "-p", str(broker.port), "-t", "cabinet/1"]
    subscribe = [str(program("mosquitto_sub")), *at, "-C", "1", "-W", "10"]
    with subprocess.Popen(subscribe, stdout=subprocess.PIPE, text=True) as subscriber:
        publish_until_received(at, subscriber)
        assert subscriber.stdout is not None
        assert subscriber.stdout.read() == "la clé\n"


def publish_until_received(at: list[str], subscriber: subprocess.Popen[str]) -> None:
    """Publish again and again: nothing tells from outside when a subscription has taken effect."""
    while subscriber.poll() is None:
        output_of(program("mosquitto_pub"), *at, "-m", "la clé")


def test_a_killed_mosquitto_comes_back_on_its_port_with_its_memory_gone(mosquitto: StartMosquitto) -> None:
    broker = mosquitto()
    at = ["-h", LOOPBACK, "-p", str(broker.port), "-t", "cabinet/1"]
    output_of(program("mosquitto_pub"), *at, "-m", "kept", "-r")
    broker.kill()
    broker.restart()
    read = subprocess.run([program("mosquitto_sub"), *at, "-W", "1"], capture_output=True, text=True, check=False)
    assert read.stdout == ""


def test_a_service_started_from_a_thread_outlives_the_thread(mosquitto: StartMosquitto) -> None:
    broker = mosquitto()
    thread = threading.Thread(target=broker.restart)
    thread.start()
    thread.join()
    with socket.create_connection((LOOPBACK, broker.port), timeout=5):
        assert broker.pid in children()


def test_a_postgres_database_answers_select_1(postgres_url: str) -> None:
    engine = sqlalchemy.create_engine(postgres_url)
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("select 1")) == 1
    engine.dispose()


def test_each_postgres_database_starts_empty(postgres_url: str) -> None:
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        connection.execute("create table mark (id int)")
        found = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    assert found == [("mark",)]


def test_a_postgres_cluster_that_waits_for_the_disk_keeps_what_it_committed_when_killed(
    start_postgres: StartPostgres,
) -> None:
    cluster = start_postgres(fsync=True)
    address = cluster.url(cluster.create_database()).replace("+psycopg", "")
    with psycopg.connect(address) as connection:
        connection.execute("create table mark as select 7 as id")
    cluster.kill()
    cluster.restart()
    with psycopg.connect(address) as connection:
        assert connection.execute("select id from mark").fetchall() == [(7,)]


class Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = "<!doctype html><meta charset=utf-8><title>L’armoire à clés</title>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the test says it."""


@pytest.fixture
def page_url() -> Iterator[str]:
    with ThreadingHTTPServer((LOOPBACK, 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://{LOOPBACK}:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_the_browser_opens_a_page_of_this_machine(browser: Browser, page_url: str) -> None:
    with browser.new_context(has_touch=True) as context:
        page = context.new_page()
        page.goto(page_url)
        assert page.title() == "L’armoire à clés"


def test_the_browser_knows_no_other_machine(browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
            page.goto("http://example.org/")


def test_asyncio_runs_beside_a_browser_that_is_open_all_session() -> None:
    assert asyncio.run(asyncio.sleep(0, result="ran")) == "ran"


@pytest.mark.parametrize("address", [("192.0.2.1", 80), ("example.org", 443)])
def test_connecting_beyond_this_machine_is_refused(address: tuple[str, int]) -> None:
    with socket.socket() as client:
        with pytest.raises(LoopbackOnly):
            client.connect(address)
        with pytest.raises(LoopbackOnly):
            client.connect_ex(address)


def test_a_missing_service_says_which_line_installs_it() -> None:
    with pytest.raises(ServiceMissing, match="tests/install-services"):
        program("a-program-nobody-has")
