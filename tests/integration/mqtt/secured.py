"""A broker as it is deployed, real certificates, and clients that would like more than they may have."""

import shutil
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

import paho.mqtt.client as paho
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from kiosk import pki
from kiosk.mqtt.client import BrokerAddress
from kiosk.mqtt.tls import context
from tests.conftest import StartMosquitto
from tests.integration.hq.parts import NODE
from tests.services import LOOPBACK, Mosquitto

DEPLOYED: Final = Path(__file__).parents[3] / "deploy" / "mosquitto"
OTHER: Final = "armoire-8"
#: What stands in the deployed configuration, and what the tests put there.
LISTENER: Final = ("listener 8883\n", "listener {port} 127.0.0.1\n")
PLACE: Final = "/etc/mosquitto/trousseau"


def certify(folder: Path) -> None:
    """Make good certificates and bad ones: for clients by their names, for brokers as `server-…`, and another authority's."""
    now = datetime.now(UTC)
    pki.make(folder, [NODE, OTHER, "archive"], [], now)
    authority = pki.opened(folder)
    assert authority is not None
    for name, when in (("expired", now - timedelta(days=800)), ("early", now + timedelta(days=400))):
        pki.issue(folder, name, authority, when, [])
        pki.issue(folder, f"server-{name}", authority, when, pki.LOCAL_HOSTS)
    pki.issue(folder, "server-elsewhere", authority, now, ["courtier.example"])
    for name in ("+", "revoked"):
        pki.issue(folder, name, authority, now, [])
    (folder / "revoked.crl").write_bytes(_revoking(folder / "revoked.crt", authority, now))
    pki.make(folder / "another", [NODE], [], now)


def _revoking(file: Path, authority: pki.Authority, now: datetime) -> bytes:
    """The authority's list of what it no longer vouches for: this certificate."""
    number = x509.load_pem_x509_certificate(file.read_bytes()).serial_number
    revoked = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now).build()
    draft = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - timedelta(hours=1))
        .next_update(now + timedelta(days=1))
        .add_revoked_certificate(revoked)
    )
    return draft.sign(authority.key, hashes.SHA256()).public_bytes(Encoding.PEM)


@dataclass(frozen=True)
class Secured:
    """The deployed broker, and the folder with the certificates."""

    server: Mosquitto
    folder: Path

    def address(self, name: str, authority: str = "") -> BrokerAddress:
        """For the client of this name, who believes this authority; an empty name has no certificate."""
        return BrokerAddress(LOOPBACK, self.server.port, tls=self.tls(name, authority))

    def tls(self, name: str, authority: str = "") -> ssl.SSLContext:
        """What the client of this name shows and believes."""
        files = (str(self.folder / f"{name}.{kind}") if name else "" for kind in ("crt", "key"))
        return context(str(self.folder / authority / "ca.crt"), *files)

    @property
    def let_in(self) -> int:
        """How often somebody was let in."""
        return self.server.log.count("New client connected")

    @property
    def turned_away(self) -> int:
        """How often somebody's certificate was not believed."""
        return self.server.log.count("certificate verify failed")


def start(mosquitto: StartMosquitto, folder: Path, changes: Mapping[str, str]) -> Secured:
    """Run the deployed configuration, with nothing but its place and port filled in, and these changes."""
    text = (DEPLOYED / "cabinets.conf").read_text()
    for old, new in {**dict([LISTENER]), **changes, PLACE: str(folder)}.items():
        assert old in text, f"the deployed configuration does not say {old}"
        text = text.replace(old, new)
    shutil.copy(DEPLOYED / "cabinets.acl", folder)
    return Secured(mosquitto(text), folder)


class Stranger:
    """A client that knows MQTT, has somebody's certificate, and calls itself what it likes."""

    def __init__(
        self,
        broker: Secured,
        certificate: str,
        calls_itself: str = "",
        user: str | None = None,
        will: str | None = None,
    ) -> None:
        self._heard: SimpleQueue[str] = SimpleQueue()
        self._answers: SimpleQueue[list[int]] = SimpleQueue()
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2, calls_itself, protocol=MQTTProtocolVersion.MQTTv5, reconnect_on_failure=False
        )
        self.client.tls_set_context(broker.tls(certificate))
        if user is not None:
            self.client.username_pw_set(user, "a password")
        if will is not None:
            self.client.will_set(will, b"a will", 1)
        self.client.on_connect = lambda _, __, ___, reason, ____: self._answers.put([reason.value])
        self.client.on_subscribe = lambda _, __, ___, reasons, ____: self._answers.put([one.value for one in reasons])
        self.client.on_publish = lambda _, __, ___, reason, ____: self._answers.put([reason.value])
        self.client.on_message = lambda _, __, message: self._heard.put(message.topic)
        self.client.connect(LOOPBACK, broker.server.port)
        self.client.loop_start()
        assert self._answer() == [0]

    def _answer(self) -> list[int]:
        return self._answers.get(timeout=10)

    def say(self, topic: str, payload: bytes = b"?") -> int:
        """Publish, and what the broker answers (MQTT 5 reason code)."""
        self.client.publish(topic, payload, 1)
        return self._answer()[0]

    def listen(self, *filters: str) -> list[int]:
        """Subscribe, and what the broker answers to each."""
        self.client.subscribe([(one, 1) for one in filters])
        return self._answer()

    def heard(self, quiet: float = 0.5) -> list[str]:
        """The topics of what came, until it has been quiet for so long."""
        topics = []
        try:
            while True:
                topics.append(self._heard.get(timeout=quiet))
        except Empty:
            return topics

    def vanish(self) -> None:
        """Be gone without a word."""
        opened = self.client.socket()
        assert isinstance(opened, socket.socket)
        opened.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()
