"""The one place that builds an MQTT client.

Invariants:
    * Callbacks run on paho's thread: they only enqueue. One that raised would end that thread in silence, one that published from
      `on_publish` would deadlock.
    * The session is clean and paho keeps nothing across connections: the ledger is the only queue.
"""

from __future__ import annotations

import logging
import socket
import ssl
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from kiosk.mqtt.tls import HandshakeFailed, we_are_not_believed, we_do_not_believe

log = logging.getLogger(__name__)
paho_log = logging.getLogger(f"{__name__}.paho")
# paho calls every end of a connection an error, in these words, at every try; ours are told by `Lost` and `Refused`.
paho_log.addFilter(lambda record: not str(record.msg).startswith(("Client is not connected", "failed to receive")))

Protocol = Literal["5", "3.1.1"]

#: Seconds of silence after which either side asks whether the other is there.
KEEPALIVE: Final = 15
#: What a broker allows on the way when it names no figure of its own (MQTT 5, 3.2.2.3.3), and so do 3.1.1 brokers in practice.
_UNLIMITED: Final = 65_535
_FAREWELL_SECONDS: Final = 2.0
_VERSIONS: Final = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker listens, which MQTT it speaks, and how both sides prove who they are (None: not at all)."""

    host: str
    port: int
    protocol: Protocol = "5"
    tls: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """Something to publish at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker is reached and every subscription stands; `window` publications may be on the way at once."""

    window: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The broker is no longer reached."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message came in; `connection` counts connections, since a message's number means nothing on a later one."""

    topic: str
    payload: bytes
    number: int
    connection: int


@dataclass(frozen=True, slots=True)
class Published:
    """The broker took a publication, or says by `reason` (MQTT 5) why not."""

    number: int
    reason: int


class Cause(StrEnum):
    """What keeps the broker and us apart: it is not who we want, it does not want us, or it lets us in and not hear."""

    BROKER_UNPROVEN = "broker_unproven"
    NOT_ADMITTED = "not_admitted"
    NOT_SUBSCRIBED = "not_subscribed"


@dataclass(frozen=True, slots=True)
class Refused:
    """Trying again will not help until a person has looked; told once for each reason until `Connected`."""

    cause: Cause
    reason: str


Happening = Connected | Lost | Delivered | Published | Refused

#: What is said in the log: what happened, why, and where to look.
_ALARMS: Final[Mapping[Cause, str]] = {
    Cause.BROKER_UNPROVEN: (
        "the broker has not proved who it is, so nothing is sent (%s): check broker.host, broker.ca and this machine's clock"
    ),
    Cause.NOT_ADMITTED: (
        "the broker does not let us in (%s): check broker.ca, broker.certificate and its dates, and the broker's own log"
    ),
    Cause.NOT_SUBSCRIBED: "the broker refused a subscription (%s): check its access list",
}


class Link:
    """A connection to the broker that comes back by itself.

    Args:
        address: where the broker is.
        client_id: who we are.
        subscriptions: topic filters, made anew at each connection.
        will: what the broker says in our name when we vanish.
        heard: called with everything that happens, on paho's thread; must only enqueue.
        inflight: how many publications paho itself lets be on the way; 0 when the caller counts them.
        manual: whether `take` says when a message is dealt with (else paho does at once); how many may wait for it.
    """

    def __init__(
        self,
        address: BrokerAddress,
        client_id: str,
        *,
        subscriptions: Sequence[str],
        will: Message,
        heard: Callable[[Happening], None],
        inflight: int = 20,
        manual: int = 0,
    ) -> None:
        self._address = address
        self._subscriptions = [(filter_, 1) for filter_ in subscriptions]
        self._heard = heard
        self._connection = 0
        self._window = _UNLIMITED
        self._manual = manual
        self._answered = self._cut = False
        self._failure: OSError | None = None
        self._told = set[Refused | str]()
        self._client = self._build(client_id, will, inflight)

    def open(self) -> None:
        """Start connecting, and keep at it."""
        if self._address.protocol == "5":
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            if self._manual:
                properties.ReceiveMaximum = self._manual
            self._client.connect_async(
                self._address.host, self._address.port, KEEPALIVE, clean_start=True, properties=properties
            )
        else:
            self._client.connect_async(self._address.host, self._address.port, KEEPALIVE)
        self._client.loop_start()

    def close(self, farewell: Message | None = None) -> None:
        """Say farewell if the broker is there, disconnect, and end paho's thread."""
        if farewell is not None and self._client.is_connected():
            said = self._client.publish(farewell.topic, farewell.payload, 1, farewell.retain)
            if said.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                said.wait_for_publish(_FAREWELL_SECONDS)
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, message: Message) -> int | None:
        """Hand a message to paho; its number, or None when there is no connection or nobody could publish it."""
        try:
            info = self._client.publish(message.topic, message.payload, 1, message.retain)
        except ValueError as e:
            log.error("a message cannot be published (%s), on topic %.100r", e, message.topic)
            return None
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def take(self, delivered: Delivered) -> None:
        """Tell the broker that a message has been dealt with, unless it came on an earlier connection."""
        if delivered.connection == self._connection and self._client.is_connected():
            self._client.ack(delivered.number, 1)

    def forget(self) -> None:
        """Let paho forget what the broker has not confirmed; the caller sends it again."""
        self._client.drop_out_messages()

    # ---- on paho's thread

    def _build(self, client_id: str, will: Message, inflight: int) -> Client:
        version = _VERSIONS[self._address.protocol]
        # MQTT 5 says by `clean_start` at each connection what 3.1.1 says here.
        clean = None if self._address.protocol == "5" else True
        client = Client(CallbackAPIVersion.VERSION2, client_id, clean, protocol=version, manual_ack=self._manual > 0)
        client.suppress_exceptions = True
        client.enable_logger(paho_log)
        client.max_inflight_messages = inflight
        client.reconnect_delay_set(min_delay=1, max_delay=10)
        client.will_set(will.topic, will.payload, 1, will.retain)
        if self._address.tls is not None:
            client.tls_set_context(self._address.tls)
        client.on_socket_open = self._on_open
        client.on_socket_close = self._on_close
        client.on_connect_fail = self._on_connect_fail
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _on_open(self, _: Client, __: object, opened: Any) -> None:  # noqa: ANN401 - a socket or paho's wrapper of one
        # Nagle's algorithm against delayed acknowledgements costs 40 ms twice: commit to acknowledged was 83 ms, and is 2 ms.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answered, self._failure = False, None

    def _on_close(self, _: Client, __: object, closed: object) -> None:
        self._failure = getattr(closed, "failure", None)

    def _on_connect_fail(self, _: Client, __: object) -> None:
        # paho calls this while it handles the exception, and keeps it to itself.
        failure = sys.exception()
        if isinstance(failure, HandshakeFailed):
            self._explain(failure.__cause__, Cause.BROKER_UNPROVEN)
            return
        self._cut = False
        if str(failure) not in self._told:
            self._told.add(str(failure))
            log.warning("the broker is not reached (%s); we keep trying", failure)

    def _on_connect(
        self, client: Client, _: object, __: ConnectFlags, reason: ReasonCode, given: Properties | None
    ) -> None:
        self._answered, self._cut = True, False
        if reason.is_failure:
            self._refuse(Cause.NOT_ADMITTED, str(reason))
            return
        # paho would send again what the last connection left behind, in front of what we are about to send.
        client.drop_out_messages()
        self._connection += 1
        self._window = getattr(given, "ReceiveMaximum", _UNLIMITED)
        client.subscribe(self._subscriptions)

    def _on_subscribe(self, _: Client, __: object, ___: int, reasons: list[ReasonCode], ____: object) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self._refuse(Cause.NOT_SUBSCRIBED, ", ".join(refused))
            return
        self._told.clear()
        self._heard(Connected(self._window))

    def _on_disconnect(self, _: Client, __: object, ___: object, reason: ReasonCode, ____: object) -> None:
        log.info("the broker is gone: %s", self._failure or reason)
        if reason.is_failure and not self._answered:
            self._explain(self._failure, Cause.NOT_ADMITTED)
        self._heard(Lost())

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        self._heard(Delivered(message.topic, bytes(message.payload), message.mid, self._connection))

    def _on_publish(self, _: Client, __: object, number: int, reason: ReasonCode, ___: object) -> None:
        self._heard(Published(number, reason.value))

    def _explain(self, failure: BaseException | None, likely: Cause) -> None:
        if we_do_not_believe(failure):
            self._refuse(Cause.BROKER_UNPROVEN, str(failure))
        elif we_are_not_believed(failure):
            self._refuse(Cause.NOT_ADMITTED, str(failure))
        elif self._cut:
            # A broker that is just stopping hangs up too, but not twice running; one side without TLS does.
            self._refuse(likely, str(failure or "it hung up without an answer"))
        else:
            self._cut = True

    def _refuse(self, cause: Cause, reason: str) -> None:
        refused = Refused(cause, reason)
        if refused not in self._told:
            self._told.add(refused)
            log.error(f"ALARM: {_ALARMS[cause]}", reason)
            self._heard(refused)
