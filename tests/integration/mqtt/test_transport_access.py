"""Who may say and hear what, by the certificate that they came with."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.hq.session import CLIENT_ID
from kiosk.ledger.entry import LARGEST_ENTRY
from kiosk.mqtt import topics
from kiosk.mqtt.client import Cause, Connected, Link, Lost, Message, Published
from kiosk.mqtt.messages import CHUNK, HEAD
from tests.integration.hq.parts import NODE
from tests.integration.mqtt.conftest import MakeStranger, StartSecured
from tests.integration.mqtt.links import Heard, a_link, refused
from tests.integration.mqtt.secured import OTHER, Secured, Stranger
from tests.services import wait_until

#: MQTT 5: success, nobody listens, and not authorized; to a subscription, granted at QoS 1.
TAKEN, NOBODY, DENIED, GRANTED = 0x00, 0x10, 0x87, 0x01

EVENT = topics.event(NODE, "custody.taken")
THEIRS = topics.event(OTHER, "custody.taken")


@pytest.fixture
def hq(stranger: MakeStranger) -> Stranger:
    """Headquarters, listening to everything that it may."""
    listening = stranger(CLIENT_ID, CLIENT_ID)
    assert listening.listen("trousseau/v1/from/#") == [GRANTED]
    return listening


# ---- saying


def test_a_cabinet_says_what_is_its_own(stranger: MakeStranger, hq: Stranger) -> None:
    own = [EVENT, topics.status(NODE), topics.checkpoint(NODE), topics.recall(NODE)]
    one = stranger(NODE)
    assert [one.say(topic) for topic in own] == [TAKEN] * 4
    assert hq.heard() == own


def test_a_cabinet_says_nothing_else(stranger: MakeStranger, hq: Stranger) -> None:
    hq.listen(topics.HEADQUARTERS_STATUS)
    one = stranger(NODE)
    for topic in (
        THEIRS,
        topics.status(OTHER),
        f"trousseau/v1/from/{NODE}-2/events/custody/taken",
        topics.ack(NODE),
        topics.ack(OTHER),
        topics.HEADQUARTERS_STATUS,
        "trousseau/v2/anything",
        "$SYS/broker/uptime",
    ):
        assert one.say(topic) == DENIED, topic
    assert hq.heard() == []


def test_a_cabinet_that_was_denied_something_stays_connected(secured: Secured) -> None:
    heard = Heard()
    with a_link(secured.address(NODE), heard.inbox.put) as link:
        heard.next(Connected)
        for topic, answer in ((THEIRS, DENIED), (EVENT, NOBODY)):
            number = link.publish(Message(topic, b"?"))
            assert heard.next(Published) == Published(number or 0, answer)
        assert not any(isinstance(one, Lost) for one in _so_far(heard))


def _so_far(heard: Heard) -> Iterator[object]:
    time.sleep(0.3)
    while not heard.inbox.empty():
        yield heard.inbox.get()


def test_headquarters_answers_every_cabinet_and_speaks_for_none(stranger: MakeStranger, hq: Stranger) -> None:
    one = stranger(NODE)
    one.listen(topics.ack(NODE), topics.wanted(NODE), topics.HEADQUARTERS_STATUS)
    for topic in (topics.ack(NODE), topics.wanted(NODE), topics.HEADQUARTERS_STATUS):
        assert hq.say(topic) == TAKEN
    assert one.heard() == [topics.ack(NODE), topics.wanted(NODE), topics.HEADQUARTERS_STATUS]
    assert hq.say(EVENT) == DENIED


def test_the_largest_message_that_there_is_is_taken_and_a_larger_one_ends_its_connection(
    secured: Secured, stranger: MakeStranger, hq: Stranger
) -> None:
    one = stranger(NODE)
    largest = max(LARGEST_ENTRY, CHUNK + HEAD.size)
    assert one.say(EVENT, bytes(largest)) == TAKEN
    one.client.publish(EVENT, bytes(2 * largest), 1)
    assert hq.heard() == [EVENT]
    assert f"{NODE} disconnected due to oversize packet" in secured.server.log


# ---- hearing


def test_a_cabinet_hears_what_is_for_it_and_nothing_else_whatever_it_subscribes_to(
    stranger: MakeStranger, hq: Stranger
) -> None:
    spy = stranger(OTHER)
    retained = topics.ack(NODE)
    hq.client.publish(retained, b"?", 1, retain=True)
    greedy = ("#", "trousseau/#", "trousseau/v1/to/+/ack", topics.ack(NODE), f"trousseau/v1/from/{NODE}/#", "$SYS/#")
    assert spy.listen(*greedy, f"$share/spies/{topics.ack(NODE)}") == [GRANTED] * 7
    cabinet = stranger(NODE)
    cabinet.listen(topics.ack(NODE))
    cabinet.say(EVENT)
    for topic in (topics.ack(NODE), topics.wanted(NODE), topics.ack(OTHER), topics.HEADQUARTERS_STATUS):
        hq.client.publish(topic, b"?", 1)
    assert set(spy.heard(1)) == {topics.ack(OTHER), topics.HEADQUARTERS_STATUS}
    assert set(cabinet.heard()) == {topics.ack(NODE)}


# ---- names


def test_a_forged_user_name_counts_for_nothing(stranger: MakeStranger, hq: Stranger) -> None:
    forger = stranger(OTHER, user=CLIENT_ID)
    forger.listen("trousseau/v1/from/#")
    assert forger.say(topics.ack(NODE)) == DENIED
    stranger(NODE).say(EVENT)
    assert forger.heard() == []
    assert forger.say(THEIRS) == TAKEN


def test_a_cabinet_that_calls_itself_headquarters_does_not_take_its_session_away(
    secured: Secured, stranger: MakeStranger
) -> None:
    heard = Heard()
    will = Message(topics.HEADQUARTERS_STATUS, b"gone")
    link = Link(secured.address(CLIENT_ID), CLIENT_ID, subscriptions=[EVENT, THEIRS], will=will, heard=heard.inbox.put)
    link.open()
    try:
        heard.next(Connected)
        thief = stranger(OTHER, calls_itself=CLIENT_ID, user=CLIENT_ID)
        cabinet = stranger(NODE)
        assert cabinet.say(EVENT) == TAKEN, "headquarters still listens"
        assert thief.say(THEIRS) == TAKEN, "and the other is itself"
        assert not any(isinstance(one, Lost) for one in _so_far(heard))
        assert thief.client.is_connected()
    finally:
        link.close()


def test_a_will_on_another_cabinets_topic_is_never_spoken(stranger: MakeStranger, hq: Stranger) -> None:
    stranger(OTHER, will=topics.status(NODE)).vanish()
    stranger(NODE, will=topics.status(NODE)).vanish()
    assert hq.heard(1) == [topics.status(NODE)], "the second's, and not the first's"


def test_a_name_that_is_a_wildcard_opens_nothing(stranger: MakeStranger, hq: Stranger) -> None:
    wild = stranger("+")
    wild.listen("trousseau/v1/to/#")
    assert wild.say(EVENT) == DENIED
    hq.client.publish(topics.ack(NODE), b"?", 1)
    assert wild.heard() == []


# ---- what the deployed files hold ready


def reload(secured: Secured) -> None:
    os.kill(secured.server.pid, signal.SIGHUP)
    wait_until(lambda: "Reloading config" in secured.server.log, "the reload")


def uncomment(file: Path, *lines: str) -> None:
    text = file.read_text()
    for line in lines:
        assert f"\n#{line}\n" in text
        text = text.replace(f"\n#{line}\n", f"\n{line}\n")
    file.write_text(text)


def test_a_stolen_cabinet_is_shut_out_at_once(secured: Secured, stranger: MakeStranger, hq: Stranger) -> None:
    stolen, other = stranger(NODE), stranger(OTHER)
    stolen.listen(topics.ack(NODE), topics.HEADQUARTERS_STATUS)
    assert stolen.say(EVENT) == TAKEN
    uncomment(secured.folder / "cabinets.acl", f"user {NODE}", "topic deny trousseau/#")
    reload(secured)
    assert stolen.say(EVENT) == DENIED
    assert other.say(THEIRS) == TAKEN
    for topic in (topics.ack(NODE), topics.HEADQUARTERS_STATUS):
        assert hq.say(topic) in (TAKEN, NOBODY)
    assert stolen.heard() == []


def test_a_program_that_follows_the_entries_hears_them_and_says_nothing(
    secured: Secured, stranger: MakeStranger, hq: Stranger
) -> None:
    uncomment(secured.folder / "cabinets.acl", "user archive", "topic read trousseau/v1/from/+/events/#")
    reload(secured)
    archive = stranger("archive")
    archive.listen("trousseau/#")
    one = stranger(NODE)
    for topic in (EVENT, topics.status(NODE)):
        assert one.say(topic) == TAKEN
    assert archive.heard() == [EVENT]
    assert [archive.say(topic) for topic in (EVENT, topics.ack(NODE))] == [DENIED, DENIED]


def test_a_revoked_certificate_is_not_let_in(start_secured: StartSecured) -> None:
    secured = start_secured({"#crlfile": "crlfile"})
    heard = Heard()
    with a_link(secured.address("revoked"), heard.inbox.put):
        refused(heard, Cause.NOT_ADMITTED, "certificate revoked")
    assert secured.let_in == 0
    with a_link(secured.address(NODE), heard.inbox.put):
        heard.next(Connected)
