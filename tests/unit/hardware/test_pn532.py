import os
import pty
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.hardware.pn532 import ACK, SteadyPort, device_file, open_port
from kiosk.hardware.simulated.pn532 import SimulatedPn532, crc_a


class Line:
    """A serial line whose other end the test holds."""

    def __init__(self) -> None:
        self.end, self._slave = pty.openpty()
        self.port = SteadyPort(os.ttyname(self._slave))

    def cut(self) -> None:
        os.close(self._slave)
        os.close(self.end)


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made.port.close()
    made.cut()


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("USB0", "/dev/ttyUSB0"),
        ("AMA0", "/dev/ttyAMA0"),
        ("ttynfcdesk", "/dev/ttynfcdesk"),
        ("USBreader", "/dev/USBreader"),
        ("/dev/pts/7", "/dev/pts/7"),
    ],
)
def test_a_line_is_named_as_nfcpy_names_it_or_by_its_path(name: str, file: str) -> None:
    assert device_file(name) == file


@pytest.mark.parametrize(
    "frame",
    [
        ACK,
        bytes.fromhex("0000ff02fed5151600"),
        bytes.fromhex("0000ffffff0101fe") + b"\xd5" + bytes(256) + b"\x2b\x00",
    ],
    ids=["ack", "normal", "extended"],
)
def test_a_frame_is_read_whole_and_no_further(line: Line, frame: bytes) -> None:
    os.write(line.end, frame + ACK)
    assert line.port.read(1000) == frame
    assert line.port.read(1000) == ACK


@pytest.mark.parametrize("broken", ["0000ff02", "0000ffffff01"], ids=["in its head", "in its length"])
def test_a_frame_that_breaks_off_is_an_os_error(line: Line, broken: str) -> None:
    os.write(line.end, bytes.fromhex(broken))
    with pytest.raises(OSError, match="broken frame"):
        line.port.read(50)


def test_silence_is_a_time_out(line: Line) -> None:
    with pytest.raises(TimeoutError):
        line.port.read(50)


def test_a_line_that_is_cut_gives_os_errors_and_closes_without_any() -> None:
    line = Line()
    line.cut()
    with pytest.raises(OSError):  # noqa: PT011 - whichever pyserial and the kernel make of it
        line.port.write(ACK)
    with pytest.raises(OSError):  # noqa: PT011
        line.port.read(50)
    with pytest.raises(OSError):  # noqa: PT011
        line.port.baudrate = 9600
    line.port.close()


def test_a_line_with_something_else_on_it_is_refused_and_given_back() -> None:
    end, slave = pty.openpty()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="no PN532 answers"):
        open_port(os.ttyname(slave))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    os.close(slave)
    os.close(end)


def test_the_simulated_chip_leaves_no_thread_and_no_link(tmp_path: Path) -> None:
    chip = SimulatedPn532(tmp_path / "ttynfcdesk")
    chip.close()
    chip.close()
    assert list(tmp_path.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "simulated-pn532"]


@pytest.mark.parametrize(("data", "crc"), [("0000", "a01e"), ("1234", "26cf")])
def test_the_check_sum_is_the_one_of_iso_14443_annex_b(data: str, crc: str) -> None:
    assert crc_a(bytes.fromhex(data)).hex() == crc
