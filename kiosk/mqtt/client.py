"""The one place that builds an MQTT client.

Invariants:
    * Callbacks run on paho's thread: they only enqueue. One that raised would end that thread in silence, one that published from
      `on_publish` would deadlock.
    * The session is clean and paho keeps nothing across connections: the ledger is the only queue.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

log = logging.getLogger(__name__)
paho_log = logging.getLogger(f"{__name__}.paho")
# paho calls every end of a connection an error, in these words; to us it is `Lost`, which has a line of its own.
paho_log.addFilter(lambda record: "Client is not connected" not in str(record.msg))

Protocol = Literal["5", "3.1.1"]

#: Seconds of silence after which either side asks whether the other is there.
KEEPALIVE: Final = 15
#: What a broker allows on the way when it names no figure of its own (MQTT 5, 3.2.2.3.3), and so do 3.1.1 brokers in practice.
_UNLIMITED: Final = 65_535
_FAREWELL_SECONDS: Final = 2.0
_VERSIONS: Final = {"5": MQTTProtocolVersion.MQTTv5, "3.1.1": MQTTProtocolVersion.MQTTv311}


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where a broker listens, and which MQTT it speaks."""

    host: str
    port: int
    protocol: Protocol = "5"


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


Happening = Connected | Lost | Delivered | Published


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
        """Hand a message to paho; its number, or None when there is no connection."""
        info = self._client.publish(message.topic, message.payload, 1, message.retain)
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
        client.on_socket_open = _without_delay
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        return client

    def _on_connect(
        self, client: Client, _: object, __: ConnectFlags, reason: ReasonCode, given: Properties | None
    ) -> None:
        if reason.is_failure:
            log.warning("the broker refused us: %s", reason)
            return
        # paho would send again what the last connection left behind, in front of what we are about to send.
        client.drop_out_messages()
        self._connection += 1
        self._window = getattr(given, "ReceiveMaximum", _UNLIMITED)
        client.subscribe(self._subscriptions)

    def _on_subscribe(self, _: Client, __: object, ___: int, reasons: list[ReasonCode], ____: object) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            log.error("ALARM: the broker refused a subscription: %s", ", ".join(refused))
            return
        self._heard(Connected(self._window))

    def _on_disconnect(self, _: Client, __: object, ___: object, reason: ReasonCode, ____: object) -> None:
        log.info("the broker is gone: %s", reason)
        self._heard(Lost())

    def _on_message(self, _: Client, __: object, message: MQTTMessage) -> None:
        self._heard(Delivered(message.topic, bytes(message.payload), message.mid, self._connection))

    def _on_publish(self, _: Client, __: object, number: int, reason: ReasonCode, ___: object) -> None:
        self._heard(Published(number, reason.value))


def _without_delay(_: Client, __: object, opened: Any) -> None:  # noqa: ANN401 - a socket or paho's wrapper of one
    # Nagle's algorithm against delayed acknowledgements costs 40 ms twice: commit to acknowledged was 83 ms, and is 2 ms.
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
