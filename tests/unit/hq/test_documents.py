"""Which documents are asked for and when, and how little of them is in memory."""

from itertools import pairwise

import pytest

from kiosk.domain.identifiers import Digest
from kiosk.hq.documents import ASK_AGAIN, LONGEST_PAUSE, Requests, WrongDocument
from kiosk.mqtt.messages import Frame
from kiosk.store.central import digest_of

NODE = "armoire-7"
CONTENT = bytes(32) + b"a name"
NAME, OTHER = digest_of(CONTENT), Digest("b" * 64)


def asked_at(requests: Requests, start: float, end: float) -> list[float]:
    """When a document is asked for, by a headquarters that looks every three seconds."""
    times = [start + ASK_AGAIN * step for step in range(int((end - start) / ASK_AGAIN))]
    return [now for now in times if requests.ask([(NODE, NAME)], now)]


def halves(content: bytes = CONTENT) -> tuple[Frame, Frame]:
    return Frame(0, 2, content[:20]), Frame(1, 2, content[20:])


def test_what_does_not_come_is_asked_for_ever_more_rarely_and_at_last_once_an_hour() -> None:
    times = asked_at(Requests(), 0, 86_400)
    pauses = [after - before for before, after in pairwise(times)]
    assert pauses[:4] == [3, 6, 12, 24]
    assert set(pauses[12:]) == {LONGEST_PAUSE}


def test_a_chunk_or_the_cabinets_coming_back_makes_the_pause_short_again() -> None:
    requests = Requests()
    asked_at(requests, 0, 40_000)
    requests.receive(NODE, NAME, halves()[0], 40_000)
    assert asked_at(requests, 40_000, 40_012) == [40_003, 40_009]
    asked_at(requests, 40_012, 80_000)
    requests.begin_again(NODE)
    assert len(asked_at(requests, 80_000, 80_012)) == 2


def test_each_cabinet_is_asked_by_itself_and_only_what_it_was_asked_is_taken_from_it() -> None:
    requests = Requests()
    assert requests.ask([(NODE, NAME), ("armoire-8", OTHER)], 0) == [(NODE, [NAME]), ("armoire-8", [OTHER])]
    whole = Frame(0, 1, CONTENT)
    assert requests.receive("armoire-8", NAME, whole, 0) is None
    assert requests.receive("armoire-9", NAME, whole, 0) is None
    assert requests.receive(NODE, NAME, whole, 0) == CONTENT


def test_a_document_comes_in_any_order_of_its_chunks() -> None:
    requests = Requests()
    requests.ask([(NODE, NAME)], 0)
    first, second = halves()
    assert requests.receive(NODE, NAME, second, 0) is None
    assert requests.receive(NODE, NAME, second, 0) is None
    assert requests.receive(NODE, NAME, first, 0) == CONTENT


def test_a_cabinet_has_one_document_in_memory_and_the_next_lets_the_last_one_go() -> None:
    requests = Requests()
    requests.ask([(NODE, NAME), (NODE, OTHER)], 0)
    first, second = halves()
    requests.receive(NODE, NAME, first, 0)
    requests.receive(NODE, OTHER, Frame(0, 2, b"x"), 0)
    assert requests.receive(NODE, NAME, second, 0) is None
    assert requests.receive(NODE, NAME, first, 0) == CONTENT


def test_what_a_cabinet_that_has_gone_was_sending_is_let_go() -> None:
    requests = Requests()
    requests.ask([(NODE, NAME)], 0)
    first, second = halves()
    requests.receive(NODE, NAME, first, 0)
    requests.begin_again(NODE)
    assert requests.receive(NODE, NAME, second, 0) is None


def test_other_bytes_under_the_digest_are_not_asked_for_again_soon() -> None:
    requests = Requests()
    requests.ask([(NODE, NAME)], 0)
    with pytest.raises(WrongDocument):
        requests.receive(NODE, NAME, Frame(0, 1, CONTENT + b"!"), 0)
    assert asked_at(requests, 0, 2 * LONGEST_PAUSE) == [LONGEST_PAUSE]


def test_what_is_stored_is_not_taken_again() -> None:
    requests = Requests()
    requests.ask([(NODE, NAME)], 0)
    requests.close([NAME])
    assert requests.receive(NODE, NAME, Frame(0, 1, CONTENT), 0) is None
