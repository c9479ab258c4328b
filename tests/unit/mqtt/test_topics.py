import pytest

from kiosk.domain.identifiers import Digest
from kiosk.mqtt import topics
from kiosk.mqtt.topics import Kind, Origin

A_DIGEST = Digest("a" * 64)


def test_topics_are_as_the_design_names_them() -> None:
    assert topics.event("armoire-7", "custody.taken") == "trousseau/v1/from/armoire-7/events/custody/taken"
    assert topics.document("armoire-7", A_DIGEST) == f"trousseau/v1/from/armoire-7/documents/{A_DIGEST}"
    assert topics.status("armoire-7") == "trousseau/v1/from/armoire-7/status"
    assert topics.checkpoint("armoire-7") == "trousseau/v1/from/armoire-7/checkpoint"
    assert topics.recall("armoire-7") == "trousseau/v1/from/armoire-7/recall"
    assert topics.recalled("armoire-7") == "trousseau/v1/to/armoire-7/recalled"
    assert topics.ack("armoire-7") == "trousseau/v1/to/armoire-7/ack"
    assert topics.wanted("armoire-7") == "trousseau/v1/to/armoire-7/wanted"
    assert topics.HEADQUARTERS_STATUS == "trousseau/v1/hq/status"


@pytest.mark.parametrize(
    ("topic", "read"),
    [
        (topics.event("abc", "custody.taken"), Origin("abc", Kind.EVENT, "custody/taken")),
        (topics.document("abc", A_DIGEST), Origin("abc", Kind.DOCUMENT, A_DIGEST)),
        (topics.status("abc"), Origin("abc", Kind.STATUS, "")),
        (topics.checkpoint("abc"), Origin("abc", Kind.CHECKPOINT, "")),
        (topics.recall("abc"), Origin("abc", Kind.RECALL, "")),
        (topics.event("abc", "e" * 255), Origin("abc", Kind.EVENT, "e" * 255)),
    ],
)
def test_a_cabinets_topic_reads_back(topic: str, read: Origin) -> None:
    assert topics.origin(topic) == read


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "trousseau/v1/hq/status",
        topics.ack("abc"),
        topics.status("ab"),
        topics.status("a" * 33),
        topics.status("Abc"),
        topics.status("a/b"),
        topics.status("abc\n"),
        f"{topics.status('abc')}/more",
        f"{topics.checkpoint('abc')}/more",
        f"{topics.recall('abc')}/more",
        topics.event("abc", "e" * 256),
        topics.document("abc", Digest("A" * 64)),
        topics.document("abc", Digest("a" * 63)),
        "trousseau/v1/from/abc/events",
        "trousseau/v1/from/abc/events/",
        "trousseau/v2/from/abc/status",
    ],
)
def test_anything_else_is_no_cabinets_topic(topic: str) -> None:
    assert topics.origin(topic) is None


@pytest.mark.parametrize(("name", "fits"), [("A-z-0", True), ("s" * 64, True), ("s" * 65, False), ("", False)])
def test_a_journals_name_is_1_to_64_letters_digits_and_dashes(name: str, fits: bool) -> None:
    assert topics.is_stream(name) is fits
    assert not any(topics.is_stream(name + wrong) for wrong in ("#", "+", "/", "_", "\n", "\x00", "é"))


@pytest.mark.parametrize("name", ["armoire-7", "abc", "0-0", "a" * 32])
def test_a_node_is_3_to_32_small_letters_digits_and_dashes(name: str) -> None:
    assert topics.is_node(name)


@pytest.mark.parametrize("name", ["", "ab", "a" * 33, "Armoire", "a b", "a+b", "a#b", "a/b", "é-é", "abc\n"])
def test_no_node_holds_a_separator_or_a_wildcard(name: str) -> None:
    assert not topics.is_node(name)
