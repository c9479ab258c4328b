"""NFC readers: one thread owns one reader and reports each placement of a tag once. The only module that imports nfcpy.

A UID passes through here and leaves as a keyed hash; it is never logged, and so nfcpy is not allowed to log either.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import nfc
import nfc.tag
from nfc.clf import CommunicationError, RemoteTarget, TransmissionError, pn532, udp

from kiosk.domain.errors import TornTap
from kiosk.domain.identifiers import TagId
from kiosk.domain.people import Tier
from kiosk.hardware import ntag424
from kiosk.hardware.keeper import Keeper
from kiosk.hardware.placement import CROWD, Placement
from kiosk.hardware.pn532 import device_file, open_port
from kiosk.services.ports import ReaderChanged, Sink, Tap, TapFailed, TapFault

log = logging.getLogger(__name__)

#: A tag that has a new identifier each time is one placement all the same.
_RANDOM: Final = b"random"

#: SAK bit 6: the tag speaks ISO/IEC 14443-4, so APDUs can be sent (NXP AN10833 §3.2).
_ISO_DEP: Final = 0x20
_HALT: Final = b"\x50\x00"
_DESELECT: Final = b"\xc2"


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a reader waits, in seconds."""

    poll: float = 0.12
    retry: float = 0.03
    away: float = 1.5
    first_pause: float = 0.5
    longest_pause: float = 10.0


DEFAULT_PACE: Final = Pace()

#: Looks at a tag that cannot be read, before that is reported.
TRIES: Final = 4


@dataclass(frozen=True, slots=True, repr=False)
class _Sight:
    """What answered a poll. `identity` tells placements apart; no UID when several answered at once."""

    identity: bytes
    uid: bytes
    target: RemoteTarget

    @property
    def speaks_apdu(self) -> bool:
        sak = self.target.sel_res
        return bool(sak and sak[0] & _ISO_DEP)


class _Air(udp.Device):  # type: ignore[misc]  # nfcpy is not typed
    """nfcpy's simulated radio, checking the check byte of a UID as every reader chip does (ISO/IEC 14443-3 §6.5.3).

    Two tags that answer at once garble each other's bits: the check byte shows it.
    """

    garbled = False

    def sense_tta(self, target: RemoteTarget) -> RemoteTarget | None:
        self.garbled = False
        return super().sense_tta(target)

    def _recv_data(self, timeout: float, *brty_list: str) -> tuple[str, bytearray, tuple[str, int]]:
        brty, data, address = super()._recv_data(timeout, *brty_list)
        if len(data) == 5 and data[0] ^ data[1] ^ data[2] ^ data[3] != data[4]:
            self.garbled = True
            raise TransmissionError("check byte")
        return brty, data, address


class _Chip(pn532.Chipset):  # type: ignore[misc]  # nfcpy is not typed
    """A PN532 that is not put to sleep when it is closed: some boards never wake up again (nfcpy issues 186 and 231)."""

    def power_down(self, wakeup_enable: object, generate_irq: bool = False) -> None:
        """Stay awake."""


class _Field:
    """An open reader's antenna field. Used by one thread only."""

    def __init__(self, path: str) -> None:
        """Open the reader; a frontend that has failed once is never used again.

        Raises:
            OSError: no reader there, or it does not answer.
        """
        # nfcpy logs UIDs, keys and frames at DEBUG, and the same failure that we report many times over at ERROR.
        logging.getLogger("nfc").setLevel(logging.CRITICAL + 1)
        self._frontend = _frontend(path)
        self._device = self._frontend.device
        self._transport = getattr(getattr(self._device, "chipset", None), "transport", None)

    def close(self) -> None:
        """Let go of the reader, also when it has gone."""
        with contextlib.suppress(Exception):
            self._frontend.close()
        if self._transport is not None:
            with contextlib.suppress(Exception):
                self._transport.close()

    def sense(self) -> _Sight | None:
        """Switch the field off and on, and see whether a tag answers."""
        target = self._frontend.sense(RemoteTarget("106A"))
        if target is None:
            return _Sight(CROWD, b"", RemoteTarget("106A")) if getattr(self._device, "garbled", False) else None
        uid = _uid(target)
        return _Sight(_RANDOM if len(uid) == 4 and uid[0] == 0x08 else uid, uid, target)

    def proves(self, sight: _Sight, key: bytes) -> bool:
        """Whether the tag authenticates with `key`.

        Raises:
            TornTap: the tag could not be reached; whether it knows the key remains open.
        """
        try:
            tag = nfc.tag.activate(self._frontend, sight.target)
            if tag is not None:
                return ntag424.authenticate(tag.send_apdu, key) is not None
        except (CommunicationError, nfc.tag.TagCommandError, IndexError, RuntimeError) as torn:
            # The last two are what nfcpy makes of an answer that was cut short.
            raise TornTap from torn
        raise TornTap

    def has_neighbour(self, sight: _Sight) -> bool:
        """Whether another tag answers when the one just read has been sent to sleep (ISO/IEC 14443-3 §6.4)."""
        if sight.target.sel_res is None:
            return False  # a Type 1 tag cannot be sent to sleep
        with contextlib.suppress(CommunicationError):  # silence is what confirms a HLTA
            self._frontend.exchange(_DESELECT if sight.speaks_apdu else _HALT, 0.03)
        with contextlib.suppress(CommunicationError):
            # The driver's own method: the frontend's would switch the field off and so wake every tag again.
            other = self._device.sense_tta(RemoteTarget("106A"))
            return other is not None and _uid(other) != sight.uid
        return False


def _uid(target: RemoteTarget) -> bytes:
    """A Type A tag's identifier; the few that have no UID in their select answer give it in another."""
    return bytes(target.sdd_res or target.rid_res or b"")


def _frontend(path: str) -> nfc.ContactlessFrontend:
    """Open `udp:HOST:PORT`, `tty:NAME:pn532` (a name in `/dev`, or a path), or whatever else nfcpy knows."""
    kind, _, rest = path.partition(":")
    where, _, driver = rest.rpartition(":")
    if kind == "udp":
        return _holding(_Air(where, int(driver)))
    if (kind, driver) == ("tty", "pn532"):
        return _holding(_open_pn532(where))
    return nfc.ContactlessFrontend(path)


def _holding(device: nfc.clf.device.Device) -> nfc.ContactlessFrontend:
    frontend = nfc.ContactlessFrontend()
    frontend.device = device
    return frontend


def _open_pn532(name: str) -> pn532.Device:
    """As nfcpy's own `init`, without its search through `/dev`, which leaves files open, and without its change of speed."""
    port = open_port(device_file(name))
    try:
        chip = _Chip(port, logger=pn532.log)
        chip.sam_configuration("normal")
        return pn532.Device(chip, logger=pn532.log)
    except BaseException:
        port.close()
        raise


class NfcReader:
    """A reader and its thread, which outlives whatever happens to the reader. `losses` counts how often it went away."""

    def __init__(
        self,
        name: str,
        path: str,
        sink: Sink,
        fingerprint: Callable[[bytes], TagId],
        badge_key: bytes,
        on_seen: Callable[[], None],
        *,
        reset: Callable[[], None] = lambda: None,
        pace: Pace = DEFAULT_PACE,
    ) -> None:
        """Name a reader; nothing is opened before `start`.

        Args:
            path: nfcpy's (`udp:HOST:PORT`, `usb:…`, `tty:NAME:pn532`); NAME is a name in `/dev` or a path.
            fingerprint: the keyed hash of a UID.
            badge_key: the master key (16 bytes) that each badge's own is derived from.
            on_seen: called at once when a tag appears, by the reader's thread.
            reset: pulses the chip's reset line; called when the reader was lost, before it is opened again.
        """
        self.losses = 0
        self._name, self._path, self._sink, self._on_seen, self._reset = name, path, sink, on_seen, reset
        self._fingerprint, self._badge_key, self._pace = fingerprint, badge_key, pace
        self._up: bool | None = None
        self._placement = Placement(pace.away)
        self._keeper = Keeper(f"reader-{name}", self._serve, self._lose, pace.first_pause, pace.longest_pause)

    @property
    def beat(self) -> float:
        """The monotonic time of the thread's last progress."""
        return self._keeper.beat

    def start(self) -> None:
        """Start the thread."""
        self._keeper.start()

    def stop(self) -> None:
        """End the thread and let go of the reader."""
        self._keeper.stop()

    def _serve(self) -> None:
        """Open the reader and poll it until it fails or the thread is stopped."""
        with contextlib.closing(_Field(self._path)) as field:
            self._is_up(True)
            while not self._keeper.stopping:
                self._poll(field)
                self._keeper.well()
                self._keeper.rest(self._pace.poll)

    def _lose(self, lost: Exception) -> None:
        log.warning("reader %s: %s, errno %s", self._name, type(lost).__name__, getattr(lost, "errno", None))
        self._is_up(False)
        self._reset()

    def _is_up(self, up: bool) -> None:
        """Say so once."""
        if up is self._up:
            return
        self._up = up
        self.losses += not up
        self._sink(ReaderChanged(self._name, up))

    def _poll(self, field: _Field) -> None:
        sight = field.sense()
        if sight is None:
            self._placement.miss()
        elif self._placement.is_new(sight.identity, time.monotonic()):
            self._on_seen()
            self._take_in(field, sight)

    def _take_in(self, field: _Field, sight: _Sight | None) -> None:
        """Read a new tag, trying again while it lies badly, and report it once."""
        met: set[bytes] = set()
        outcome: Tap | TapFault = TapFault.TORN
        for _ in range(TRIES):
            if sight is not None:
                outcome = self._read(field, sight, met)
            if isinstance(outcome, Tap) or outcome is TapFault.RANDOM:
                break
            self._keeper.rest(self._pace.retry)
            sight = field.sense()
        read = sight.identity if sight is not None and isinstance(outcome, Tap) else None
        self._placement.settle(frozenset(met), time.monotonic(), read)
        self._sink(outcome if isinstance(outcome, Tap) else TapFailed(self._name, outcome))

    def _read(self, field: _Field, sight: _Sight, met: set[bytes]) -> Tap | TapFault:
        """Find out what a tag proves; `met` gathers every identity that showed up."""
        met.add(sight.identity)
        if sight.identity in (CROWD, _RANDOM):
            return TapFault.SEVERAL if sight.identity == CROWD else TapFault.RANDOM
        try:
            # Only a tag that speaks APDUs is asked anything: a MIFARE Classic would take a question for an attack and fall silent.
            proven = sight.speaks_apdu and field.proves(sight, ntag424.diversified_key(self._badge_key, sight.uid))
        except TornTap:
            return TapFault.TORN
        if field.has_neighbour(sight):
            met.add(CROWD)
            return TapFault.SEVERAL
        tier = Tier.AUTHENTICATED if proven else Tier.IDENTIFIER_ONLY
        return Tap(self._name, self._fingerprint(sight.uid), tier)
