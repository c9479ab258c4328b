"""C2SP signed-note and cosignature/v1: the published examples, one spelling only, and known keys against unknown ones."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.ledger.errors import BadKey, BadNote, BadSignature
from kiosk.ledger.note import LARGEST_NOTE, Kind, Note, SigningKey, VerifierKey, from_base64

# The example of the Go implementation's documentation, on which other implementations test themselves.
PETER = VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
PETERS_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETERS_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETERS_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
PETERS_NOTE = f"{PETERS_TEXT}\n{PETERS_LINE}".encode()
ENOCH = VerifierKey.parse("EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop")
ENOCHS_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)

# The examples of the specifications signed-note and tlog-cosignature. They print no public keys.
SALVATORE = """\
Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
""".encode()
SOFA = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
""".encode()

KEY = SigningKey.generate("trousseau/armoire-7", Kind.ED25519)
WITNESS = SigningKey.generate("trousseau/hq", Kind.COSIGNATURE)
NOTE = Note("a text\n", ()).signed_with(KEY).signed_with(WITNESS, time=1_679_315_147)
NAMES = st.from_regex(r"[^\s+\x00-\x20]{1,20}", fullmatch=True)


# ---- the published examples


def test_the_published_note_is_verified() -> None:
    assert Note.parse(PETERS_NOTE).verified([PETER]) == [(PETER, None)]


def test_the_published_secret_signs_the_published_note() -> None:
    key = SigningKey.parse(PETERS_SECRET)
    assert key.verifier == PETER
    assert Note(PETERS_TEXT, ()).signed_with(key).encode() == PETERS_NOTE


def test_a_note_with_two_signatures_is_verified_by_whoever_knows_one_of_the_keys() -> None:
    both = Note.parse(PETERS_NOTE + ENOCHS_LINE.encode())
    assert both.verified([PETER]) == [(PETER, None)]
    assert both.verified([ENOCH]) == [(ENOCH, None)]
    assert both.verified([ENOCH, PETER]) == [(PETER, None), (ENOCH, None)]
    assert both.verified([KEY.verifier]) == []


def test_the_text_of_the_specifications_example_has_an_empty_line_in_it() -> None:
    note = Note.parse(SALVATORE)
    assert note.text.endswith("sole:\n\ned è subito sera.\n")
    assert [(one.name, one.id.hex()) for one in note.signatures] == [("quasimodo.example/salvatore", "367ba04b")]
    assert note.encode() == SALVATORE


def test_the_specifications_cosignature_tells_its_time() -> None:
    note = Note.parse(SOFA)
    log, witness = note.signatures
    assert (log.name, len(log.data)) == ("example.com/behind-the-sofa", 64)
    assert (witness.name, len(witness.data)) == ("witness.example.com/w1", 8 + 64)
    assert int.from_bytes(witness.data[:8], "big") == 1_679_315_147
    assert note.encode() == SOFA


# ---- keys


def test_a_verifier_key_is_its_text() -> None:
    for key in (PETER, KEY.verifier, WITNESS.verifier):
        assert VerifierKey.parse(str(key)) == key
    assert str(PETER) == "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_a_signing_key_is_its_secret_text() -> None:
    again = SigningKey.parse(KEY.text)
    assert again.verifier == KEY.verifier
    assert again.sign(b"x") == KEY.sign(b"x")
    assert KEY.text.startswith("PRIVATE+KEY+trousseau/armoire-7+")


def test_a_signing_key_that_is_shown_shows_no_secret() -> None:
    secret = KEY.text.split("+", 4)[4]
    assert secret not in f"{KEY!r} {KEY} {[KEY]}"
    assert str(KEY.verifier) in repr(KEY)


def test_one_secret_as_two_kinds_has_two_ids() -> None:
    refusals = WITNESS.as_kind(Kind.ED25519)
    assert refusals.verifier == WITNESS.verifier.as_kind(Kind.ED25519)
    assert refusals.verifier.public == WITNESS.verifier.public
    assert refusals.verifier.id != WITNESS.verifier.id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a3+",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeuman+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        # With the right hash, but a public key that is too long, and a kind that nobody knows.
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(BadKey):
        VerifierKey.parse(text)


@pytest.mark.parametrize("name", ["", "a name", "a\u3000name", "a\nname"])
def test_a_name_that_would_not_stand_in_a_note_names_no_key(name: str) -> None:
    with pytest.raises(BadKey):
        VerifierKey.parse(str(VerifierKey(name, PETER.kind, PETER.public)))


def test_no_part_of_a_key_and_no_changed_key_is_a_key() -> None:
    for parse, text in ((VerifierKey.parse, str(PETER)), (SigningKey.parse, PETERS_SECRET)):
        parts = {text[a:b] for a in range(len(text)) for b in range(a + 1, len(text) + 1)} - {text}
        changed = {text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :] for at in range(len(text))}
        for wrong in parts | changed:
            with pytest.raises(BadKey):
                parse(wrong)


def test_a_public_key_is_no_secret_key_and_a_secret_one_no_public_one() -> None:
    with pytest.raises(BadKey):
        SigningKey.parse(str(PETER))
    with pytest.raises(BadKey):
        VerifierKey.parse(PETERS_SECRET)


# ---- form


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(codec="utf-8", min_codepoint=0x20), max_size=60), NAMES, st.integers(0, 2**63 - 1))
def test_a_note_that_was_made_is_read_back_unchanged(line: str, name: str, time: int) -> None:
    key = SigningKey(name, Kind.COSIGNATURE, WITNESS._private)
    note = Note(f"{line}\n\n{line}\n", ()).signed_with(key, time)
    assert Note.parse(note.encode()) == note
    assert note.verified([key.verifier]) == [(key.verifier, time)]


MALFORMED: dict[str, bytes] = {
    "nothing": b"",
    "a text alone": PETERS_TEXT.encode(),
    "no signature": f"{PETERS_TEXT}\n".encode(),
    "no end of line": PETERS_NOTE[:-1],
    "an empty line at the end": PETERS_NOTE + b"\n",
    "an empty line among the signatures": PETERS_NOTE + b"\n" + ENOCHS_LINE.encode() + b"\n",
    "no empty line": PETERS_NOTE.replace(b"\n\n", b"\n"),
    "a control character": b"\x01" + PETERS_NOTE,
    "a carriage return": PETERS_NOTE.replace(b"\n", b"\r\n"),
    "a tab": b"\t" + PETERS_NOTE,
    "no UTF-8": b"\xff" + PETERS_NOTE,
    "a line more": PETERS_NOTE + b"Unexpected line.\n",
    "a hyphen for the dash": PETERS_NOTE.replace("—".encode(), b"-"),
    "a name with a space": PETERS_NOTE.replace("— PeterNeumann".encode(), "— Peter Neumann".encode()),
    "a name with a wide space": PETERS_NOTE.replace("— PeterNeumann".encode(), "— Peter\u3000Neumann".encode()),
    "a name with a plus": PETERS_NOTE.replace("— PeterNeumann".encode(), "— Peter+Neumann".encode()),
    "no name": PETERS_NOTE.replace("— PeterNeumann".encode(), "— ".encode()),
    "two spaces": PETERS_NOTE.replace(b" x08", b"  x08"),
    "a space at the end": PETERS_NOTE[:-1] + b" \n",
    "no padding": PETERS_NOTE.replace(b"nAM=", b"nAM"),
    "another spelling of the same bytes": PETERS_NOTE.replace(b"nAM=", b"nAN="),
    "base64 for addresses": PETERS_NOTE.replace(b"/", b"_"),
    "an id and no signature": f"{PETERS_TEXT}\n— PeterNeumann x08gow==\n".encode(),
    "less than an id": f"{PETERS_TEXT}\n— PeterNeumann x08=\n".encode(),
    "too large": PETERS_NOTE + ENOCHS_LINE.encode() * (LARGEST_NOTE // 90),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_anything_else_is_no_note(what: str) -> None:
    with pytest.raises(BadNote):
        Note.parse(MALFORMED[what])


def test_as_many_signatures_are_taken_as_the_specification_asks_for() -> None:
    long = "— later " + "A" * 6_668 + "\n"  # 5,001 bytes
    note = PETERS_NOTE + long.encode() * 15
    assert len(Note.parse(note).signatures) == 16
    assert Note.parse(note).verified([PETER]) == [(PETER, None)]


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(PETERS_NOTE) - 1), st.integers(1, 255))
def test_one_changed_byte_is_no_note_or_is_not_verified(position: int, change: int) -> None:
    changed = bytearray(PETERS_NOTE)
    changed[position] ^= change
    try:
        assert Note.parse(bytes(changed)).verified([PETER]) == []
    except (BadNote, BadSignature):
        return


@pytest.mark.parametrize("text", ["QQ=", "QQ", "QR==", "Q Q=", "QQ==\n", "QQ-_", "é"])
def test_each_bytes_have_one_base64_only(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_base64(text)


# ---- signatures


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_made_up_bytes_are_no_signature(data: bytes) -> None:
    for key in (PETER, WITNESS.verifier):
        with pytest.raises(BadSignature):
            key.check("a text\n", data)


@pytest.mark.parametrize("public", [b"\x00" * 32, b"\xff" * 32, b"\x01" + b"\x00" * 31])
def test_a_public_key_that_is_no_point_verifies_nothing(public: bytes) -> None:
    with pytest.raises(BadSignature):
        VerifierKey("x", Kind.ED25519, public).check("a text\n", b"\x01" * 64)


def test_a_known_key_with_a_bad_signature_spoils_the_note_whoever_else_has_signed() -> None:
    forged = Note("a text\n", ()).signed_with(KEY).signatures[0]
    spoilt = Note("another text\n", (forged,)).signed_with(WITNESS, time=1)
    with pytest.raises(BadSignature):
        spoilt.verified([KEY.verifier, WITNESS.verifier])
    assert spoilt.verified([WITNESS.verifier]) == [(WITNESS.verifier, 1)]


def test_every_signature_of_a_known_key_is_verified_not_the_first_alone() -> None:
    good, bad = NOTE.signatures[0], Note("another text\n", ()).signed_with(KEY).signatures[0]
    with pytest.raises(BadSignature):
        Note(NOTE.text, (good, bad)).verified([KEY.verifier])


def test_a_key_of_the_same_name_or_of_the_same_id_is_another_key() -> None:
    namesake = SigningKey.generate(KEY.verifier.name, Kind.ED25519)
    assert NOTE.verified([namesake.verifier]) == []
    assert NOTE.verified([VerifierKey("another", KEY.verifier.kind, KEY.verifier.public)]) == []


def test_a_cosignature_holds_for_its_own_time_only() -> None:
    log, witness = NOTE.signatures
    assert NOTE.verified([WITNESS.verifier]) == [(WITNESS.verifier, 1_679_315_147)]
    later = Note(
        NOTE.text, (log, type(witness)(witness.name, witness.id, (1_679_315_148).to_bytes(8, "big") + witness.data[8:]))
    )
    with pytest.raises(BadSignature):
        later.verified([WITNESS.verifier])


def test_a_cosignature_is_over_its_header_its_time_and_the_text() -> None:
    message = b"cosignature/v1\ntime 1679315147\na text\n"
    assert NOTE.signatures[1].data == (1_679_315_147).to_bytes(8, "big") + WITNESS.sign(message)


def test_a_signature_of_one_kind_is_none_of_the_other() -> None:
    plain = WITNESS.as_kind(Kind.ED25519)
    assert NOTE.verified([plain.verifier]) == []
    with pytest.raises(BadSignature):
        plain.verifier.check(NOTE.text, NOTE.signatures[1].data[8:])
