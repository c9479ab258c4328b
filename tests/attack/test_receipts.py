"""What somebody can do to a receipt, and how an old one is held against a newer head."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kiosk.ledger.checkpoint import Refusal, cosign, open_cosigned, open_refusal, sign_refusal
from kiosk.ledger.entry import seal, unseal
from kiosk.ledger.errors import BadNote, BadProof, BadSignature, Fault, UnknownKey, Unproven
from kiosk.ledger.merkle import check_consistency, consistency_proof, root_at
from kiosk.ledger.note import Note, Signature
from kiosk.ledger.receipt import Receipt
from tests.attack.logs import (
    FORGED_WITNESS_KEY,
    LOG,
    LOG_KEY,
    MORNING,
    WITNESS_KEY,
    a_log,
    an_entry,
    continued,
    head,
    receipt,
    signed,
    subtrees,
    verdict,
    witnessed,
)

BODIES = a_log(40)
NOTE = witnessed(BODIES)
RECEIPT = receipt(BODIES, 16, NOTE)
HONEST = RECEIPT.encode()


def fault(folder: Path, one: Receipt) -> Fault:
    with pytest.raises(Unproven) as e:
        verdict(folder, one.encode())
    return e.value.fault


def edited() -> bytes:
    return seal(replace(unseal(BODIES[16]), actor="p666"))


def with_forged_cosignature() -> bytes:
    """The head with somebody else's signature under headquarters' name and key id."""
    own, witness = Note.parse(NOTE).signatures
    by_another = Note.parse(cosign(NOTE, [FORGED_WITNESS_KEY], MORNING)).signatures[1]
    return Note(head(BODIES).text, (own, replace(witness, data=by_another.data))).encode()


FORGED: dict[str, tuple[Receipt, Fault]] = {
    "another entry of the log": (replace(RECEIPT, entry=BODIES[17]), Fault.BAD_PROOF),
    "an edited entry": (replace(RECEIPT, entry=edited()), Fault.BAD_PROOF),
    "an entry that was never recorded": (replace(RECEIPT, entry=seal(an_entry(17, "0" * 64))), Fault.BAD_PROOF),
    "an entry of another log": (
        replace(RECEIPT, entry=seal(replace(unseal(BODIES[16]), node="armoire-8"))),
        Fault.WRONG_ORIGIN,
    ),
    "an entry in another spelling": (replace(RECEIPT, entry=BODIES[16] + b" "), Fault.MALFORMED),
    "no entry": (replace(RECEIPT, entry=b"x"), Fault.MALFORMED),
    "another place": (replace(RECEIPT, index=15), Fault.BAD_PROOF),
    "a place beyond the log": (replace(RECEIPT, index=40), Fault.BAD_PROOF),
    "a shorter path": (replace(RECEIPT, path=RECEIPT.path[:-1]), Fault.BAD_PROOF),
    "a longer path": (replace(RECEIPT, path=[*RECEIPT.path, b"\x00" * 32]), Fault.BAD_PROOF),
    "no path": (replace(RECEIPT, path=[]), Fault.BAD_PROOF),
    "a path from another head": (replace(RECEIPT, path=receipt(BODIES[:39], 16, NOTE).path), Fault.BAD_PROOF),
    "another head": (replace(RECEIPT, checkpoint=witnessed(BODIES[:39])), Fault.BAD_PROOF),
    "no head": (replace(RECEIPT, checkpoint=b""), Fault.MALFORMED),
    "a head that was edited": (replace(RECEIPT, checkpoint=NOTE.replace(b"\n40\n", b"\n41\n")), Fault.BAD_SIGNATURE),
    "a forged cosignature": (replace(RECEIPT, checkpoint=with_forged_cosignature()), Fault.BAD_SIGNATURE),
}


@pytest.mark.parametrize("what", FORGED)
def test_a_forged_receipt_proves_nothing(tmp_path: Path, what: str) -> None:
    forged, expected = FORGED[what]
    assert fault(tmp_path, forged) is expected


def test_a_name_that_a_terminal_would_obey_is_not_repeated(tmp_path: Path) -> None:
    entry = seal(replace(unseal(BODIES[16]), node="\x1b[2J"))
    with pytest.raises(Unproven) as e:
        verdict(tmp_path, replace(RECEIPT, entry=entry).encode())
    assert (e.value.fault, e.value.origin) == (Fault.WRONG_ORIGIN, None)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, len(HONEST) - 1), st.integers(1, 255))
def test_no_byte_of_a_receipt_can_be_changed(tmp_path: Path, position: int, change: int) -> None:
    changed = bytearray(HONEST)
    changed[position] ^= change
    try:
        found = verdict(tmp_path, bytes(changed))
    except Unproven:
        return
    assert found.seen is None
    assert position > HONEST.index("— trousseau/hq".encode())


def test_a_node_of_the_tree_is_no_entry(tmp_path: Path) -> None:
    # Two leaves' hashes as one leaf would be one step nearer to the root, were leaves hashed like nodes.
    tree = subtrees(BODIES)
    node = tree.hash_of(0, 16) + tree.hash_of(0, 17)
    assert fault(tmp_path, Receipt(node, 8, RECEIPT.path[1:], NOTE)) is Fault.MALFORMED


def test_an_entry_whose_number_is_not_its_place_is_refused_even_when_the_cabinet_signs_for_it(tmp_path: Path) -> None:
    misnumbered = [*BODIES[:16], seal(an_entry(18, "0" * 64)), *BODIES[17:]]
    assert fault(tmp_path, receipt(misnumbered, 16, witnessed(misnumbered))) is Fault.BAD_PROOF


# ---- an old receipt and a newer head


def holds_against(old: Receipt, newer: list[bytes]) -> bool:
    """What headquarters does when a client comes with an old receipt: prove that today's log continues the one it was cut from."""
    believed = open_cosigned(old.checkpoint, LOG, [WITNESS_KEY.verifier]).checkpoint
    now = open_cosigned(witnessed(newer), LOG, [WITNESS_KEY.verifier]).checkpoint
    try:
        check_consistency(
            believed.size,
            believed.root,
            now.size,
            now.root,
            consistency_proof(believed.size, now.size, subtrees(newer)),
        )
    except BadProof:
        return False
    return True


def test_an_old_receipt_holds_against_every_newer_head_of_the_same_history() -> None:
    longer = a_log(100)
    assert all(holds_against(RECEIPT, longer[:size]) for size in range(40, 101))


def test_an_old_receipt_convicts_a_log_that_was_rewritten_before_it() -> None:
    for kept in (0, 16, 39):
        assert not holds_against(RECEIPT, continued(BODIES[:kept], 60, actor="p666"))


# ---- a forged refusal

SEEN_ROOT = root_at(36, subtrees(BODIES))
REFUSAL = Refusal(LOG, 36, b"\x01" * 32, 36, SEEN_ROOT, MORNING)


def test_only_headquarters_can_refuse() -> None:
    for forger in (FORGED_WITNESS_KEY, LOG_KEY):
        with pytest.raises(UnknownKey):
            open_refusal(sign_refusal(REFUSAL, [forger]), LOG, [WITNESS_KEY.verifier])


def test_a_refusal_under_headquarters_name_with_another_signature_is_a_forgery() -> None:
    genuine = Note.parse(sign_refusal(REFUSAL, [WITNESS_KEY])).signatures[0]
    by_another = Note.parse(sign_refusal(REFUSAL, [FORGED_WITNESS_KEY])).signatures[0]
    forged = Note(REFUSAL.text, (Signature(genuine.name, genuine.id, by_another.data),)).encode()
    with pytest.raises(BadSignature):
        open_refusal(forged, LOG, [WITNESS_KEY.verifier])


CHANGES: list[Callable[[Refusal], Refusal]] = [
    lambda one: replace(one, size=37),
    lambda one: replace(one, root=SEEN_ROOT),
    lambda one: replace(one, seen_size=35),
    lambda one: replace(one, seen_root=b"\x01" * 32),
    lambda one: replace(one, at=MORNING + 1),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_refusal_cannot_be_changed(change: Callable[[Refusal], Refusal]) -> None:
    genuine = Note.parse(sign_refusal(REFUSAL, [WITNESS_KEY]))
    forged = Note(change(REFUSAL).text, genuine.signatures).encode()
    with pytest.raises(BadSignature):
        open_refusal(forged, LOG, [WITNESS_KEY.verifier])


def test_a_cosignature_is_no_refusal_and_a_refusal_no_cosignature() -> None:
    refusal = sign_refusal(REFUSAL, [WITNESS_KEY])
    with pytest.raises(BadNote):
        open_refusal(NOTE, LOG, [WITNESS_KEY.verifier])
    with pytest.raises(BadNote):
        open_cosigned(refusal, LOG, [WITNESS_KEY.verifier])
    # Nor does the signature of one serve under the text of the other.
    own, cosignature = Note.parse(NOTE).signatures
    as_refusal = Signature(cosignature.name, Note.parse(refusal).signatures[0].id, cosignature.data[8:])
    with pytest.raises(BadSignature):
        open_refusal(Note(REFUSAL.text, (as_refusal,)).encode(), LOG, [WITNESS_KEY.verifier])
    as_cosignature = Signature(
        cosignature.name, cosignature.id, cosignature.data[:8] + Note.parse(refusal).signatures[0].data
    )
    with pytest.raises(BadSignature):
        open_cosigned(Note(head(BODIES).text, (own, as_cosignature)).encode(), LOG, [WITNESS_KEY.verifier])


def test_a_receipt_that_was_completed_with_the_cosignature_is_the_same_receipt(tmp_path: Path) -> None:
    at_once = verdict(tmp_path, receipt(BODIES, 16, signed(BODIES)).encode())
    completed = verdict(tmp_path, HONEST)
    assert (at_once.unwitnessed, completed.unwitnessed) == (1, 0)
    assert at_once.digest == completed.digest
