"""Who gets a connection: both sides prove who they are, and whoever does not is told why, once."""

import shutil
from pathlib import Path

import pytest

from kiosk.mqtt.client import BrokerAddress, Cause, Connected, Refused
from tests.integration.hq.parts import NODE, Cabinet, headquarters, stored
from tests.integration.mqtt.conftest import StartSecured
from tests.integration.mqtt.links import Heard, a_link, refused
from tests.integration.mqtt.secured import DEPLOYED, Secured
from tests.services import LOOPBACK, wait_until


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "ALARM" in record.getMessage()]


# ---- the good path


def test_a_cabinet_and_headquarters_reach_each_other_over_tls(
    secured: Secured, cabinet: Cabinet, tmp_path: Path
) -> None:
    cabinet.record_many(20)
    with headquarters(f"sqlite:///{tmp_path}/hq.db", secured.address("hq")) as (central, _):
        cabinet.connect(secured.address(NODE))
        cabinet.wait()
        assert stored(central) == cabinet.bodies()
        cabinet.disconnect()
    assert "Denied" not in secured.server.log


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_good_certificate_is_let_in(secured: Secured, host: str, protocol: str) -> None:
    heard = Heard()
    address = BrokerAddress(host, secured.server.port, protocol, secured.tls(NODE))  # type: ignore[arg-type]  # one of them
    with a_link(address, heard.inbox.put) as link:
        heard.next(Connected)
        opened = link._client.socket()
        assert opened.version() == "TLSv1.3"  # type: ignore[union-attr]  # a TLS socket has one


# ---- the broker does not believe the client


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        ("", "certificate required"),
        ("another/armoire-7", "unknown ca"),
        ("expired", "certificate expired"),
        ("early", "bad certificate"),
        ("server", "unsupported certificate"),
    ],
)
def test_a_client_that_cannot_prove_who_it_is_is_not_let_in(secured: Secured, certificate: str, reason: str) -> None:
    heard = Heard()
    with a_link(secured.address(certificate), heard.inbox.put):
        refused(heard, Cause.NOT_ADMITTED, reason)
    assert secured.let_in == 0


def test_a_client_that_speaks_without_tls_is_not_let_in(secured: Secured) -> None:
    heard = Heard()
    with a_link(BrokerAddress(LOOPBACK, secured.server.port), heard.inbox.put):
        refused(heard, Cause.NOT_ADMITTED, "it hung up without an answer")
    assert secured.let_in == 0


# ---- the client does not believe the broker


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        ("server-elsewhere", "IP address mismatch"),
        ("server-expired", "certificate has expired"),
        ("server-early", "certificate is not yet valid"),
        ("another/server", "unable to get local issuer certificate"),
        ("armoire-8", "unsuitable certificate purpose"),
    ],
)
def test_a_broker_that_cannot_prove_who_it_is_hears_nothing(
    start_secured: StartSecured, certificate: str, reason: str
) -> None:
    shown = {f"/{name}\n": f"/{certificate}.{name.rpartition('.')[2]}\n" for name in ("server.crt", "server.key")}
    secured = start_secured(shown)
    heard = Heard()
    with a_link(secured.address(NODE), heard.inbox.put):
        refused(heard, Cause.BROKER_UNPROVEN, reason)
    assert secured.let_in == 0


def test_a_broker_whose_authority_only_the_system_believes_hears_nothing(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secured.folder / "ca.crt"))
    heard = Heard()
    with a_link(secured.address(NODE, authority="another"), heard.inbox.put):
        refused(heard, Cause.BROKER_UNPROVEN, "certificate verify failed")
    assert secured.let_in == 0


def test_a_broker_that_speaks_without_tls_hears_nothing(broker: BrokerAddress, start_secured: StartSecured) -> None:
    believing = start_secured({}).tls(NODE)
    heard = Heard()
    with a_link(BrokerAddress(broker.host, broker.port, tls=believing), heard.inbox.put):
        assert heard.next(Refused).cause is Cause.BROKER_UNPROVEN


# ---- the deployed configuration


def test_the_deployed_broker_answers_at_once_and_keeps_nothing_on_disk() -> None:
    lines = (DEPLOYED / "cabinets.conf").read_text().splitlines()
    assert {"set_tcp_nodelay true", "persistence false", "allow_anonymous false"} <= set(lines)


# ---- what people are told


def test_a_refusal_is_said_once_however_often_we_try_and_says_what_to_do(
    secured: Secured, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()
    with a_link(secured.address("expired"), heard.inbox.put):
        wait_until(lambda: secured.turned_away == 3, "three tries")
    [said] = [one for one in alarms(caplog) if "expired" in one]
    assert "check broker.ca, broker.certificate and its dates" in said
    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == len(set(errors)), "a line that comes back at every try"


def test_a_refusal_is_said_again_when_it_comes_back_after_a_connection(
    secured: Secured, caplog: pytest.LogCaptureFixture
) -> None:
    def show(certificate: str) -> None:
        for kind in ("crt", "key"):
            shutil.copy(secured.folder / f"{certificate}.{kind}", secured.folder / f"server.{kind}")
        secured.server.restart()

    for kind in ("crt", "key"):
        shutil.copy(secured.folder / f"server.{kind}", secured.folder / f"server-good.{kind}")
    heard = Heard()
    with a_link(secured.address(NODE), heard.inbox.put):
        for _ in range(2):
            show("server-expired")
            refused(heard, Cause.BROKER_UNPROVEN, "expired")
            show("server-good")
            heard.next(Connected)
    assert len([one for one in alarms(caplog) if "has not proved who it is" in one]) == 2
