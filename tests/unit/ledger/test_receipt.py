"""A receipt is a C2SP tlog-proof that carries its entry."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.ledger.entry import digest
from kiosk.ledger.errors import BadEntry, BadReceipt
from kiosk.ledger.note import to_base64
from kiosk.ledger.receipt import LARGEST_RECEIPT, Receipt, code
from tests.attack.logs import NODE, STREAM, a_log, receipt, witnessed

BODIES = a_log(11)
RECEIPT = receipt(BODIES, 6, witnessed(BODIES))
FILE = RECEIPT.encode()


def test_a_receipt_is_the_entry_its_place_the_path_and_the_signed_head() -> None:
    path = "".join(f"{to_base64(hash_)}\n" for hash_ in RECEIPT.path)
    head = witnessed(BODIES).decode()
    assert FILE.decode() == f"c2sp.org/tlog-proof@v1\nextra {to_base64(BODIES[6])}\nindex 6\n{path}\n{head}"
    assert len(RECEIPT.path) == 4


@settings(max_examples=60, deadline=None)
@given(
    st.binary(min_size=1, max_size=800),
    st.integers(0, 10**18 - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    st.binary(max_size=300),
)
def test_a_receipt_is_read_back_unchanged(entry: bytes, index: int, path: list[bytes], checkpoint: bytes) -> None:
    one = Receipt(entry, index, path, checkpoint)
    assert Receipt.parse(one.encode()) == one


NO_RECEIPTS: dict[str, bytes] = {
    "nothing": b"",
    "another version": FILE.replace(b"@v1", b"@v2"),
    "no entry": b"".join(line for line in FILE.splitlines(keepends=True) if not line.startswith(b"extra")),
    "an empty entry": b"c2sp.org/tlog-proof@v1\nextra \nindex 6\n\n",
    "no index": FILE.replace(b"index 6\n", b""),
    "a leading zero": FILE.replace(b"index 6\n", b"index 06\n"),
    "a negative index": FILE.replace(b"index 6\n", b"index -6\n"),
    "a huge index": FILE.replace(b"index 6\n", b"index " + b"9" * 19 + b"\n"),
    "other digits": FILE.replace(b"index 6\n", "index ٦\n".encode()),
    "two spaces": FILE.replace(b"index 6", b"index  6"),
    "lines that end otherwise": FILE.replace(b"\n", b"\r\n"),
    "an entry spelt otherwise": FILE.replace(b"extra ", b"extra ="),
    "a line more": FILE.replace(b"index 6\n", b"index 6\nmore\n"),
    "a short hash": FILE.replace(b"index 6\n", b"index 6\n" + to_base64(b"x" * 31).encode() + b"\n"),
    "a hash spelt otherwise": FILE.replace(b"index 6\n", b"index 6\n" + b"A" * 42 + b"B=\n"),
    "more hashes than a tree is high": FILE.replace(b"index 6\n", b"index 6\n" + (b"A" * 43 + b"=\n") * 64),
    "no empty line": FILE.replace(b"\n\n", b"\n"),
    "too large": FILE + b"\n" * LARGEST_RECEIPT,
}


@pytest.mark.parametrize("what", NO_RECEIPTS)
def test_anything_else_is_no_receipt(what: str) -> None:
    with pytest.raises(BadReceipt):
        Receipt.parse(NO_RECEIPTS[what])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else_happens(body: bytes) -> None:
    with pytest.raises(BadReceipt):
        Receipt.parse(body)
    with pytest.raises(BadReceipt):
        Receipt.parse(b"c2sp.org/tlog-proof@v1\n" + body)


def test_the_code_for_paper_and_screen_is_the_id_and_the_hash() -> None:
    assert code(BODIES[6]) == f"{NODE}:{STREAM}:7 {digest(BODIES[6])}"


def test_only_an_entry_has_a_code() -> None:
    with pytest.raises(BadEntry):
        code(BODIES[6] + b" ")
