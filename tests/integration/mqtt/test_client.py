"""The link to a broker: what it promises whatever the broker and its callers do."""

import logging
import socket
import time

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from kiosk.mqtt.client import (
    BrokerAddress,
    Cause,
    Connected,
    Delivered,
    Happening,
    Link,
    Lost,
    Message,
    Protocol,
    Refused,
)
from tests.conftest import StartMosquitto
from tests.integration.hq.conftest import MakeEar
from tests.integration.mqtt.links import Heard, a_link
from tests.services import LOOPBACK, free_port, wait_until


def test_it_sends_without_waiting_for_company(any_broker: BrokerAddress) -> None:
    heard = Heard()
    with a_link(any_broker, heard.inbox.put) as link:
        heard.next(Connected)
        opened = link._client.socket()
        assert isinstance(opened, socket.socket)
        assert opened.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_it_keeps_within_what_the_broker_allows_on_the_way(mosquitto: StartMosquitto) -> None:
    server = mosquitto("listener {port} 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 7\n")
    heard = Heard()
    with a_link(BrokerAddress(LOOPBACK, server.port), heard.inbox.put):
        assert heard.next(Connected).window == 7


def test_a_callback_that_raises_does_not_end_pahos_thread(any_broker: BrokerAddress, ear: MakeEar) -> None:
    heard = Heard()

    def clumsy(happening: Happening) -> None:
        heard.inbox.put(happening)
        if isinstance(happening, Delivered) and happening.payload == b"stumble":
            raise RuntimeError("clumsy")

    with a_link(any_broker, clumsy, "greetings"):
        heard.next(Connected)
        someone = ear(any_broker)
        for payload in (b"stumble", b"walk on"):
            someone.say("greetings", payload)
            assert heard.next(Delivered).payload == payload


def test_what_the_last_connection_left_behind_is_not_sent_on_the_next(mosquitto: StartMosquitto, ear: MakeEar) -> None:
    server = mosquitto()
    broker = BrokerAddress(LOOPBACK, server.port)
    heard = Heard()
    with a_link(broker, heard.inbox.put) as link:
        heard.next(Connected)
        server.kill()
        heard.next(Lost)
        for number in range(5):
            assert link.publish(Message("orders", b"stale %d" % number)) is None
        server.start()
        listening = ear(broker, "orders")
        heard.next(Connected)
        link.publish(Message("orders", b"fresh"))
        assert [payload for _, payload, _ in listening.all()] == [b"fresh"]


def test_a_broker_that_is_not_there_yet_is_waited_for(mosquitto: StartMosquitto) -> None:
    port = free_port()
    heard = Heard()
    with a_link(BrokerAddress(LOOPBACK, port), heard.inbox.put):
        time.sleep(0.2)
        mosquitto(port=port)
        heard.next(Connected)


def test_a_broker_that_is_not_reached_is_said_once_however_often_we_try(caplog: pytest.LogCaptureFixture) -> None:
    with a_link(BrokerAddress(LOOPBACK, free_port()), Heard().inbox.put):
        time.sleep(3.5)  # the second try comes after three seconds
    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "Connection refused" in warning


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_that_does_not_let_us_in_is_told_of(mosquitto: StartMosquitto, protocol: Protocol) -> None:
    server = mosquitto("listener {port} 127.0.0.1\nallow_anonymous false\n")
    heard = Heard()
    with a_link(BrokerAddress(LOOPBACK, server.port, protocol), heard.inbox.put):
        assert heard.inbox.get(timeout=10) == Refused(Cause.NOT_ADMITTED, "Not authorized")


def test_a_connection_that_is_cut_once_before_it_is_answered_is_no_refusal(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()
    stopping = socket.create_server((LOOPBACK, free_port()))
    with stopping, a_link(BrokerAddress(LOOPBACK, stopping.getsockname()[1]), heard.inbox.put):
        stopping.accept()[0].close()
        stopping.close()
        wait_until(lambda: "is not reached" in caplog.text, "the next try", 5)
    assert "ALARM" not in caplog.text
    assert heard.inbox.get_nowait() == Lost()
    assert heard.inbox.empty()


def test_a_subscription_that_the_broker_refuses_raises_an_alarm_and_is_no_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # No broker at hand refuses one: mosquitto's access lists only keep messages back.
    heard = Heard()
    nowhere = BrokerAddress(LOOPBACK, free_port())
    link = Link(nowhere, "us", subscriptions=["any"], will=Message("last/words", b""), heard=heard.inbox.put)
    link._on_subscribe(link._client, None, 1, [ReasonCode(PacketTypes.SUBACK, identifier=0x87)], None)
    assert "ALARM: the broker refused a subscription (Not authorized)" in caplog.text
    assert heard.inbox.get_nowait() == Refused(Cause.NOT_SUBSCRIBED, "Not authorized")
    assert heard.inbox.empty()


@pytest.mark.parametrize("topic", ["to/#", "to/+/x", "t" * 70_000])
def test_what_nobody_could_publish_is_said_and_passed_over(
    broker: BrokerAddress, caplog: pytest.LogCaptureFixture, topic: str
) -> None:
    heard = Heard()
    with a_link(broker, heard.inbox.put, "work") as link:
        heard.next(Connected)
        assert link.publish(Message(topic, b"x")) is None
        assert "a message cannot be published" in caplog.text
        assert link.publish(Message("work", b"y")) is not None
        assert heard.next(Delivered).payload == b"y"


def test_messages_wait_at_the_broker_until_they_are_dealt_with(broker: BrokerAddress, ear: MakeEar) -> None:
    heard = Heard()
    with a_link(broker, heard.inbox.put, "work", manual=3) as link:
        heard.next(Connected)
        someone = ear(broker)
        for number in range(5):
            someone.say("work", b"%d" % number)
        first = [heard.next(Delivered) for _ in range(3)]
        time.sleep(0.3)
        assert heard.inbox.empty(), "more than three are waiting here"
        link.take(first[0])
        assert heard.next(Delivered).payload == b"3"


def test_a_message_of_an_earlier_connection_is_not_confirmed_on_this_one(
    mosquitto: StartMosquitto, ear: MakeEar
) -> None:
    server = mosquitto()
    broker = BrokerAddress(LOOPBACK, server.port)
    heard = Heard()
    with a_link(broker, heard.inbox.put, "work", manual=1) as link:
        heard.next(Connected)
        ear(broker).say("work", b"before")
        before = heard.next(Delivered)
        server.restart()
        heard.next(Connected)
        someone = ear(broker)
        for payload in (b"one", b"two"):
            someone.say("work", payload)
        assert heard.next(Delivered).payload == b"one"
        link.take(before)
        time.sleep(0.3)
        assert heard.inbox.empty(), "the earlier message's number confirmed another message"
