"""What somebody who holds the files can do to them, without a secret key or with the cabinet's own, and what the verifier says.

The last sections are the limits: what the cabinet's owner may still rewrite is counted as not witnessed, never as proven.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.ledger.checkpoint import Checkpoint, cosign, sign
from kiosk.ledger.entry import digest, seal, unseal
from kiosk.ledger.errors import Fault, Unproven
from kiosk.ledger.note import Kind, Note, Signature, SigningKey
from tests.attack.logs import (
    FORGED_LOG_KEY,
    FORGED_WITNESS_KEY,
    LOG,
    LOG_KEY,
    MORNING,
    WITNESS_KEY,
    a_log,
    an_entry,
    continued,
    export,
    head,
    rechained,
    signed,
    verdict,
    witnessed,
)

BODIES = a_log(40)
NOTE = witnessed(BODIES)
HONEST = export(BODIES, NOTE)


def edited(body: bytes, **changed: object) -> bytes:
    """The entry with other data, in canonical form."""
    entry = unseal(body)
    return seal(replace(entry, data=entry.data | changed))


def fault(folder: Path, content: bytes) -> tuple[Fault, int | None]:
    with pytest.raises(Unproven) as e:
        verdict(folder, content)
    assert e.value.origin in (LOG, None)
    return e.value.fault, e.value.entry


def with_line(number: int, line: bytes) -> list[bytes]:
    return [*BODIES[: number - 1], line, *BODIES[number:]]


# ---- without a secret: the entries


def test_an_edited_entry_is_named(tmp_path: Path) -> None:
    for number in (1, 2, 17, 39):
        changed = with_line(number, edited(BODIES[number - 1], person="p666"))
        assert fault(tmp_path, export(changed, NOTE)) == (Fault.EDITED, number)


def test_an_edit_of_the_last_entry_does_not_lead_to_the_signed_root(tmp_path: Path) -> None:
    changed = with_line(40, edited(BODIES[39], person="p666"))
    assert fault(tmp_path, export(changed, NOTE)) == (Fault.WRONG_ROOT, None)


def test_an_edit_with_everything_after_it_chained_anew_does_not_lead_to_the_signed_root(tmp_path: Path) -> None:
    for number in (1, 17, 39):
        changed = rechained(with_line(number, edited(BODIES[number - 1], person="p666")))
        assert fault(tmp_path, export(changed, NOTE)) == (Fault.WRONG_ROOT, None)


def test_a_prev_that_was_edited_is_found(tmp_path: Path) -> None:
    first = seal(replace(unseal(BODIES[0]), prev="f" * 64))
    assert fault(tmp_path, export(with_line(1, first), NOTE)) == (Fault.EDITED, 1)
    seventeenth = seal(replace(unseal(BODIES[16]), prev="f" * 64))
    assert fault(tmp_path, export(with_line(17, seventeenth), NOTE)) == (Fault.EDITED, 16)


def test_a_deleted_entry_is_missed(tmp_path: Path) -> None:
    for number in (1, 17, 39):
        assert fault(tmp_path, export(BODIES[: number - 1] + BODIES[number:], NOTE)) == (Fault.DELETED, number)


def test_a_deletion_with_everything_chained_anew_is_missed_at_the_end(tmp_path: Path) -> None:
    assert fault(tmp_path, export(rechained(BODIES[:16] + BODIES[17:]), NOTE)) == (Fault.TRUNCATED, 40)


def test_reordered_entries_are_told_from_missing_ones(tmp_path: Path) -> None:
    swapped = [*BODIES[:16], BODIES[17], BODIES[16], *BODIES[18:]]
    assert fault(tmp_path, export(swapped, NOTE)) == (Fault.REORDERED, 17)
    assert fault(tmp_path, export([BODIES[39], *BODIES[:39]], NOTE)) == (Fault.REORDERED, 1)
    assert fault(tmp_path, export([*BODIES[1:], BODIES[0]], NOTE)) == (Fault.REORDERED, 1)


def test_reordered_entries_that_were_chained_anew_do_not_lead_to_the_signed_root(tmp_path: Path) -> None:
    swapped = rechained([*BODIES[:16], BODIES[17], BODIES[16], *BODIES[18:]])
    assert fault(tmp_path, export(swapped, NOTE)) == (Fault.WRONG_ROOT, None)


def test_an_entry_inserted_in_the_past_is_found(tmp_path: Path) -> None:
    forged = seal(an_entry(17, digest(BODIES[15]), actor="p666"))
    assert fault(tmp_path, export([*BODIES[:16], forged, *BODIES[16:]], NOTE)) == (Fault.INSERTED, 18)
    assert fault(tmp_path, export([*BODIES[:16], BODIES[15], *BODIES[16:]], NOTE)) == (Fault.INSERTED, 17)


def test_an_insertion_with_everything_chained_anew_does_not_lead_to_the_signed_root(tmp_path: Path) -> None:
    forged = rechained([*BODIES[:16], BODIES[5], *BODIES[16:]])
    assert fault(tmp_path, export(forged, NOTE)) == (Fault.WRONG_ROOT, None)


def test_a_truncated_export_is_shorter_than_its_head(tmp_path: Path) -> None:
    for size in (0, 1, 17, 39):
        assert fault(tmp_path, export(BODIES[:size], NOTE)) == (Fault.TRUNCATED, size + 1)


def test_a_file_that_was_cut_anywhere_proves_nothing(tmp_path: Path) -> None:
    for end in (*range(1, len(HONEST), 997), *range(len(HONEST) - len(NOTE) - 4, len(HONEST))):
        if HONEST[:end] != export(BODIES, signed(BODIES)):
            assert fault(tmp_path, HONEST[:end])[0] in (Fault.MALFORMED, Fault.BAD_SIGNATURE, Fault.UNKNOWN_KEY)


def test_a_file_that_lost_its_cosignature_is_as_if_headquarters_had_not_seen_it(tmp_path: Path) -> None:
    assert HONEST.startswith(export(BODIES, signed(BODIES)))
    assert verdict(tmp_path, export(BODIES, signed(BODIES))).unwitnessed == 40


def test_entries_of_another_log_are_no_part_of_this_one(tmp_path: Path) -> None:
    for other in ({"node": "armoire-8"}, {"stream": "6f0c3d3e-1f6a-4a53-9d3c-0a4f2b1c9d10"}):
        forged = seal(an_entry(17, digest(BODIES[15]), **other))
        assert fault(tmp_path, export(with_line(17, forged), NOTE)) == (Fault.WRONG_ORIGIN, 17)


NOT_CANONICAL: dict[str, Callable[[bytes], bytes]] = {
    "a key twice": lambda body: body.replace(b'"data":{', b'"data":{"hook":"02",'),
    "an attribute twice": lambda body: body.replace(b'{"actor":', b'{"actor":"p666","actor":'),
    "another order": lambda body: body.replace(b'"hook":"01","item":', b'"item":"K-1","hook":'),
    "spaces": lambda body: body.replace(b":", b": ", 1),
    "an escape": lambda body: body.replace(b'"K-', b'"\\u004b-', 1),
    "a carriage return": lambda body: body + b"\r",
    "a truth value": lambda _: b"true",
    "a number that grows in other programs": lambda body: body.replace(b'"sensed":true', b'"sensed":9007199254740993'),
    "another attribute": lambda body: body.replace(b'"specversion"', b'"signedby":"me","specversion"'),
}


@pytest.mark.parametrize("what", NOT_CANONICAL)
def test_an_entry_that_two_programs_could_read_differently_is_refused_where_it_stands(
    tmp_path: Path, what: str
) -> None:
    forged = NOT_CANONICAL[what](BODIES[16])
    assert forged != BODIES[16]
    assert fault(tmp_path, export(with_line(17, forged), NOTE)) == (Fault.MALFORMED, 17)
    # Also when the cabinet itself signs for it.
    log = with_line(17, forged)[:17]
    assert fault(tmp_path, export(log, witnessed(log))) == (Fault.MALFORMED, 17)


def test_an_empty_line_among_the_entries_is_refused(tmp_path: Path) -> None:
    assert fault(tmp_path, export([*BODIES[:17], b"", *BODIES[17:]], NOTE))[0] is Fault.MALFORMED
    # Also where the head is too far away for this line to be taken for the one before it.
    long = a_log(400)
    assert fault(tmp_path, export([*long[:17], b"", *long[17:]], witnessed(long))) == (Fault.MALFORMED, 18)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(HONEST) - 1), st.integers(1, 255))
def test_no_byte_of_an_export_can_be_changed(tmp_path: Path, position: int, change: int) -> None:
    changed = bytearray(HONEST)
    changed[position] ^= change
    try:
        found = verdict(tmp_path, bytes(changed))
    except Unproven:
        return
    # A witness's name or key id that was changed is a stranger's: nobody has seen the log then.
    assert found.seen is None
    assert position > HONEST.index("— trousseau/hq".encode())


# ---- without a secret: the head


def test_a_head_that_was_edited_bears_no_signature(tmp_path: Path) -> None:
    other = signed(BODIES[:39])
    for forged in (NOTE.replace(b"\n40\n", b"\n39\n"), NOTE.replace(NOTE.split(b"\n")[2], other.split(b"\n")[2])):
        assert fault(tmp_path, export(BODIES, forged)) == (Fault.BAD_SIGNATURE, None)


def test_a_head_signed_by_a_key_of_the_same_name_is_nobodys(tmp_path: Path) -> None:
    forged = cosign(signed(BODIES, FORGED_LOG_KEY), [FORGED_WITNESS_KEY], MORNING)
    assert fault(tmp_path, export(BODIES, forged)) == (Fault.UNKNOWN_KEY, None)


def test_a_signature_cannot_be_moved_to_another_head_nor_to_another_keys_name(tmp_path: Path) -> None:
    own, witness = Note.parse(NOTE).signatures
    rewritten = rechained([edited(BODIES[0], person="p666"), *BODIES[1:]])
    moved = Note(head(rewritten).text, (own, witness)).encode()
    assert fault(tmp_path, export(rewritten, moved)) == (Fault.BAD_SIGNATURE, None)
    renamed = Note(head(BODIES).text, (Signature(LOG, LOG_KEY.verifier.id, witness.data[8:]),)).encode()
    assert fault(tmp_path, export(BODIES, renamed)) == (Fault.BAD_SIGNATURE, None)


def test_another_logs_head_does_not_cover_these_entries(tmp_path: Path) -> None:
    other = "trousseau/armoire-8/5f0c3d3e-1f6a-4a53-9d3c-0a4f2b1c9d10"
    its_key = SigningKey.generate(other, Kind.ED25519)
    foreign = sign(replace(head(BODIES), origin=other), [its_key])
    with pytest.raises(Unproven) as e:
        verdict(tmp_path, export(BODIES, foreign), its_key, WITNESS_KEY)
    assert (e.value.fault, e.value.entry) == (Fault.WRONG_ORIGIN, 1)


def test_a_log_under_no_name_of_ours_is_refused_even_when_its_key_is_believed(tmp_path: Path) -> None:
    its_key = SigningKey.generate("example.com/log", Kind.ED25519)
    foreign = sign(replace(head(BODIES), origin="example.com/log"), [its_key])
    with pytest.raises(Unproven) as e:
        verdict(tmp_path, export(BODIES, foreign), its_key)
    assert (e.value.fault, e.value.origin) == (Fault.WRONG_ORIGIN, None)


def test_a_head_without_the_cabinets_signature_is_not_enough_though_headquarters_has_signed(tmp_path: Path) -> None:
    alone = cosign(Note(head(BODIES).text, ()).signed_with(FORGED_LOG_KEY).encode(), [WITNESS_KEY], MORNING)
    assert fault(tmp_path, export(BODIES, alone)) == (Fault.UNKNOWN_KEY, None)


def test_a_forged_cosignature_is_not_passed_over(tmp_path: Path) -> None:
    own, witness = Note.parse(NOTE).signatures
    by_another = Note(head(BODIES).text, (own,)).signed_with(FORGED_WITNESS_KEY, MORNING).signatures[1]
    forged = Signature(witness.name, witness.id, by_another.data)
    earlier = Signature(witness.name, witness.id, (MORNING - 86_400).to_bytes(8, "big") + witness.data[8:])
    for signature in (forged, earlier):
        note = Note(head(BODIES).text, (own, signature)).encode()
        assert fault(tmp_path, export(BODIES, note)) == (Fault.BAD_SIGNATURE, None)


def test_a_cosignature_of_a_shorter_log_does_not_cover_a_longer_one(tmp_path: Path) -> None:
    _, witness = Note.parse(witnessed(BODIES[:39])).signatures
    (own,) = Note.parse(signed(BODIES)).signatures
    assert fault(tmp_path, export(BODIES, Note(head(BODIES).text, (own, witness)).encode())) == (
        Fault.BAD_SIGNATURE,
        None,
    )


def test_an_unknown_witness_has_seen_nothing(tmp_path: Path) -> None:
    found = verdict(tmp_path, export(BODIES, cosign(signed(BODIES), [FORGED_WITNESS_KEY], MORNING)))
    assert (found.seen, found.unwitnessed) == (None, 40)


# ---- with the cabinet's own key: its owner, or a thief with the card


def test_a_log_that_was_cut_and_grown_anew_is_convicted_by_the_witnessed_head(tmp_path: Path) -> None:
    for kept in (0, 17, 39):
        regrown = continued(BODIES[:kept], 45, actor="p666")
        assert verdict(tmp_path, export(regrown, signed(regrown))).seen is None
        assert fault(tmp_path, export(regrown, NOTE)) == (Fault.WRONG_ROOT, None)


def test_a_root_that_is_signed_but_is_not_of_these_entries_is_refused(tmp_path: Path) -> None:
    for claimed in (Checkpoint(LOG, 40, b"\x00" * 32), Checkpoint(LOG, 0, head(BODIES).root)):
        assert fault(tmp_path, export(BODIES, sign(claimed, [LOG_KEY]))) == (Fault.WRONG_ROOT, None)


# ---- the limit


def test_a_fork_after_the_witnessed_head_is_not_detected_and_its_entries_are_called_unwitnessed(tmp_path: Path) -> None:
    longer = continued(BODIES, 45)
    fork = continued(BODIES, 45, actor="p666")
    for log in (longer, fork):
        found = verdict(tmp_path, export(log, NOTE))
        assert found.seen is not None
        assert (found.entries, found.seen.size, found.unwitnessed) == (45, 40, 5)
        assert verdict(tmp_path, export(log, signed(log))).unwitnessed == 45
