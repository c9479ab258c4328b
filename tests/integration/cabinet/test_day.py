"""A whole day by the commands that people type: afterwards cabinet and headquarters have the same register, byte for byte."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from kiosk.cli.simulate import DAY
from kiosk.config import read
from tests.services import LOOPBACK, Service, dying_with_us, free_port, program, wait_until

KIOSK = Path(sys.executable).with_name("kiosk")
EVENTS = "trousseau/v1/from/+/events/custody/#"


class Demo(Service):
    """`kiosk demo` in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        super().__init__("demo", folder, free_port())

    def command(self) -> list[str]:
        """What somebody types who wants to see it."""
        return [*dying_with_us("TERM"), str(KIOSK), "--data", str(self.data), "demo", "--port", str(self.port)]

    @property
    def data(self) -> Path:
        """Where it keeps its cabinet."""
        return self.folder / "cabinet"

    def kiosk(self, *arguments: str) -> str:
        """Run another command on the same folder."""
        done = subprocess.run(
            [KIOSK, "--data", self.data, *arguments], capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, f"kiosk {' '.join(arguments)}:\n{done.stdout}{done.stderr}\n{self.log}"
        return done.stdout


@contextmanager
def listening(port: int, output: Path) -> Iterator[None]:
    """A plain `mosquitto_sub`, for as long as the block runs."""
    command = [*dying_with_us("KILL"), str(program("mosquitto_sub")), "-h", LOOPBACK, "-p", str(port)]
    with output.open("wb") as file:
        subscriber = subprocess.Popen([*command, "-t", EVENTS, "-t", "trousseau/v1/hq/status"], stdout=file)
        try:
            # The retained status comes at once, and only to who has subscribed.
            wait_until(lambda: b"online" in output.read_bytes(), "the subscription")
            yield
        finally:
            subscriber.terminate()
            subscriber.wait(10)


def custody(output: Path) -> list[dict[str, object]]:
    """The custody events that were printed, one JSON object a line."""
    found = []
    for line in output.read_text().splitlines():
        with suppress(json.JSONDecodeError):
            found.append(json.loads(line))
    return [entry for entry in found if str(entry.get("type")).startswith("custody.")]


@pytest.mark.timeout(240)  # a minute of it is the success that each visit shows for four seconds
def test_a_simulated_day_leaves_cabinet_and_headquarters_with_the_same_register(tmp_path: Path) -> None:
    demo = Demo(tmp_path).start()
    printed = tmp_path / "printed.txt"
    here, central = tmp_path / "cabinet.csv", tmp_path / "headquarters.csv"
    try:
        with listening(read(demo.data).broker.port, printed):
            before = demo.kiosk("register", "export", "-")
            assert str(len(DAY)) in demo.kiosk("simulate", "day")
            demo.kiosk("register", "export", str(here))
            moves = sum(len(visit.items) for visit in DAY)
            wait_until(lambda: len(custody(printed)) >= moves, "every custody event on the wire")
            wait_until(lambda: same(demo, here, central), "the same register at headquarters")
    finally:
        demo.stop()
    assert here.read_bytes() == central.read_bytes()
    assert here.read_text(encoding="utf-8-sig") != before
    events = [(entry["type"], entry["subject"]) for entry in custody(printed)]
    expected = [
        ("custody.returned" if visit.brings else "custody.taken", item) for visit in DAY for item in visit.items
    ]
    assert events[-len(expected) :] == expected
    assert "Traceback" not in demo.log


def same(demo: Demo, here: Path, central: Path) -> bool:
    """Whether headquarters has caught up."""
    demo.kiosk("hq", "register", "--csv", str(central))
    return central.read_bytes() == here.read_bytes()


def test_the_shell_finds_the_command() -> None:
    assert os.access(KIOSK, os.X_OK)
