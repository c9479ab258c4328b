"""Tags as a reader meets them: what each answers to the frames of ISO/IEC 14443 and to its own commands."""

from __future__ import annotations

import itertools
import secrets
from enum import Enum, auto
from typing import Final

from kiosk.hardware import ntag424

_HALT: Final = b"\x50\x00"
_NAK: Final = b"\x00"
_ACK: Final = b"\x0a"


class _State(Enum):
    """Where a tag stands between two answers (ISO/IEC 14443-3 §6.3)."""

    IDLE = auto()
    ACTIVE = auto()
    HALT = auto()


class SimulatedTag:
    """A Type A tag with a UID that answers no command. `sens_res` and `sel_res` tell a reader what it speaks."""

    sens_res = b"\x04\x00"
    sel_res = b"\x08"

    def __init__(self, uid: bytes) -> None:
        """Make one, out of any field."""
        self.uid = uid
        self._state = _State.IDLE

    def put_down(self) -> None:
        """Enter a field."""
        self.power_off()

    def power_off(self) -> None:
        """Lose the field's power: all but the memory is forgotten."""
        self._state = _State.IDLE

    def wakes(self) -> bool:
        """Whether it answers a SENS_REQ; one that was selected takes it for an error and only starts over."""
        if self._state is _State.ACTIVE:
            self._state = _State.IDLE
            return False
        return self._state is _State.IDLE

    def select(self) -> None:
        """Be the one that commands are meant for."""
        self._state = _State.ACTIVE

    def exchange(self, command: bytes) -> bytes | None:
        """Answer a command, or keep silent."""
        if self._state is not _State.ACTIVE:
            return None
        if command == _HALT:
            self.halt()
            return None
        return self.answer(command)

    def halt(self) -> None:
        """Sleep until the power goes."""
        self._state = _State.HALT

    def answer(self, command: bytes) -> bytes | None:  # noqa: ARG002 - this one has nothing to say
        """What the kind of tag says to a command."""
        return None


class UidOnlyBadge(SimulatedTag):
    """A MIFARE Classic as we use it: its UID, and no answer to anything that is not its own protocol."""


class FlutteringBadge(UidOnlyBadge):
    """A MIFARE Classic at its worst: deaf to most requests, for longer than it takes to believe that it has gone."""

    PATTERN: Final = (
        True,
        True,
        False,
        True,
        False,
        False,
        False,
        True,
        False,
        False,
        True,
        False,
        False,
        False,
        False,
    )

    def __init__(self, uid: bytes) -> None:
        super().__init__(uid)
        self._moods = itertools.cycle(self.PATTERN)

    def wakes(self) -> bool:
        return super().wakes() and next(self._moods)


class RandomIdTag(SimulatedTag):
    """A phone or a privacy-minded card: a new identifier, 08 and three random bytes, each time it is powered."""

    sel_res = b"\x20"

    def __init__(self) -> None:
        super().__init__(b"\x08" + secrets.token_bytes(3))

    def power_off(self) -> None:
        super().power_off()
        self.uid = b"\x08" + secrets.token_bytes(3)


class Ntag213(SimulatedTag):
    """The sticker on a key: 45 pages of four bytes, readable, writable from page 4 on."""

    sens_res = b"\x44\x00"
    sel_res = b"\x00"
    PAGES: Final = 45
    _VERSION: Final = bytes.fromhex("0004040201000F03")

    def __init__(self, uid: bytes) -> None:
        super().__init__(uid)
        first, second = uid[:3], uid[3:]
        checks = (0x88 ^ first[0] ^ first[1] ^ first[2], second[0] ^ second[1] ^ second[2] ^ second[3])
        header = first + bytes([checks[0]]) + second + bytes([checks[1], 0x48, 0, 0]) + bytes.fromhex("E1101200")
        self._memory = bytearray((header + bytes.fromhex("0300FE00")).ljust(self.PAGES * 4, b"\x00"))

    def answer(self, command: bytes) -> bytes | None:
        if command == b"\x60":
            return self._VERSION
        if command[:1] == b"\x30" and len(command) == 2 and command[1] < self.PAGES:
            return bytes((self._memory * 2)[command[1] * 4 : command[1] * 4 + 16])
        if command[:1] == b"\xa2" and len(command) == 6 and 4 <= command[1] < self.PAGES:
            self._memory[command[1] * 4 : command[1] * 4 + 4] = command[2:]
            return _ACK
        return _NAK


class Ntag424(SimulatedTag):
    """A badge: NTAG 424 DNA, with AuthenticateEV2First for real and one application key.

    ISO-DEP is kept to single blocks, which is all that authentication needs.
    """

    sens_res = b"\x44\x03"
    sel_res = b"\x20"
    #: Frames of up to 128 bytes; the reader waits up to 39 ms for an answer.
    ATS: Final = bytes.fromhex("067777710280")
    _WRONG_COMMAND: Final = b"\x6d\x00"
    _NOT_FOUND: Final = b"\x6a\x82"
    _NO_SUCH_KEY: Final = b"\x91\x40"
    _WRONG_ANSWER: Final = b"\x91\xae"

    def __init__(self, uid: bytes, key: bytes, key_number: int = ntag424.KEY_NUMBER) -> None:
        """A badge that knows `key`; a genuine one's is diversified."""
        super().__init__(uid)
        self._keys = {key_number: key}
        self.power_off()

    def power_off(self) -> None:
        super().power_off()
        self._last = b""
        self._selected = False
        self._challenge: tuple[bytes, bytes] | None = None

    def answer(self, command: bytes) -> bytes | None:
        block = command[0]
        if block == 0xE0:
            return self.ATS
        if block == 0xC2:
            self.halt()
            return command[:1]
        if block & 0xF6 == 0xB2:  # R(NAK): say it again, or just that it is there
            return self._last if self._last and block & 1 == self._last[0] & 1 else bytes([0xA3 ^ (block & 1)])
        if block & 0xE2 == 0x02:
            self._last = command[:1] + self._apdu(command[1:])
            return self._last
        return None

    def _apdu(self, apdu: bytes) -> bytes:
        data = apdu[5 : 5 + apdu[4]] if len(apdu) > 4 else b""
        if apdu[:3] == b"\x00\xa4\x04":
            self._selected = data == ntag424.APPLICATION
            return ntag424.ISO_OK if self._selected else self._NOT_FOUND
        if apdu[:2] == b"\x90\x71" and self._selected:
            return self._challenged(data[0])
        if apdu[:2] == b"\x90\xaf" and self._challenge:
            return self._authenticated(data, *self._challenge)
        return self._WRONG_COMMAND

    def _challenged(self, key_number: int) -> bytes:
        if key_number not in self._keys:
            return self._NO_SUCH_KEY
        key, challenge = self._keys[key_number], secrets.token_bytes(16)
        self._challenge = key, challenge
        return ntag424.encrypted(key, challenge) + ntag424.MORE

    def _authenticated(self, data: bytes, key: bytes, challenge: bytes) -> bytes:
        self._challenge = None
        if len(data) != 32:
            return self._WRONG_ANSWER
        opened = ntag424.decrypted(key, data)
        if opened[16:] != ntag424.rotated(challenge):
            return self._WRONG_ANSWER
        transaction, capabilities = secrets.token_bytes(4), bytes(12)
        return ntag424.encrypted(key, transaction + ntag424.rotated(opened[:16]) + capabilities) + ntag424.OK


def genuine_badge(uid: bytes, master: bytes) -> Ntag424:
    """A badge of ours."""
    return Ntag424(uid, ntag424.diversified_key(master, uid))


def cloned_badge(uid: bytes) -> Ntag424:
    """The same UID on another chip: its key could not be copied."""
    return Ntag424(uid, secrets.token_bytes(16))


class ForeignCard(Ntag424):
    """A card that speaks APDUs but knows no application of ours."""

    def __init__(self, uid: bytes) -> None:
        super().__init__(uid, bytes(16))

    def _apdu(self, apdu: bytes) -> bytes:  # noqa: ARG002 - it understands none
        return self._NOT_FOUND


class TornTag(SimulatedTag):
    """A tag that a hand pulls away after `answers` answers; with `returns`, it is put back for good a moment later."""

    def __init__(self, tag: SimulatedTag, answers: int, *, returns: bool = False) -> None:
        super().__init__(tag.uid)
        self.sens_res, self.sel_res = tag.sens_res, tag.sel_res
        self._tag, self._answers, self._returns = tag, answers, returns
        self._left: int | None = answers

    def put_down(self) -> None:
        self._left = self._answers
        self._tag.put_down()

    def power_off(self) -> None:
        self._tag.power_off()
        if self._left == 0 and self._returns:
            self._left = None

    def wakes(self) -> bool:
        return self._left != 0 and self._tag.wakes()

    def select(self) -> None:
        self._tag.select()

    def exchange(self, command: bytes) -> bytes | None:
        if self._left == 0:
            return None
        if self._left is not None:
            self._left -= 1
        return self._tag.exchange(command)
