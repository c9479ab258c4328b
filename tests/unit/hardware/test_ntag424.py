from collections.abc import Callable

import pytest

from kiosk.hardware import ntag424
from kiosk.hardware.simulated.tags import ForeignCard, Ntag424, cloned_badge, genuine_badge

MASTER = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
UID = bytes.fromhex("04782E21801D80")

# NXP AN12196, §6.6: AuthenticateEV2First with a key of zeros.
ZEROS = bytes(16)
RND_A = bytes.fromhex("13C5DB8A5930439FC3DEF9A4C675360F")
SEALED_RND_B = bytes.fromhex("A04C124213C186F22399D33AC2A30215")
RND_B = bytes.fromhex("B9E2FC789B64BF237CCCAA20EC7E6E48")
OUR_ANSWER = bytes.fromhex("35C3E05A752E0144BAC0DE51C1F22C56B34408A23D8AEA266CAB947EA8E0118D")
ITS_ANSWER = bytes.fromhex("3FA64DB5446D1F34CD6EA311167F5E4985B89690C04A05F17FA7AB2F08120663")
ENCRYPTION_KEY = bytes.fromhex("1309C877509E5A215007FF0ED19CA564")
MAC_KEY = bytes.fromhex("4C6626F5E72EA694202139295C7A7FC7")


class Card:
    """Answers APDUs by a function, and keeps what it was sent."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.answer = answer
        self.sent: list[bytes] = []

    def send_apdu(
        self,
        cla: int,
        ins: int,
        p1: int,
        p2: int,
        data: bytes | None = None,
        mrl: int = 0,
        check_status: bool = True,
    ) -> bytes:
        assert data is not None
        assert (mrl, check_status) == (256, False)
        self.sent.append(bytes([cla, ins, p1, p2, len(data)]) + data + b"\x00")
        return self.answer(self.sent[-1])


def answers(*given: bytes) -> Callable[[bytes], bytes]:
    remaining = iter(given)
    return lambda _: next(remaining)


def apdus_of(tag: Ntag424) -> Callable[[bytes], bytes]:
    """Wrap APDUs into single ISO-DEP blocks, as a reader does."""
    tag.put_down()
    assert tag.wakes()
    tag.select()
    block = iter([0, 1] * 9)

    def answer(apdu: bytes) -> bytes:
        response = tag.exchange(bytes([0x02 | next(block)]) + apdu)
        assert response is not None
        return response[1:]

    return answer


def test_the_diversified_key_is_the_one_published_in_an10922() -> None:
    published = bytes.fromhex("A8DD63A3B89D54B37CA802473FDA9175")
    diversification_input = UID + bytes.fromhex("3042F5") + b"NXP Abu"
    assert ntag424.diversified(MASTER, diversification_input) == published


def test_a_short_input_is_padded_to_two_blocks_and_a_full_one_is_not_padded() -> None:
    keys = {ntag424.diversified(MASTER, b"\x04" * length) for length in (1, 4, 15, 16, 30, 31)}
    assert len(keys) == 6
    assert all(len(key) == 16 for key in keys)


@pytest.mark.parametrize("length", [0, 32])
def test_an_input_that_an10922_does_not_allow_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="1 to 31"):
        ntag424.diversified(MASTER, bytes(length))


def test_each_badge_has_a_key_of_its_own() -> None:
    other = UID[:-1] + b"\x81"
    assert ntag424.diversified_key(MASTER, UID) != ntag424.diversified_key(MASTER, other)


def test_the_session_keys_are_the_ones_published_in_an12196() -> None:
    assert ntag424.session_keys(ZEROS, RND_A, RND_B) == (ENCRYPTION_KEY, MAC_KEY)


def test_authentication_runs_as_published_in_an12196() -> None:
    card = Card(answers(ntag424.ISO_OK, SEALED_RND_B + ntag424.MORE, ITS_ANSWER + ntag424.OK))
    session = ntag424.authenticate(card.send_apdu, ZEROS, key_number=0, random=lambda _: RND_A)
    assert session == ntag424.Session(bytes.fromhex("9D00C4DF"), ENCRYPTION_KEY, MAC_KEY)
    assert card.sent == [
        bytes.fromhex("00A4040007D276000085010100"),
        bytes.fromhex("9071000002000000"),
        bytes.fromhex("90AF000020") + OUR_ANSWER + b"\x00",
    ]


def test_a_badge_that_repeats_an_old_answer_is_not_authenticated() -> None:
    card = Card(answers(ntag424.ISO_OK, SEALED_RND_B + ntag424.MORE, ITS_ANSWER + ntag424.OK))
    assert ntag424.authenticate(card.send_apdu, ZEROS, key_number=0) is None


@pytest.mark.parametrize(
    "given",
    [
        (b"\x6a\x82",),
        (ntag424.ISO_OK, b"\x91\x40"),
        (ntag424.ISO_OK, SEALED_RND_B[:8] + ntag424.MORE),
        (ntag424.ISO_OK, SEALED_RND_B + ntag424.MORE, b"\x91\xae"),
        (ntag424.ISO_OK, SEALED_RND_B + ntag424.MORE, ITS_ANSWER[:16] + ntag424.OK),
    ],
    ids=["no such application", "no such key", "short challenge", "wrong answer", "short answer"],
)
def test_a_wrong_answer_at_any_step_proves_nothing(given: tuple[bytes, ...]) -> None:
    assert ntag424.authenticate(Card(answers(*given)).send_apdu, ZEROS) is None


def test_a_lost_tag_is_not_a_wrong_answer() -> None:
    def gone(_: bytes) -> bytes:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        ntag424.authenticate(Card(gone).send_apdu, ZEROS)


def test_a_genuine_simulated_badge_authenticates_and_both_sides_share_fresh_keys() -> None:
    key = ntag424.diversified_key(MASTER, UID)
    sessions = [ntag424.authenticate(Card(apdus_of(genuine_badge(UID, MASTER))).send_apdu, key) for _ in range(2)]
    assert None not in sessions
    assert sessions[0] != sessions[1]


@pytest.mark.parametrize("tag", [cloned_badge(UID), ForeignCard(UID), Ntag424(UID, ZEROS, key_number=0)])
def test_a_badge_without_our_key_does_not_authenticate(tag: Ntag424) -> None:
    key = ntag424.diversified_key(MASTER, UID)
    assert ntag424.authenticate(Card(apdus_of(tag)).send_apdu, key) is None


def test_a_session_does_not_show_its_keys() -> None:
    shown = repr(ntag424.Session(b"1234", ENCRYPTION_KEY, MAC_KEY))
    assert str(ENCRYPTION_KEY) not in shown
    assert str(MAC_KEY) not in shown
