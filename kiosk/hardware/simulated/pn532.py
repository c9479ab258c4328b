"""A PN532 on a pseudo terminal: the real driver talks to it in real frames, and it can be pulled, stuck or left at another speed.

Commands and their codes are those of the PN532 user manual (UM0701-02, §7); only what nfcpy's driver uses is there.
"""

from __future__ import annotations

import os
import pty
import select
import termios
import threading
import time
import tty
from pathlib import Path
from typing import Final

from kiosk.hardware.pn532 import ACK, BAUD
from kiosk.hardware.simulated.field import Field

_BAUDS: Final = (9_600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600, 1_288_000)
#: termios' code of a speed → the speed.
_SPEEDS: Final = {getattr(termios, f"B{baud}"): baud for baud in _BAUDS if hasattr(termios, f"B{baud}")}

_RX_MODE: Final = 0x6303
_FIFO_DATA: Final = 0x6339
_RX_CRC: Final = 0x80
_TIMEOUT: Final = b"\x01"
_NOBODY: Final = b"\x00"
#: A search tries twice: a tag that was active takes the first request for an error.
_REQUESTS: Final = 2


class SimulatedPn532:
    """A chip with an antenna, reached through `link`, a symbolic link that follows it from one socket to the next, as udev's does.

    `baud` is the chip's own speed. `wedged` lets it hear nothing; `delay` (seconds) holds back each answer; `commands` are the
    codes of all that it was ever told.
    """

    def __init__(self, link: Path) -> None:
        """Plug it in."""
        self.field = Field()
        self.baud = BAUD
        self.wedged = False
        self.delay = 0.0
        self.commands: set[int] = set()
        self._link = link
        self._plug: _Plug | None = None
        self.plug()

    @property
    def path(self) -> str:
        """What a reader opens."""
        return f"tty:{self._link}:pn532"

    def plug(self) -> None:
        """Plug it in; power brings it back to its first speed and out of any trance."""
        self.unplug()
        self.baud, self.wedged = BAUD, False
        self._plug = _Plug(self)
        self._link.symlink_to(self._plug.device)

    def unplug(self) -> None:
        """Pull the plug, in the middle of whatever goes on."""
        self._link.unlink(missing_ok=True)
        if self._plug is not None:
            self._plug.close()
            self._plug = None
        self.field.power_off()

    close = unplug


class _Plug:
    """One life of the chip, from power to no power."""

    def __init__(self, chip: SimulatedPn532) -> None:
        self._chip = chip
        self._registers: dict[int, int] = {_RX_MODE: _RX_CRC}
        self._next_baud: int | None = None
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        self.device = os.ttyname(self._slave)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="simulated-pn532", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        os.close(self._slave)
        os.close(self._master)

    def _run(self) -> None:
        heard = b""
        while not self._ending.is_set():
            if not select.select([self._master], [], [], 0.02)[0]:
                continue
            heard += os.read(self._master, 4096)
            if self._chip.wedged or not self._understands():
                heard = b""
                continue
            heard = self._take_frames(heard)

    def _understands(self) -> bool:
        """Whether the host speaks at the chip's speed; otherwise it hears noise."""
        host = _SPEEDS.get(termios.tcgetattr(self._slave)[5])
        if self._next_baud is not None and host == self._next_baud:
            self._change_baud()
        return host == self._chip.baud

    def _change_baud(self) -> None:
        if self._next_baud is not None:
            self._chip.baud, self._next_baud = self._next_baud, None

    def _take_frames(self, heard: bytes) -> bytes:
        """Carry out every whole frame; what is left of the last one waits for the rest."""
        while (start := heard.find(b"\x00\xff")) >= 0:
            frame = heard[start:]
            if frame.startswith(b"\x00\xff\x00\xff"):  # the host's ACK
                self._change_baud()
                heard = frame[4:]
                continue
            head, length = _header(frame)
            if len(frame) < head + length + 2:
                break
            heard = frame[head + length + 2 :]
            self._carry_out(frame[head : head + length])
        return heard

    def _carry_out(self, command: bytes) -> None:
        """Acknowledge `D4 code …`, do it, answer `D5 code+1 …`."""
        os.write(self._master, ACK)
        self._chip.commands.add(command[1])
        answer = self._answer(command[1], command[2:])
        if self._chip.delay:
            time.sleep(self._chip.delay)
        if answer is not None:
            os.write(self._master, _framed(bytes([0xD5, command[1] + 1]) + answer))

    def _answer(self, code: int, data: bytes) -> bytes | None:
        match code:
            case 0x06:  # ReadRegister
                return bytes(self._registers.get(address, 0) for address in _addresses(data, 2))
            case 0x08:  # WriteRegister
                self._registers.update(zip(_addresses(data, 3), data[2::3], strict=True))
                return b""
            case 0x42:  # InCommunicateThru
                return self._communicate(data)
            case 0x4A:  # InListPassiveTarget
                return self._list(data[1], data[2:])
        return self._set_up(code, data)

    def _set_up(self, code: int, data: bytes) -> bytes | None:
        match code:
            case 0x00:  # Diagnose, of which only the line test
                return data
            case 0x02:  # GetFirmwareVersion: PN532, 1.6, all three protocols
                return bytes.fromhex("32010607")
            case 0x10:  # SetSerialBaudRate: takes effect with the host's next ACK
                self._next_baud = _BAUDS[data[0]]
            case 0x12 | 0x14:  # SetParameters, SAMConfiguration
                pass
            case 0x32:  # RFConfiguration; item 1 switches the field
                if data[0] == 1 and not data[1] & 1:
                    self._chip.field.power_off()
            case _:
                return None
        return b""

    def _communicate(self, command: bytes) -> bytes:
        answer = self._chip.field.exchange(command)
        if answer is None:
            return _TIMEOUT
        # With its own check switched off the chip hands over the tag's CRC; four-bit answers have none.
        checks = self._registers[_RX_MODE] & _RX_CRC
        return _NOBODY + (answer if checks or len(answer) == 1 else answer + crc_a(answer))

    def _list(self, modulation: int, wanted: bytes) -> bytes:
        """Find one tag. The firmware resolves collisions by itself: of several, one answers."""
        self._registers[_RX_MODE] = _RX_CRC
        for _ in range(_REQUESTS if modulation == 0 else 0):
            for tag in self._chip.field.awake():
                if wanted in (b"", tag.uid, b"\x88" + tag.uid):
                    self._chip.field.select(tag)
                    return (
                        bytes([1, 1, tag.sens_res[1], tag.sens_res[0]]) + tag.sel_res + bytes([len(tag.uid)]) + tag.uid
                    )
        # The unanswered SENS_REQ stays in the chip's buffer; that is how the driver tells silence from a broken answer.
        self._registers[_FIFO_DATA] = 0x26
        return _NOBODY


def _addresses(data: bytes, step: int) -> list[int]:
    return [data[i] << 8 | data[i + 1] for i in range(0, len(data), step)]


def _header(frame: bytes) -> tuple[int, int]:
    """How many bytes come before a frame's data, and how long the data are (§6.2.1.1 and §6.2.1.2)."""
    if frame[2:4] == b"\xff\xff":
        return 7, int.from_bytes(frame[4:6], "big")
    return 4, frame[2] if len(frame) > 2 else 0


def _framed(data: bytes) -> bytes:
    length = len(data)
    if length < 256:
        header = bytes([length, -length & 0xFF])
    else:
        high, low = divmod(length, 256)
        header = b"\xff\xff" + bytes([high, low, -(high + low) & 0xFF])
    return b"\x00\x00\xff" + header + data + bytes([-sum(data) & 0xFF, 0])


def crc_a(data: bytes) -> bytes:
    """The check sum of ISO/IEC 14443-3, Annex B."""
    crc = 0x6363
    for byte in data:
        mixed = (byte ^ crc) & 0xFF
        mixed = (mixed ^ mixed << 4) & 0xFF
        crc = crc >> 8 ^ mixed << 8 ^ mixed << 3 ^ mixed >> 4
    return crc.to_bytes(2, "little")
