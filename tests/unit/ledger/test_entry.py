"""One event, one byte string: canonical by RFC 8785, chained, and nothing else is an entry."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.ledger.entry import DEEPEST, NO_ENTRY, Entry, Link, _unsealed, digest, link, schema, seal, unseal
from kiosk.ledger.errors import BadEntry

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)
#: The schemas' own rule: ASCII keys; strings, truth values, null, lists and objects; integers below 2^53.
KEYS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=12)
LEAVES = st.one_of(TEXTS, st.booleans(), st.none(), st.integers(-(2**53) + 1, 2**53 - 1))
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
ENTRIES = st.builds(
    Entry,
    node=st.from_regex(r"[a-z0-9-]{3,32}", fullmatch=True),
    stream=st.uuids().map(str),
    sequence=st.integers(1, 2**31 - 1),
    type=st.sampled_from(["custody.taken", "register.item_received", "later.unknown"]),
    subject=TEXTS,
    time=st.just("2026-11-23T06:00:00.000Z"),
    prev=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    monotonic=st.integers(0, 2**63),
    boot=st.uuids().map(str),
    clock_set=st.booleans(),
    actor=TEXTS,
    command=st.uuids().map(str),
    data=st.dictionaries(KEYS, VALUES, max_size=6),
)
AN_ENTRY = Entry(
    node="armoire-7",
    stream="5f0c3d3e-1f6a-4a53-9d3c-0a4f2b1c9d10",
    sequence=1842,
    type="custody.taken",
    subject="K-1",
    time="2026-11-23T06:00:00.000Z",
    prev="0" * 64,
    monotonic=9_123_456_789_012_345,
    boot="11111111-2222-3333-4444-555555555555",
    clock_set=False,
    actor="p001",
    command="018f2d3a-0000-7000-8000-000000000001",
    data={"sensed": True, "item": "K-1", "note": "é €\u2028"},
)


@settings(max_examples=200, deadline=None)
@given(ENTRIES)
def test_the_bytes_are_canonical_by_rfc_8785(entry: Entry) -> None:
    body = seal(entry)
    assert body == rfc8785.dumps(json.loads(body))


@settings(max_examples=200, deadline=None)
@given(ENTRIES)
def test_what_was_sealed_is_read_back_unchanged(entry: Entry) -> None:
    assert unseal(seal(entry)) == entry


@settings(max_examples=100, deadline=None)
@given(ENTRIES)
def test_an_entry_is_a_cloudevent(entry: Entry) -> None:
    raw = json.loads(seal(entry))
    assert raw["specversion"] == "1.0"
    assert raw["id"] == f"{entry.node}:{entry.stream}:{entry.sequence}"
    assert raw["source"] == f"/nodes/{entry.node}"
    assert raw["dataschema"] == schema(entry.type)
    assert all(name.isalnum() and name.islower() and len(name) <= 20 for name in raw)
    # CloudEvents integers are 32-bit, nanoseconds are not.
    assert isinstance(raw["sequence"], str)
    assert isinstance(raw["monotonic"], str)
    assert raw["clock"] == ("set" if entry.clock_set else "unset")


def test_these_bytes_never_change() -> None:
    assert seal(AN_ENTRY).decode() == (
        '{"actor":"p001","bootid":"11111111-2222-3333-4444-555555555555","clock":"unset",'
        '"command":"018f2d3a-0000-7000-8000-000000000001","data":{"item":"K-1","note":"é €\u2028","sensed":true},'
        '"datacontenttype":"application/json","dataschema":"urn:trousseau:event:custody.taken",'
        '"id":"armoire-7:5f0c3d3e-1f6a-4a53-9d3c-0a4f2b1c9d10:1842","monotonic":"9123456789012345",'
        f'"prev":"{NO_ENTRY}","sequence":"1842","source":"/nodes/armoire-7","specversion":"1.0","subject":"K-1",'
        '"time":"2026-11-23T06:00:00.000Z","type":"custody.taken"}'
    )


def changed(**values: object) -> bytes:
    raw = json.loads(seal(AN_ENTRY)) | values
    return json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def without(name: str) -> bytes:
    raw = json.loads(seal(AN_ENTRY))
    del raw[name]
    return json.dumps(raw, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "not JSON": b"\x00\xff{",
    "not UTF-8": seal(AN_ENTRY).replace("é".encode(), b"\xe9"),
    "a list": b"[]",
    "a number": b"1",
    "null": b"null",
    "an empty object": b"{}",
    "cut off": seal(AN_ENTRY)[:-1],
    "two of them": seal(AN_ENTRY) * 2,
    "spaces": seal(AN_ENTRY).replace(b'":', b'": '),
    "a line end": seal(AN_ENTRY) + b"\n",
    "a byte order mark": b"\xef\xbb\xbf" + seal(AN_ENTRY),
    "another order": json.dumps(dict(reversed(json.loads(seal(AN_ENTRY)).items()))).encode(),
    "escapes": json.dumps(json.loads(seal(AN_ENTRY)), sort_keys=True, separators=(",", ":")).encode(),
    "a key twice": seal(AN_ENTRY).replace(b'{"actor":"p001"', b'{"actor":"p002","actor":"p001"'),
    "an attribute more": changed(extra="x"),
    "another version": changed(specversion="1.1"),
    "another node in the source": changed(source="/nodes/armoire-8"),
    "another sequence number": changed(sequence="1843"),
    "a sequence number with a sign": changed(id=f"armoire-7:{AN_ENTRY.stream}:+1842"),
    "a sequence number in other digits": changed(id=f"armoire-7:{AN_ENTRY.stream}:١٨٤٢"),
    "an id of two parts": changed(id="armoire-7:1842"),
    "an id that is a number": changed(id=1842),
    "a monotonic that is a number": changed(monotonic=9_123_456_789_012_345),
    "a monotonic that is none": changed(monotonic="soon"),
    "a subject that is a number": changed(subject=1),
    "a type that is none": changed(type=None),
    "data that is a list": changed(data=[]),
    "data that is a text": changed(data="x"),
    "a clock that is neither": changed(clock="maybe"),
    "another schema": changed(dataschema="urn:trousseau:event:custody.returned"),
    "a deep nest": b'{"data":' + b"[" * 100_000,
    **{f"without {name}": without(name) for name in json.loads(seal(AN_ENTRY))},
}


@pytest.mark.parametrize("what", GARBAGE)
def test_anything_else_is_no_entry(what: str) -> None:
    with pytest.raises(BadEntry):
        unseal(GARBAGE[what])
    with pytest.raises(BadEntry):
        link(GARBAGE[what])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_garbage_is_refused_and_nothing_else_happens(body: bytes) -> None:
    with pytest.raises(BadEntry):
        unseal(body)
    with pytest.raises(BadEntry):
        link(body)


@settings(max_examples=200, deadline=None)
@given(ENTRIES)
def test_a_link_is_read_from_every_entry(entry: Entry) -> None:
    assert link(seal(entry)) == (entry.id, entry.prev) == reread_link_or_none(seal(entry))


def link_or_none(body: bytes) -> tuple[str, str] | None:
    try:
        return link(body)
    except BadEntry:
        return None


def entry_or_none(read: Callable[[bytes], Entry], body: bytes) -> Entry | None:
    try:
        return read(body)
    except BadEntry:
        return None


def reread_link_or_none(body: bytes) -> tuple[str, str] | None:
    """The slow way, to which the quick one has to be equal."""
    entry = entry_or_none(_unsealed, body)
    assert entry_or_none(unseal, body) == entry
    return None if entry is None else Link(entry.id, entry.prev)


@settings(max_examples=1_000, deadline=None)
@given(
    st.integers(0, len(seal(AN_ENTRY)) - 1),
    st.sampled_from(list(b'0-1.eE+a":{}[],\\\x00\x1f\x7f \n\xc3\xff')),
    st.booleans(),
)
def test_a_link_is_read_from_nothing_but_an_entry(position: int, byte: int, insert: bool) -> None:
    body = seal(AN_ENTRY)
    changed = body[:position] + bytes([byte]) + body[position if insert else position + 1 :]
    assert link_or_none(changed) == reread_link_or_none(changed)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(seal(AN_ENTRY)) - 1), st.integers(1, 255))
def test_one_changed_byte_is_refused_or_is_another_link(position: int, change: int) -> None:
    body = bytearray(seal(AN_ENTRY))
    body[position] ^= change
    try:
        unseal(bytes(body))
    except BadEntry:
        return
    assert digest(bytes(body)) != digest(seal(AN_ENTRY))


def with_data(text: str) -> bytes:
    """The entry with a value in its data that Python's own JSON would read and write again."""
    return seal(AN_ENTRY).replace(b'"item":"K-1"', f'"item":{text}'.encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "-Infinity", "1.5", "1e-07", "9007199254740992", '"\\ud800"', '"\ud800"', '{"é":1}']
)
def test_a_value_that_other_programs_would_write_differently_is_refused(text: str) -> None:
    with pytest.raises(BadEntry):
        unseal(with_data(text))
    with pytest.raises(BadEntry):
        link(with_data(text))


@pytest.mark.parametrize(
    "data",
    [
        '{"a":1,"a":1}',
        '{"b":1,"a":1}',
        '{"a": 1}',
        '{"a":-0}',
        '{"a":"\\u0041"}',
        '{"a":"\\/"}',
        '{"a":{"b":1,"b":2}}',
        '{"a":1},"data":{"a":2}',
        '{"a":1},"datacontenttype":"text/plain"',
    ],
)
def test_data_in_another_spelling_is_refused(data: str) -> None:
    body = seal(replace(AN_ENTRY, data={})).replace(b'"data":{}', f'"data":{data}'.encode())
    assert json.loads(body)["data"]
    assert link_or_none(body) is reread_link_or_none(body) is None


@pytest.mark.parametrize(("before", "after"), [("[", "]"), ('{"a":', "}")])
def test_how_deep_an_entry_may_be_nested_is_the_same_for_every_reader(before: str, after: str) -> None:
    def nested(levels: int) -> bytes:
        # `data` itself is the first level.
        return with_data(before * (levels - 1) + "1" + after * (levels - 1))

    assert reread_link_or_none(nested(DEEPEST)) == link_or_none(nested(DEEPEST)) is not None
    for levels in (DEEPEST + 1, 900, 5_000):
        assert reread_link_or_none(nested(levels)) is link_or_none(nested(levels)) is None
    wide = with_data(f"[{','.join(['[]'] * 100)}]")
    assert reread_link_or_none(wide) == link_or_none(wide) is not None


def test_numbers_of_any_length_are_read_the_same_by_both() -> None:
    for digits in (1, 18, 19, 20, 4_300, 4_301):
        body = seal(AN_ENTRY).replace(b'"monotonic":"9123456789012345"', b'"monotonic":"%s"' % (b"9" * digits))
        assert link_or_none(body) == reread_link_or_none(body)


@pytest.mark.parametrize("text", ["0", "-1", "9007199254740991", "null", "true", "[]", '{"a":[1]}', '"\U0001f511"'])
def test_what_the_canonical_form_knows_is_taken(text: str) -> None:
    assert unseal(with_data(text)).data["item"] == json.loads(text)


def test_a_link_is_the_sha_256_of_the_entry_before() -> None:
    body = seal(AN_ENTRY)
    following = Entry(
        **{name: getattr(AN_ENTRY, name) for name in AN_ENTRY.__slots__} | {"sequence": 1843, "prev": digest(body)}
    )
    assert unseal(seal(following)).prev == digest(body)
    assert len(NO_ENTRY) == len(digest(body)) == 64
