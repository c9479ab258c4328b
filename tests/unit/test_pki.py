"""Certificates for trials: what they say, and that nothing is ever overwritten."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from cryptography.x509.verification import PolicyBuilder, Store

from kiosk import pki
from kiosk.domain.errors import NotIssued
from kiosk.hq.session import CLIENT_ID

NOW = datetime(2026, 11, 23, 6, tzinfo=UTC)


def certificate(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())


def everything(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_the_first_run_makes_an_authority_a_broker_headquarters_and_the_cabinets(tmp_path: Path) -> None:
    assert pki.make(tmp_path, ["armoire-1", "armoire-2"], [], NOW) == ["server", "hq", "armoire-1", "armoire-2"]
    names = ("ca", "server", "hq", "armoire-1", "armoire-2")
    assert set(everything(tmp_path)) == {f"{name}.{kind}" for name in names for kind in ("crt", "key")}


def test_a_later_run_adds_cabinets_and_touches_nothing_else(tmp_path: Path) -> None:
    pki.make(tmp_path, ["armoire-1"], [], NOW)
    before = everything(tmp_path)
    assert pki.make(tmp_path, ["armoire-2"], [], NOW) == ["armoire-2"]
    assert before.items() < everything(tmp_path).items()
    certificate(tmp_path, "armoire-2").verify_directly_issued_by(certificate(tmp_path, "ca"))


@pytest.mark.parametrize("name", ["hq", "armoire-1"])
def test_a_client_is_known_by_its_common_name_and_is_nothing_but_a_client(tmp_path: Path, name: str) -> None:
    pki.make(tmp_path, ["armoire-1"], [], NOW)
    made = certificate(tmp_path, name)
    assert [part.value for part in made.subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [name]
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]


def test_the_broker_is_known_by_every_name_that_it_is_reached_by_and_is_nothing_but_a_broker(tmp_path: Path) -> None:
    pki.make(tmp_path, ["armoire-1"], ["courtier.example", "192.0.2.10", "localhost"], NOW)
    made = certificate(tmp_path, "server")
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "courtier.example"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "192.0.2.10"]
    verifier = PolicyBuilder().store(Store([certificate(tmp_path, "ca")])).time(NOW)
    verifier.build_server_verifier(x509.DNSName("courtier.example")).verify(made, [])
    assert list(made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]


def test_headquarters_certificate_is_for_the_name_that_it_connects_under() -> None:
    assert pki.HEADQUARTERS == CLIENT_ID


def test_a_certificate_holds_from_a_little_before_now_for_a_year(tmp_path: Path) -> None:
    pki.make(tmp_path, ["armoire-1"], [], NOW)
    made = certificate(tmp_path, "armoire-1")
    assert NOW - timedelta(days=1) < made.not_valid_before_utc < NOW
    assert made.not_valid_after_utc == NOW + timedelta(days=365)


def test_every_key_is_its_owners_alone_and_of_the_curve_p_256(tmp_path: Path) -> None:
    pki.make(tmp_path, ["armoire-1"], [], NOW)
    keys = list(tmp_path.glob("*.key"))
    assert len(keys) == 4
    for file in keys:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        key = load_pem_private_key(file.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert key.curve.name == "secp256r1"
        assert key.public_key() == certificate(tmp_path, file.stem).public_key()


@pytest.mark.parametrize(
    ("names", "hosts", "file"),
    [
        (["armoire-2", "armoire-1"], [], "armoire-1.crt"),
        (["armoire-2", "hq"], [], "hq.crt"),
        (["armoire-2"], ["courtier.example"], "server.crt"),
    ],
)
def test_what_is_there_is_never_replaced(tmp_path: Path, names: list[str], hosts: list[str], file: str) -> None:
    pki.make(tmp_path, ["armoire-1"], [], NOW)
    before = everything(tmp_path)
    with pytest.raises(NotIssued) as refused:
        pki.make(tmp_path, names, hosts, NOW)
    assert refused.value.values == {"kind": "exists", "file": str(tmp_path / file)}
    assert everything(tmp_path) == before


def test_a_key_whose_certificate_is_gone_is_not_replaced_either(tmp_path: Path) -> None:
    pki.make(tmp_path, ["armoire-1"], [], NOW)
    (tmp_path / "armoire-1.crt").unlink()
    before = everything(tmp_path)
    with pytest.raises(NotIssued):
        pki.make(tmp_path, ["armoire-1"], [], NOW)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("name", ["server", "ca", "Armoire 1", "a/b", "../ca", "+", "#", "", "x" * 33])
def test_a_name_that_no_cabinet_can_have_makes_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotIssued) as refused:
        pki.make(tmp_path / "new", ["armoire-1", name], [], NOW)
    assert refused.value.values == {"kind": "name", "name": name}
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("host", ["", "*.example", "a b", "courtier..example", "https://courtier", "été.example"])
def test_a_host_that_is_none_makes_nothing(tmp_path: Path, host: str) -> None:
    with pytest.raises(NotIssued) as refused:
        pki.make(tmp_path / "new", ["armoire-1"], [host], NOW)
    assert refused.value.values == {"kind": "host", "name": host}
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("lost", [["ca.key"], ["ca.crt"], ["ca.crt", "ca.key"]])
def test_an_authority_that_is_not_whole_is_not_replaced_by_another(tmp_path: Path, lost: list[str]) -> None:
    pki.make(tmp_path, ["armoire-1"], [], NOW)
    for file in lost:
        (tmp_path / file).unlink()
    before = everything(tmp_path)
    with pytest.raises(NotIssued) as refused:
        pki.make(tmp_path, ["armoire-2"], [], NOW)
    assert refused.value.values == {"kind": "authority", "folder": str(tmp_path)}
    assert everything(tmp_path) == before


def test_a_key_that_is_not_the_authoritys_signs_nothing(tmp_path: Path) -> None:
    pki.make(tmp_path, ["armoire-1"], [], NOW)
    (tmp_path / "ca.key").write_bytes((tmp_path / "hq.key").read_bytes())
    with pytest.raises(NotIssued):
        pki.make(tmp_path, ["armoire-2"], [], NOW)
    assert not (tmp_path / "armoire-2.crt").exists()
