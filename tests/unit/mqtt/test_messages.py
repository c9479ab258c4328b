"""Bytes on the wire."""

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
    decode,
    decode_wanted,
    encode,
    frames,
    read_frame,
)


def test_messages_are_plain_json() -> None:
    assert encode(Ack("i", "s", 3)) == b'{"instance":"i","stream":"s","size":3}'
    assert encode(HeadquartersStatus(True, "i")) == b'{"online":true,"instance":"i"}'
    assert encode(CabinetStatus(False, "1", "s")) == b'{"online":false,"version":"1","stream":"s"}'
    here = CabinetStatus(True, "1", "s", 0, Health.OK)
    assert encode(here) == b'{"online":true,"version":"1","stream":"s","size":0,"health":"ok"}'
    assert decode(encode(here), CabinetStatus) == here


def test_what_a_later_version_adds_is_passed_over() -> None:
    assert decode(b'{"instance":"i","stream":"s","size":3,"checkpoint":"..."}', Ack) == Ack("i", "s", 3)


@given(st.binary())
def test_no_bytes_make_a_reader_fail(payload: bytes) -> None:
    assert decode(payload, Ack) is None
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
