"""Heads, cosignatures and refusals: their form, who signs what, and what is believed."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.ledger.checkpoint import (
    WITNESS,
    Checkpoint,
    Cosigned,
    Refusal,
    cosign,
    node_and_stream,
    open_cosigned,
    open_refusal,
    open_signed,
    origin,
    sign,
    sign_refusal,
)
from kiosk.ledger.errors import BadNote, BadSignature, UnknownKey, WrongOrigin
from kiosk.ledger.note import Kind, Note, SigningKey, to_base64

LOG = "trousseau/armoire-7/5f0c3d3e-1f6a-4a53-9d3c-0a4f2b1c9d10"
OTHER_LOG = "trousseau/armoire-8/5f0c3d3e-1f6a-4a53-9d3c-0a4f2b1c9d10"
HEAD = Checkpoint(LOG, 1842, bytes(range(32)))
KEY = SigningKey.generate(LOG, Kind.ED25519)
NEXT_KEY = SigningKey.generate(LOG, Kind.ED25519)
HQ = SigningKey.generate(WITNESS, Kind.COSIGNATURE)
NEXT_HQ = SigningKey.generate(WITNESS, Kind.COSIGNATURE)
NOON, EVENING = 1_795_435_200, 1_795_453_200
SIGNED = sign(HEAD, [KEY])
COSIGNED = cosign(SIGNED, [HQ], NOON)
REFUSAL = Refusal(LOG, 1842, b"\x01" * 32, 1840, b"\x02" * 32, NOON)
REFUSED = sign_refusal(REFUSAL, [HQ])


# ---- names


def test_a_log_is_named_by_its_node_and_its_stream() -> None:
    assert origin("armoire-7", "5f0c3d3e-1f6a-4a53-9d3c-0a4f2b1c9d10") == LOG
    assert node_and_stream(LOG) == ("armoire-7", "5f0c3d3e-1f6a-4a53-9d3c-0a4f2b1c9d10")


@pytest.mark.parametrize(
    "name",
    [
        "",
        WITNESS,
        "trousseau/a/b",
        "trousseau/armoire-7",
        f"{LOG}/x",
        f"{LOG}\n",
        "else/armoire-7/b",
        "trousseau/Armoire/b",
    ],
)
def test_no_other_name_is_a_logs(name: str) -> None:
    with pytest.raises(WrongOrigin):
        node_and_stream(name)


# ---- heads


def test_a_head_is_three_lines() -> None:
    assert HEAD.text == f"{LOG}\n1842\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**18 - 1), st.binary(min_size=32, max_size=32))
def test_a_head_is_read_back_unchanged(size: int, root: bytes) -> None:
    head = Checkpoint(LOG, size, root)
    assert Checkpoint.parse(head.text) == head


ROOT = to_base64(HEAD.root)
NO_HEADS = {
    "nothing": "",
    "two lines": f"{LOG}\n1842\n",
    "an extension line": f"{HEAD.text}extension\n",
    "no line end": HEAD.text[:-1],
    "an empty line more": f"{HEAD.text}\n",
    "more without a line end": f"{HEAD.text}x",
    "no origin": f"\n1842\n{ROOT}\n",
    "a leading zero": f"{LOG}\n01842\n{ROOT}\n",
    "a sign": f"{LOG}\n+1842\n{ROOT}\n",
    "a negative size": f"{LOG}\n-1\n{ROOT}\n",
    "a space": f"{LOG}\n1842 \n{ROOT}\n",
    "other digits": f"{LOG}\n١٨٤٢\n{ROOT}\n",
    "a size beyond 2^63": f"{LOG}\n{2**63}\n{ROOT}\n",
    "no size": f"{LOG}\n\n{ROOT}\n",
    "a short root": f"{LOG}\n1842\n{to_base64(b'x' * 31)}\n",
    "a long root": f"{LOG}\n1842\n{to_base64(b'x' * 33)}\n",
    "a root in hex": f"{LOG}\n1842\n{HEAD.root.hex()}\n",
    "a root spelt otherwise": f"{LOG}\n1842\n{ROOT[:-2]}9=\n",
}


@pytest.mark.parametrize("what", NO_HEADS)
def test_anything_else_is_no_head_even_when_it_is_signed(what: str) -> None:
    with pytest.raises(BadNote):
        Checkpoint.parse(NO_HEADS[what])
    if NO_HEADS[what].endswith("\n"):
        with pytest.raises(BadNote):
            open_signed(Note(NO_HEADS[what], ()).signed_with(KEY).encode(), LOG, [KEY.verifier])


def test_a_signed_head_is_opened_with_the_cabinets_key() -> None:
    assert open_signed(SIGNED, LOG, [KEY.verifier]) == HEAD
    assert open_signed(COSIGNED, LOG, [KEY.verifier]) == HEAD


def test_a_head_of_another_log_is_not_opened() -> None:
    for opened in (open_signed, open_cosigned):
        with pytest.raises(WrongOrigin):
            opened(COSIGNED, OTHER_LOG, [KEY.verifier, HQ.verifier])


def test_another_logs_key_signs_nothing_here() -> None:
    other = SigningKey.generate(OTHER_LOG, Kind.ED25519)
    with pytest.raises(UnknownKey):
        open_signed(sign(HEAD, [other]), LOG, [other.verifier])


def test_headquarters_key_does_not_sign_for_the_cabinet_nor_the_cabinets_for_headquarters() -> None:
    named_like_the_log = SigningKey.generate(LOG, Kind.COSIGNATURE)
    with pytest.raises(UnknownKey):
        open_signed(cosign(SIGNED, [named_like_the_log], NOON), LOG, [named_like_the_log.verifier])
    with pytest.raises(UnknownKey):
        open_signed(COSIGNED, LOG, [HQ.verifier])
    with pytest.raises(UnknownKey):
        open_cosigned(COSIGNED, LOG, [KEY.verifier])


def test_a_signature_that_is_not_the_known_keys_is_not_passed_over() -> None:
    forged = SIGNED.replace(b"\n1842\n", b"\n1843\n")
    with pytest.raises(BadSignature):
        open_signed(forged, LOG, [KEY.verifier])
    with pytest.raises(BadSignature):
        open_cosigned(COSIGNED.replace(b"\n1842\n", b"\n1843\n"), LOG, [HQ.verifier])


# ---- cosignatures


def test_a_cosigned_head_tells_who_has_seen_it_and_when() -> None:
    assert open_cosigned(COSIGNED, LOG, [HQ.verifier]) == Cosigned(HEAD, NOON, WITNESS)


def test_a_head_that_nobody_has_cosigned_was_not_seen() -> None:
    with pytest.raises(UnknownKey):
        open_cosigned(SIGNED, LOG, [HQ.verifier])


def test_cosigning_keeps_the_cabinets_signatures_and_no_strangers() -> None:
    stranger = SigningKey.generate("example.com/stranger", Kind.ED25519)
    crowded = Note.parse(sign(HEAD, [KEY, NEXT_KEY])).signed_with(stranger).signed_with(HQ, EVENING).encode()
    names = [(one.name, one.id) for one in Note.parse(cosign(crowded, [HQ], NOON)).signatures]
    assert names == [(key.verifier.name, key.verifier.id) for key in (KEY, NEXT_KEY, HQ)]
    assert open_cosigned(cosign(crowded, [HQ], NOON), LOG, [HQ.verifier]).at == NOON


def test_of_several_cosignatures_the_earliest_counts() -> None:
    twice = Note.parse(COSIGNED).signed_with(NEXT_HQ, EVENING).encode()
    assert open_cosigned(twice, LOG, [NEXT_HQ.verifier, HQ.verifier]).at == NOON
    assert open_cosigned(twice, LOG, [NEXT_HQ.verifier]).at == EVENING


@pytest.mark.parametrize("at", [253_402_300_799, 2**62, 2**64 - 1])
def test_a_time_that_no_calendar_can_show_is_none_even_when_it_is_signed(at: int) -> None:
    with pytest.raises(BadNote):
        open_cosigned(cosign(SIGNED, [HQ], at), LOG, [HQ.verifier])
    with pytest.raises(BadNote):
        open_refusal(sign_refusal(replace(REFUSAL, at=min(at, 10**18 - 1)), [HQ]), LOG, [HQ.verifier])


@pytest.mark.parametrize("hours", [-12, 14])
def test_the_last_time_that_is_taken_can_be_shown_in_every_time_zone(hours: int) -> None:
    seen = open_cosigned(cosign(SIGNED, [HQ], 253_402_214_399), LOG, [HQ.verifier])
    assert datetime.fromtimestamp(seen.at, timezone(timedelta(hours=hours))).year == 9999


def test_headquarters_cosigns_heads_and_nothing_else() -> None:
    with pytest.raises(BadNote):
        cosign(REFUSED, [HQ], NOON)


# ---- rotation


def test_during_a_rotation_one_note_bears_both_signatures_and_either_key_opens_it() -> None:
    both = cosign(sign(HEAD, [KEY, NEXT_KEY]), [HQ, NEXT_HQ], NOON)
    for key, witness in ((KEY, HQ), (NEXT_KEY, NEXT_HQ)):
        assert open_signed(both, LOG, [key.verifier]) == HEAD
        assert open_cosigned(both, LOG, [witness.verifier]).checkpoint == HEAD
        assert open_refusal(sign_refusal(REFUSAL, [HQ, NEXT_HQ]), LOG, [witness.verifier]) == REFUSAL


def test_after_a_rotation_what_the_old_key_signed_is_still_opened() -> None:
    assert open_signed(SIGNED, LOG, [KEY.verifier, NEXT_KEY.verifier]) == HEAD
    assert open_cosigned(COSIGNED, LOG, [HQ.verifier, NEXT_HQ.verifier]).at == NOON
    with pytest.raises(UnknownKey):
        open_signed(SIGNED, LOG, [NEXT_KEY.verifier])


# ---- refusals


def test_a_refusal_is_seven_lines() -> None:
    one, two = to_base64(b"\x01" * 32), to_base64(b"\x02" * 32)
    assert REFUSAL.text == f"trousseau-refusal/v1\n{LOG}\n1842\n{one}\n1840\n{two}\n{NOON}\n"
    assert Refusal.parse(REFUSAL.text) == REFUSAL


def test_a_refusal_is_opened_with_headquarters_key_in_either_kind() -> None:
    assert open_refusal(REFUSED, LOG, [HQ.verifier]) == REFUSAL
    assert open_refusal(REFUSED, LOG, [HQ.verifier.as_kind(Kind.ED25519)]) == REFUSAL


def test_a_refusal_of_another_log_is_not_opened() -> None:
    with pytest.raises(WrongOrigin):
        open_refusal(REFUSED, OTHER_LOG, [HQ.verifier])


def test_a_head_is_no_refusal_and_a_refusal_no_head() -> None:
    as_head = sign(HEAD, [SigningKey.generate(WITNESS, Kind.ED25519)])
    with pytest.raises(BadNote):
        open_refusal(as_head, LOG, [HQ.verifier])
    with pytest.raises(BadNote):
        open_signed(REFUSED, LOG, [KEY.verifier])
    with pytest.raises(BadNote):
        open_cosigned(REFUSED, LOG, [HQ.verifier])


def test_what_headquarters_signs_of_another_kind_is_no_refusal() -> None:
    other = REFUSAL.text.replace("trousseau-refusal/v1", "trousseau-refusal/v2")
    with pytest.raises(BadNote):
        open_refusal(Note(other, ()).signed_with(HQ.as_kind(Kind.ED25519)).encode(), LOG, [HQ.verifier])


@pytest.mark.parametrize("line", range(7))
def test_each_line_of_a_refusal_is_signed(line: int) -> None:
    lines = REFUSAL.text.split("\n")
    lines[line] = {0: "trousseau-refusal/v2", 1: OTHER_LOG}.get(line, lines[line - 2 if line > 3 else line + 2])
    note = "\n".join(lines).encode() + REFUSED.removeprefix(REFUSAL.text.encode())
    with pytest.raises((BadNote, BadSignature, WrongOrigin)):
        open_refusal(note, LOG, [HQ.verifier])
