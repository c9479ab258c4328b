"""Documents that were asked for."""

import pytest

from kiosk.domain.identifiers import Digest
from kiosk.ledger.merkle import Frontier
from kiosk.mqtt.errands import MOST, Errands
from kiosk.mqtt.messages import CHUNK


class Shelf:
    """A journal that only has documents."""

    node, stream, is_restored = "armoire-7", "s", False

    def __init__(self, **contents: bytes) -> None:
        self.contents = contents
        self.asked: list[str] = []

    def size(self) -> int:
        return 0

    def read(self, after: int, limit: int) -> list[bytes]:
        return []

    def frontier(self, size: int) -> Frontier:
        return Frontier()

    def document(self, wanted: Digest) -> bytes | None:
        self.asked.append(wanted)
        return self.contents.get(wanted)


def test_one_document_after_the_other_and_each_once() -> None:
    shelf = Shelf(a=bytes(2 * CHUNK), b=b"b")
    errands = Errands(shelf)
    errands.ask(["a", "b", "a"])
    sent = []
    while message := errands.next():
        sent.append(message.topic.rpartition("/")[2])
    assert sent == ["a", "a", "b"]
    assert shelf.asked == ["a", "b"]


def test_a_document_that_is_not_here_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    errands = Errands(Shelf(b=b"b"))
    errands.ask(["a", "b"])
    message = errands.next()
    assert message is not None
    assert message.topic.endswith("/b")
    assert "document a, which is not here" in caplog.text


def test_a_document_that_is_not_here_is_said_to_be_missing_once(caplog: pytest.LogCaptureFixture) -> None:
    errands = Errands(Shelf())
    for _ in range(3):
        errands.ask(["a", "b"])
        assert errands.next() is None
        errands.clear()
    assert [caplog.text.count(f"document {name}, which is not here") for name in "ab"] == [1, 1]


def test_requests_are_bounded_and_forgotten_with_the_connection() -> None:
    shelf = Shelf()
    errands = Errands(shelf)
    errands.ask([str(number) for number in range(MOST + 10)])
    assert errands.next() is None
    assert len(shelf.asked) == MOST
    errands.ask(["a"])
    errands.clear()
    assert errands.next() is None
    assert len(shelf.asked) == MOST
