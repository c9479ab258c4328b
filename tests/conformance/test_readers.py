"""One suite for every reader: nfcpy's simulated radio, and its real PN532 driver on a pseudo terminal."""

import hashlib
import hmac
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from kiosk.domain.identifiers import TagId
from kiosk.domain.people import Tier
from kiosk.hardware.pn532 import SteadyPort
from kiosk.hardware.readers import NfcReader, Pace
from kiosk.hardware.simulated.air import Air
from kiosk.hardware.simulated.pn532 import SimulatedPn532
from kiosk.hardware.simulated.tags import (
    FlutteringBadge,
    ForeignCard,
    Ntag213,
    RandomIdTag,
    SimulatedTag,
    TornTag,
    UidOnlyBadge,
    cloned_badge,
    genuine_badge,
)
from kiosk.services.ports import ReaderChanged, Tap, TapFailed, TapFault
from tests.conformance.waiting import Reports, wait_until

MASTER = bytes(range(16))
BADGE_UID = bytes.fromhex("04A1B2C3D4E5F6")
KEY_UID = bytes.fromhex("04112233445566")
CLASSIC_UID = bytes.fromhex("5A6B7C8D")
#: As the product's, but for a shorter memory of tags and shorter pauses, so that the tests need not wait for them.
PACE = Pace(poll=0.05, away=0.8, first_pause=0.05, longest_pause=0.2)

UP, DOWN = ReaderChanged("desk", True), ReaderChanged("desk", False)


def fingerprint(uid: bytes) -> TagId:
    return TagId(hmac.new(b"pepper", uid, hashlib.sha256).hexdigest())


def tap(uid: bytes, tier: Tier) -> Tap:
    return Tap("desk", fingerprint(uid), tier)


class Bench:
    """A reader before a simulated field, and what it reports."""

    def __init__(self, medium: Air | SimulatedPn532) -> None:
        self.medium = medium
        self.reports = Reports()
        self.seen: list[float] = []
        self.resets: list[float] = []
        self.reader = self.another()

    def another(self, pace: Pace = PACE) -> NfcReader:
        return NfcReader(
            "desk",
            self.medium.path,
            self.reports,
            fingerprint,
            MASTER,
            lambda: self.seen.append(time.monotonic()),
            reset=lambda: self.resets.append(time.monotonic()),
            pace=pace,
        )

    @property
    def taps(self) -> Sequence[object]:
        return self.reports.of(Tap, TapFailed)

    @contextmanager
    def held(self, *tags: SimulatedTag) -> Iterator[None]:
        for tag in tags:
            self.medium.field.place(tag)
        try:
            yield
        finally:
            for tag in tags:
                self.medium.field.remove(tag)

    def rest(self, seconds: float = 6 * PACE.poll) -> None:
        """Give the reader time for what it should not do."""
        time.sleep(seconds)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@contextmanager
def running(bench: Bench) -> Iterator[Bench]:
    bench.reader.start()
    try:
        bench.reports.wait_for(UP)
        yield bench
    finally:
        bench.reader.stop()


@pytest.fixture
def pn532(tmp_path: Path) -> Iterator[SimulatedPn532]:
    chip = SimulatedPn532(tmp_path / "ttynfcdesk")
    yield chip
    chip.close()


@pytest.fixture
def air() -> Iterator[Air]:
    simulated = Air()
    yield simulated
    simulated.close()


@pytest.fixture(params=["air", "pn532"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with running(Bench(request.getfixturevalue(request.param))) as bench:
        yield bench


@pytest.fixture
def chip_bench(pn532: SimulatedPn532) -> Iterator[Bench]:
    with running(Bench(pn532)) as bench:
        yield bench


def test_a_badge_authenticates_with_its_own_key(bench: Bench) -> None:
    with bench.held(genuine_badge(BADGE_UID, MASTER)):
        bench.reports.wait_for(tap(BADGE_UID, Tier.AUTHENTICATED))


def test_a_key_gives_its_identifier(bench: Bench) -> None:
    with bench.held(Ntag213(KEY_UID)):
        bench.reports.wait_for(tap(KEY_UID, Tier.IDENTIFIER_ONLY))


@pytest.mark.parametrize(
    "make",
    [cloned_badge, ForeignCard, lambda uid: genuine_badge(uid, bytes(16))],
    ids=["clone", "foreign", "other master"],
)
def test_a_card_that_cannot_prove_itself_gives_only_its_identifier(
    bench: Bench, make: Callable[[bytes], SimulatedTag]
) -> None:
    with bench.held(make(BADGE_UID)):
        bench.reports.wait_for(tap(BADGE_UID, Tier.IDENTIFIER_ONLY))
        bench.rest()
    assert len(bench.taps) == 1


@pytest.mark.parametrize("uid", [CLASSIC_UID, KEY_UID, bytes(range(1, 11))], ids=["4 bytes", "7 bytes", "10 bytes"])
def test_any_tag_with_a_lasting_uid_gives_its_identifier(bench: Bench, uid: bytes) -> None:
    with bench.held(UidOnlyBadge(uid)):
        bench.reports.wait_for(tap(uid, Tier.IDENTIFIER_ONLY))


def test_a_tag_is_seen_once_before_it_is_read(bench: Bench) -> None:
    with bench.held(genuine_badge(BADGE_UID, MASTER)):
        wait_until(lambda: bool(bench.seen))
        bench.reports.wait_for(tap(BADGE_UID, Tier.AUTHENTICATED))
        bench.rest()
    assert len(bench.seen) == 1


def test_a_tag_that_stays_is_reported_once(bench: Bench) -> None:
    with bench.held(genuine_badge(BADGE_UID, MASTER)):
        bench.reports.wait_for(tap(BADGE_UID, Tier.AUTHENTICATED))
        bench.rest(2 * PACE.away)
    assert len(bench.taps) == 1


def test_a_tag_that_comes_back_later_is_reported_again(bench: Bench) -> None:
    badge = genuine_badge(BADGE_UID, MASTER)
    for times in (1, 2):
        with bench.held(badge):
            bench.reports.wait_for(tap(BADGE_UID, Tier.AUTHENTICATED), times)
        bench.rest(PACE.away + 4 * PACE.poll)


def test_a_badge_and_then_a_key_are_both_reported_however_quick_the_hand(bench: Bench) -> None:
    with bench.held(genuine_badge(BADGE_UID, MASTER)):
        bench.reports.wait_for(tap(BADGE_UID, Tier.AUTHENTICATED))
    with bench.held(Ntag213(KEY_UID)):
        bench.reports.wait_for(tap(KEY_UID, Tier.IDENTIFIER_ONLY))


def test_a_random_identifier_is_refused_once(bench: Bench) -> None:
    with bench.held(RandomIdTag()):
        bench.reports.wait_for(TapFailed("desk", TapFault.RANDOM))
        bench.rest()
    assert len(bench.taps) == 1


@pytest.mark.parametrize("answers", [1, 2, 3])
def test_a_badge_pulled_away_too_soon_is_torn_once_and_proves_nothing(bench: Bench, answers: int) -> None:
    with bench.held(TornTag(genuine_badge(BADGE_UID, MASTER), answers)):
        bench.reports.wait_for(TapFailed("desk", TapFault.TORN))
        bench.rest()
    assert len(bench.taps) == 1


def test_a_badge_that_slips_and_is_put_back_at_once_is_read_all_the_same(bench: Bench) -> None:
    with bench.held(TornTag(genuine_badge(BADGE_UID, MASTER), 2, returns=True)):
        bench.reports.wait_for(tap(BADGE_UID, Tier.AUTHENTICATED))
    assert len(bench.taps) == 1


def test_a_torn_badge_may_be_tapped_again_at_once(bench: Bench) -> None:
    with bench.held(TornTag(genuine_badge(BADGE_UID, MASTER), 2)):
        bench.reports.wait_for(TapFailed("desk", TapFault.TORN))
    bench.rest()
    with bench.held(genuine_badge(BADGE_UID, MASTER)):
        bench.reports.wait_for(tap(BADGE_UID, Tier.AUTHENTICATED))


@pytest.mark.parametrize(
    "other", [Ntag213(KEY_UID), genuine_badge(KEY_UID, MASTER)], ids=["badge and key", "two badges"]
)
def test_two_tags_at_once_are_several_and_neither_counts(bench: Bench, other: SimulatedTag) -> None:
    with bench.held(genuine_badge(BADGE_UID, MASTER), other):
        bench.reports.wait_for(TapFailed("desk", TapFault.SEVERAL))
        bench.rest()
    assert len(bench.taps) == 1


def test_after_two_tags_at_once_both_have_to_leave_before_one_counts(bench: Bench) -> None:
    badge, key = genuine_badge(BADGE_UID, MASTER), Ntag213(KEY_UID)
    with bench.held(key):
        with bench.held(badge):
            bench.reports.wait_for(TapFailed("desk", TapFault.SEVERAL))
        bench.rest()
    assert len(bench.taps) == 1
    bench.rest()
    with bench.held(key):
        bench.reports.wait_for(tap(KEY_UID, Tier.IDENTIFIER_ONLY))


def test_a_mifare_classic_that_flutters_gives_one_tap(bench: Bench) -> None:
    with bench.held(FlutteringBadge(CLASSIC_UID)):
        bench.reports.wait_for(tap(CLASSIC_UID, Tier.IDENTIFIER_ONLY))
        bench.rest(2.5)
    assert len(bench.taps) == 1
    assert len(bench.seen) == 1


def test_the_beat_goes_on_while_nothing_happens(bench: Bench) -> None:
    before = bench.reader.beat
    wait_until(lambda: bench.reader.beat > before)


def test_a_stopped_reader_leaves_no_thread_and_no_open_file(bench: Bench) -> None:
    before = open_files()
    bench.reader.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "reader-desk"]
    assert open_files() <= before


def test_no_uid_and_no_key_is_ever_logged(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    # As if somebody looking for a fault had turned on everything before the reader was opened.
    caplog.set_level(logging.DEBUG, "nfc")
    bench.reader.stop()
    bench.reader = bench.another()
    bench.reader.start()
    with bench.held(genuine_badge(BADGE_UID, MASTER)):
        bench.reports.wait_for(tap(BADGE_UID, Tier.AUTHENTICATED))
    with bench.held(TornTag(genuine_badge(KEY_UID, MASTER), 2)):
        bench.reports.wait_for(TapFailed("desk", TapFault.TORN))
    written = re.sub(r"[^0-9a-f]", "", caplog.text.lower())
    assert not any(secret.hex() in written for secret in (BADGE_UID, KEY_UID, MASTER))


def test_a_reader_that_is_unplugged_and_comes_back_works_again_and_leaks_nothing(chip_bench: Bench) -> None:
    chip = chip_bench.medium
    assert isinstance(chip, SimulatedPn532)
    before = open_files()
    for times in range(1, 6):
        chip.unplug()
        chip_bench.reports.wait_for(DOWN, times)
        chip.plug()
        chip_bench.reports.wait_for(UP, times + 1)
    assert open_files() == before
    with chip_bench.held(genuine_badge(BADGE_UID, MASTER)):
        chip_bench.reports.wait_for(tap(BADGE_UID, Tier.AUTHENTICATED))
    assert chip_bench.reader.losses == 5
    assert chip_bench.resets


def test_a_reader_that_is_unplugged_with_a_badge_on_it_comes_back(chip_bench: Bench) -> None:
    chip = chip_bench.medium
    assert isinstance(chip, SimulatedPn532)
    with chip_bench.held(genuine_badge(BADGE_UID, MASTER)):
        chip_bench.reports.wait_for(tap(BADGE_UID, Tier.AUTHENTICATED))
        chip.unplug()
        chip_bench.reports.wait_for(DOWN)
    chip.plug()
    chip_bench.reports.wait_for(UP, 2)


def test_a_reader_that_is_absent_at_the_start_is_said_to_be_down_once_and_taken_up_when_it_comes(
    pn532: SimulatedPn532,
) -> None:
    pn532.unplug()
    bench = Bench(pn532)
    bench.reader.start()
    bench.reports.wait_for(DOWN)
    bench.rest()
    assert bench.reports.all == [DOWN]
    pn532.plug()
    bench.reports.wait_for(UP)
    bench.reader.stop()


def test_a_wedged_chip_is_reported_and_reset_and_taken_up_again(chip_bench: Bench) -> None:
    chip = chip_bench.medium
    assert isinstance(chip, SimulatedPn532)
    chip.wedged = True
    chip_bench.reports.wait_for(DOWN)
    wait_until(lambda: bool(chip_bench.resets))
    chip.wedged = False
    chip_bench.reports.wait_for(UP, 2)


def test_a_reset_that_fails_does_not_end_the_thread(pn532: SimulatedPn532) -> None:
    def broken() -> None:
        raise RuntimeError("no such pin")

    reports = Reports()
    reader = NfcReader("desk", pn532.path, reports, fingerprint, MASTER, lambda: None, reset=broken, pace=PACE)
    pn532.wedged = True
    reader.start()
    reports.wait_for(DOWN)
    pn532.wedged = False
    reports.wait_for(UP)
    reader.stop()


def test_the_beat_goes_on_while_the_reader_is_away(pn532: SimulatedPn532) -> None:
    pn532.unplug()
    bench = Bench(pn532)
    bench.reader = bench.another(Pace(first_pause=30.0, longest_pause=30.0))
    bench.reader.start()
    bench.reports.wait_for(DOWN)
    before = bench.reader.beat
    wait_until(lambda: bench.reader.beat > before)
    bench.reader.stop()


@pytest.mark.parametrize("left_at", [921_600, 460_800, 230_400])
def test_a_chip_left_at_another_speed_is_called_back(pn532: SimulatedPn532, left_at: int) -> None:
    pn532.baud = left_at
    with running(Bench(pn532)) as bench, bench.held(genuine_badge(BADGE_UID, MASTER)):
        bench.reports.wait_for(tap(BADGE_UID, Tier.AUTHENTICATED))
        assert pn532.baud == 115_200
    assert DOWN not in bench.reports.all


def test_a_chip_is_never_told_another_speed_nor_put_to_sleep(pn532: SimulatedPn532) -> None:
    for _ in range(2):
        with running(Bench(pn532)):
            assert pn532.baud == 115_200
    assert pn532.baud == 115_200
    assert 0x16 not in pn532.commands


def test_a_slow_chip_is_still_read(chip_bench: Bench) -> None:
    chip = chip_bench.medium
    assert isinstance(chip, SimulatedPn532)
    chip.delay = 0.01
    with chip_bench.held(genuine_badge(BADGE_UID, MASTER)):
        chip_bench.reports.wait_for(tap(BADGE_UID, Tier.AUTHENTICATED))


def test_two_processes_cannot_have_the_same_line(pn532: SimulatedPn532) -> None:
    device = pn532.path.removeprefix("tty:").removesuffix(":pn532")
    port = SteadyPort(device)
    with pytest.raises(OSError, match="lock"):
        SteadyPort(device)
    port.close()
