"""Bytes on the wire."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.mqtt.messages import (
    CHUNK,
    MOST_WANTED,
    Ack,
    CabinetStatus,
    HeadquartersStatus,
    Health,
    Recall,
    decode,
    decode_wanted,
    encode,
    frames,
    read_frame,
)


def test_messages_are_plain_json() -> None:
    assert encode(Ack("i", "s")) == b'{"instance":"i","stream":"s"}'
    assert encode(Ack("i", "s", "a\n", "b\n")) == rb'{"instance":"i","stream":"s","checkpoint":"a\n","refusal":"b\n"}'
    assert encode(HeadquartersStatus(True, "i")) == b'{"online":true,"instance":"i"}'
    assert encode(CabinetStatus(False, "1", "s")) == b'{"online":false,"version":"1","stream":"s"}'
    here = CabinetStatus(True, "1", "s", 0, Health.OK)
    assert encode(here) == b'{"online":true,"version":"1","stream":"s","size":0,"health":"ok"}'
    assert decode(encode(here), CabinetStatus) == here


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert decode(b'{"instance":"i","stream":"s","size":3,"checkpoint":"..."}', Ack) == Ack("i", "s", "...")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", -1),
        ("size", 2**31),
        ("size", 2**80),
        ("size", "3"),
        ("version", "a null \x00"),
        ("version", "v" * 65),
        ("stream", "é"),
        ("stream", "s" * 65),
        ("health", "splendid"),
        ("online", 1),
    ],
)
def test_a_presence_that_not_every_database_holds_is_none(field: str, value: object) -> None:
    fine = {"online": True, "version": "1", "stream": "s", "size": 3, "health": "ok"}
    assert decode(json.dumps(fine).encode(), CabinetStatus) is not None
    assert decode(json.dumps(fine | {field: value}).encode(), CabinetStatus) is None


def test_a_recall_names_a_journal_or_documents_or_nothing() -> None:
    assert encode(Recall()) == b"{}"
    assert decode(b'{"stream":"s","after":7}', Recall) == Recall("s", 7)
    for wrong in (
        b'{"stream":"#"}',
        b'{"stream":"a/b"}',
        b'{"stream":""}',
        b'{"stream":"\\u0000"}',
        b'{"after":-1}',
        b'{"after":4294967296}',
        b'{"documents":["x"]}',
        b"[]",
    ):
        assert decode(wrong, Recall) is None


@pytest.mark.parametrize("depth", [1_000, 60_000])
def test_no_depth_of_brackets_makes_a_reader_fail(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    assert decode(b'{"instance":"i","stream":"s","more":' + deep + b"}", Ack) in (None, Ack("i", "s"))
    assert decode_wanted(deep) == []


def test_no_name_ends_in_a_new_line() -> None:
    here = b'{"online":true,"version":"1","stream":"s"}'
    assert decode(here, CabinetStatus) is not None
    assert decode(here.replace(b'"s"', b'"s\\n"'), CabinetStatus) is None
    assert decode(b'{"stream":"s\\n"}', Recall) is None
    assert decode(encode(Recall(documents=["a" * 64 + "\n"])), Recall) is None
    assert decode_wanted(encode(["a" * 64 + "\n"])) == []


@given(st.binary())
def test_no_bytes_make_a_reader_fail(payload: bytes) -> None:
    assert decode(payload, Ack) is None
    assert decode(payload, CabinetStatus) is None
    assert decode_wanted(payload) == []
    frame = read_frame(payload)
    assert frame is None or frame.index < frame.count


@pytest.mark.parametrize("size", [1, CHUNK - 1, CHUNK, CHUNK + 1, 5 * CHUNK])
def test_a_document_is_cut_and_put_together_again(size: int) -> None:
    content = bytes(range(256)) * (size // 256) + bytes(size % 256)
    read = [read_frame(frame) for frame in frames(content)]
    assert b"".join(frame.chunk for frame in read if frame) == content
    assert [(frame.index, frame.count) for frame in read if frame] == [(n, len(read)) for n in range(len(read))]


def test_a_request_holds_digests_and_not_too_many() -> None:
    digests = [f"{number:064x}" for number in range(MOST_WANTED)]
    assert decode_wanted(encode(digests)) == digests
    assert decode_wanted(encode([*digests, "a" * 64])) == []
    assert decode_wanted(encode(["A" * 64])) == []
