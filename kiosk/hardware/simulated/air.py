"""The air between nfcpy's `udp:` driver and simulated tags: the demo's reader, without any reader.

The real nfcpy runs, and exchanges real frames. The socket is bound once and kept: nfcpy's own emulation of a tag binds it anew for
each tap and misses half of them.
"""

from __future__ import annotations

import socket
import threading
from typing import Final

from kiosk.hardware.simulated.field import Field
from kiosk.hardware.simulated.tags import SimulatedTag

_LOOPBACK: Final = "127.0.0.1"
_TYPE_A: Final = b"106A"
_SENS_REQ: Final = (b"\x26", b"\x52")
_CASCADE: Final = (0x93, 0x95, 0x97)
_NVB_ASK, _NVB_SELECT = 0x20, 0x70


class Air:
    """A field that answers on a UDP port of the loopback interface."""

    def __init__(self, port: int = 0) -> None:
        """Bind `port` (0: any that is free) and start answering."""
        self.field = Field()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((_LOOPBACK, port))
        self._answering: list[SimulatedTag] = []
        self._thread = threading.Thread(target=self._run, name="simulated-air", daemon=True)
        self._thread.start()

    @property
    def path(self) -> str:
        """What a reader opens."""
        return f"udp:{_LOOPBACK}:{self._socket.getsockname()[1]}"

    def close(self) -> None:
        """Fall silent."""
        if self._thread.is_alive():
            # An empty datagram is none of nfcpy's: it ends the thread, which may be waiting for ever.
            self._socket.sendto(b"", self._socket.getsockname())
            self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while True:
            datagram, reader = self._socket.recvfrom(2048)
            if not datagram:
                return
            answer = self._heard(datagram)
            if answer is not None:
                self._socket.sendto(answer, reader)

    def _heard(self, datagram: bytes) -> bytes | None:
        if datagram.startswith(b"RFOFF"):
            self.field.power_off()
            return None
        modulation, _, digits = datagram.partition(b" ")
        try:
            frame = bytes.fromhex(digits.decode("ascii"))
        except ValueError:
            return None
        if modulation != _TYPE_A or not frame:
            return None
        answer = self._answer(frame)
        if answer is None:
            # The driver would wait a whole second for a SENS_RES. Noise without data tells it that nobody is there.
            return _TYPE_A if frame in _SENS_REQ else None
        return _TYPE_A + b" " + answer.hex().encode("ascii")

    def _answer(self, frame: bytes) -> bytes | None:
        if frame in _SENS_REQ:
            self._answering = self.field.awake()
            return _together([tag.sens_res for tag in self._answering])
        if frame[0] in _CASCADE and len(frame) > 1 and self._answering:
            return self._singled_out(_CASCADE.index(frame[0]), frame[1], frame[2:])
        return self.field.exchange(frame)

    def _singled_out(self, level: int, valid_bits: int, uid: bytes) -> bytes | None:
        """Anticollision (ISO/IEC 14443-3 §6.5.3): each tag gives its UID four bytes at a time, and hears it back."""
        parts = {tag: _part(tag.uid, level) for tag in self._answering}
        if valid_bits == _NVB_ASK:
            return _together([part for part in parts.values() if part])
        self._answering = [tag for tag, part in parts.items() if valid_bits == _NVB_SELECT and part == uid]
        for tag in self._answering:
            more = len(tag.uid) > 4 + 3 * level
            if not more:
                self.field.select(tag)
            return bytes([tag.sel_res[0] | 0x04]) if more else tag.sel_res
        return None


def _part(uid: bytes, level: int) -> bytes:
    """Four bytes of a UID and their check byte; a cascade tag (88) says that more follow."""
    rest = uid[3 * level :]
    part = rest if len(rest) == 4 else b"\x88" + rest[:3]
    return part + bytes([_check(part)]) if len(part) == 4 else b""


def _check(part: bytes) -> int:
    return part[0] ^ part[1] ^ part[2] ^ part[3]


def _together(answers: list[bytes]) -> bytes | None:
    """What a reader hears when several speak at once: every bit that any of them modulates."""
    if not answers:
        return None
    heard = bytearray(answers[0])
    for answer in answers[1:]:
        heard = bytearray(a | b for a, b in zip(heard, answer, strict=False))
    if len(heard) == 5 and len(set(answers)) > 1:
        # A chip sees the collision in each bit; here the check byte has to show it, also where the sum happens to agree.
        heard[4] = _check(bytes(heard[:4])) ^ 0xFF
    return bytes(heard)
