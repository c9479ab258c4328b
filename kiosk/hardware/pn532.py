"""The serial line of a PN532, kept at 115,200 baud.

nfcpy raises a PN532 to 921,600 baud when it opens it. A process that is killed leaves the chip there, and the next one, which
starts at 115,200, gets no answer. So the chip is never told another speed, and one that was left at one is called back.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import serial

BAUD: Final = 115_200
#: Where other software may have left the chip.
OTHER_BAUDS: Final = (921_600, 460_800, 230_400)

ACK: Final = bytes.fromhex("0000ff00ff00")
#: Zeros before the first command wake the chip's serial line (PN532 user manual §7.2.11).
_WAKE: Final = bytes(10)
_GET_FIRMWARE_VERSION: Final = bytes.fromhex("0000ff02fed4022a00")
_IS_PN532: Final = bytes.fromhex("0000ff06fad50332")
_SET_BAUD_115200: Final = bytes.fromhex("0000ff03fdd410041800")
_BAUD_SET: Final = bytes.fromhex("0000ff02fed5111a00")
#: Milliseconds. A chip acknowledges within 15; a USB adapter on a Raspberry Pi may keep its first bytes back for a second.
_PATIENCE: Final = 100.0
#: Seconds. nfcpy gives an acknowledgement 0.1 s, which a busy host can miss although the chip was in time; a chip that is mute
#: is found a little later, and nothing is lost by that.
_LEAST: Final = 0.4
_USB_PATIENCE: Final = 1_500.0

#: nfcpy's short names: `USB0` is /dev/ttyUSB0.
_SHORT_NAME: Final = re.compile(r"(S|ACM|AMA|USB)\d+")


def device_file(name: str) -> str:
    """The file of a serial line: a path as it is, or a name in `/dev`, short or whole."""
    if name.startswith("/"):
        return name
    return f"/dev/tty{name}" if _SHORT_NAME.fullmatch(name) else f"/dev/{name}"


class SteadyPort:
    """What nfcpy calls a transport: whole frames in and out. Every failure is an OSError, and closing never fails."""

    TYPE = "TTY"

    def __init__(self, device: str) -> None:
        """Open the line; no other process may have it.

        Raises:
            OSError: there is no such device, or it is in use.
        """
        self.port = device
        with _as_os_error():
            # pyserial would otherwise write for ever into a line whose other end has stopped.
            self._line = serial.Serial(device, BAUD, timeout=0.05, write_timeout=1.0, exclusive=True)

    @property
    def baudrate(self) -> int:
        """The host's speed."""
        return int(self._line.baudrate)

    @baudrate.setter
    def baudrate(self, baud: int) -> None:
        with _as_os_error():
            self._line.baudrate = baud

    def read(self, timeout: float) -> bytearray:
        """Read one frame, waiting up to `timeout` milliseconds for it to begin.

        Raises:
            OSError: ETIMEDOUT when nothing came, EIO when the frame broke off or the line is lost.
        """
        with _as_os_error():
            self._line.timeout = max(timeout / 1000, _LEAST)
            frame = bytearray(self._line.read(6))
            if not frame:
                raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            if frame != ACK:
                frame += self._rest(frame)
        return frame

    def _rest(self, start: bytearray) -> bytes:
        """What follows a frame's first six bytes; a length of FF announces an extended frame (user manual §6.2.1)."""
        if len(start) < 6:
            raise OSError(errno.EIO, "broken frame")
        if start[3] != 0xFF:
            return bytes(self._line.read(start[3] + 1))
        more = bytes(self._line.read(3))
        if len(more) < 3:
            raise OSError(errno.EIO, "broken frame")
        return more + bytes(self._line.read((start[5] << 8 | more[0]) + 1))

    def write(self, frame: bytes) -> None:
        """Send one frame; what the chip may still have been saying is dropped."""
        with _as_os_error():
            self._line.reset_input_buffer()
            self._line.write(frame)

    def close(self) -> None:
        """Give the line back, even when nothing is at its other end any more."""
        with contextlib.suppress(OSError, termios.error):
            self._line.close()


@contextlib.contextmanager
def _as_os_error() -> Iterator[None]:
    """A line that was unplugged raises termios.error, which is not an OSError."""
    try:
        yield
    except termios.error as lost:
        raise OSError(errno.EIO, os.strerror(errno.EIO)) from lost


def open_port(device: str) -> SteadyPort:
    """Open the line to a PN532 that answers at 115,200 baud.

    Raises:
        OSError: there is no such device, it is in use, or no PN532 answers.
    """
    port = SteadyPort(device)
    try:
        patience = _USB_PATIENCE if Path(device).resolve().name.startswith("ttyUSB") else _PATIENCE
        if not (_wakes(port, patience) or (_called_back(port) and _wakes(port))):
            raise OSError(errno.ENODEV, "no PN532 answers")
    except BaseException:
        port.close()
        raise
    return port


def _wakes(port: SteadyPort, patience: float = _PATIENCE) -> bool:
    port.write(_WAKE + _GET_FIRMWARE_VERSION)
    return _hears(port, ACK, patience) and _hears(port, _IS_PN532)


def _called_back(port: SteadyPort) -> bool:
    """Find the chip at another speed and tell it ours."""
    try:
        return any(_obeys_at(port, baud) for baud in OTHER_BAUDS)
    finally:
        port.baudrate = BAUD


def _obeys_at(port: SteadyPort, baud: int) -> bool:
    port.baudrate = baud
    port.write(_WAKE + _SET_BAUD_115200)
    if not (_hears(port, ACK) and _hears(port, _BAUD_SET)):
        return False
    # The chip changes its speed when it gets this, and needs a moment (user manual §7.2.7).
    port.write(ACK)
    time.sleep(0.01)
    return True


def _hears(port: SteadyPort, expected: bytes, patience: float = _PATIENCE) -> bool:
    try:
        return port.read(patience).startswith(expected)
    except OSError as silence:
        if silence.errno not in (errno.ETIMEDOUT, errno.EIO):
            raise
        return False
