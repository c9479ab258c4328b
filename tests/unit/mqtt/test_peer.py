"""What counts as headquarters' word."""

from kiosk.ledger.checkpoint import WITNESS, Checkpoint, Cosigned
from kiosk.mqtt.messages import HeadquartersStatus
from kiosk.mqtt.peer import Peer
from kiosk.services.heads import Answer


def there(instance: str, *, online: bool = True) -> HeadquartersStatus:
    return HeadquartersStatus(online=online, instance=instance)


def ack(size: int, instance: str = "one", stream: str = "s") -> Answer:
    return Answer(instance, stream, Cosigned(Checkpoint("trousseau/armoire-7/s", size, bytes(32)), 0, WITNESS))


def test_nobody_is_there_at_first() -> None:
    peer = Peer("s")
    assert not peer.present
    assert not peer.silent
    assert peer.answer is None


def test_coming_and_changing_is_news_and_staying_is_not() -> None:
    peer = Peer("s")
    assert peer.said(there("one"))
    assert not peer.said(there("one"))
    assert peer.said(there("two"))
    assert not peer.said(there("two", online=False))
    assert peer.said(there("two"))


def test_the_will_of_another_instance_says_nothing_about_this_one() -> None:
    peer = Peer("s")
    peer.said(there("two"))
    peer.said(there("one", online=False))
    assert peer.present


def test_an_acknowledgement_counts_whichever_comes_first() -> None:
    first, second = Peer("s"), Peer("s")
    first.answered(ack(3))
    assert first.answer is None
    first.said(there("one"))
    second.said(there("one"))
    second.answered(ack(3))
    assert first.answer == second.answer == ack(3)


def test_that_nothing_is_signed_for_yet_is_an_answer_too() -> None:
    peer = Peer("s")
    peer.said(there("one"))
    peer.answered(Answer("one", "s"))
    assert peer.answer is not None
    assert peer.answer.size == 0


def test_an_acknowledgement_for_another_stream_or_instance_does_not_count() -> None:
    peer = Peer("s")
    peer.said(there("one"))
    peer.answered(ack(3, stream="another"))
    assert peer.answer is None
    peer.answered(ack(3, instance="another"))
    assert peer.answer is None


def test_the_first_of_an_instance_may_fall_and_the_next_may_not() -> None:
    peer = Peer("s")
    peer.said(there("one"))
    assert peer.silent
    assert peer.count(ack(3))
    assert not peer.silent
    assert not peer.count(ack(2))
    peer.said(there("two"))
    assert peer.silent
    assert peer.count(ack(1, "two"))


def test_losing_the_broker_loses_sight_of_headquarters() -> None:
    peer = Peer("s")
    peer.said(there("one"))
    peer.gone()
    assert not peer.present
