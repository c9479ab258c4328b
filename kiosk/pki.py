"""A public key infrastructure for trials: an authority, a certificate for the broker, one for each of its clients.

A company's own authority does the same. What `deploy/mosquitto/` asks of it: a client's common name is the cabinet's name (`hq`
for headquarters), a client's certificate is good for clients alone, and the broker's names every host that it is reached by.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kiosk.config import NODE
from kiosk.domain.errors import NotIssued

AUTHORITY: Final = "ca"
SERVER: Final = "server"
HEADQUARTERS: Final = "hq"
#: What the broker's certificate is good for beside the hosts that are asked for.
LOCAL_HOSTS: Final = ("localhost", "127.0.0.1")

_AUTHORITY_LIFE: Final = timedelta(days=3650)
_LIFE: Final = timedelta(days=365)
#: The clock of a machine that shall believe a certificate may be a little behind.
_SLACK: Final = timedelta(hours=1)
_HOST: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*", re.IGNORECASE)
#: RFC 5280, 4.2.1.3: every use is named, and each is allowed or not.
_USES: Final = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs certificates."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make(folder: Path, names: Sequence[str], hosts: Sequence[str], now: datetime) -> list[str]:
    """Make the certificates and keys of these clients; the authority's, the broker's and headquarters' where there are none yet.

    Args:
        folder: where everything is kept, as `NAME.crt` and `NAME.key` (PEM; a key is for its owner alone).
        names: cabinets, by their node names.
        hosts: names and addresses that the broker is reached by, beside this machine's own.
        now: when they begin to hold.

    Returns:
        The names under which something was made.

    Raises:
        NotIssued: a name or host is none, or something of the kind is there already; nothing was made.
    """
    missing = [name for name in (SERVER, HEADQUARTERS) if not _certificate_file(folder, name).exists()]
    wanted = list(dict.fromkeys([*missing, *([SERVER] if hosts else []), *names]))
    _check(folder, names, hosts, wanted)
    folder.mkdir(parents=True, exist_ok=True)
    authority = opened(folder) or _founded(folder, now)
    for name in wanted:
        issue(folder, name, authority, now, [*LOCAL_HOSTS, *hosts] if name == SERVER else [])
    return wanted


def issue(folder: Path, name: str, authority: Authority, now: datetime, hosts: Sequence[str]) -> None:
    """Make one certificate: a broker's when it has hosts to be reached by, else a client's."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A cabinet's certificate must not let a thief pose as the broker.
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if hosts else ExtendedKeyUsageOID.CLIENT_AUTH
    draft = (
        _draft(_name(name), key.public_key(), authority.certificate.subject, authority.key.public_key(), now, _LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_uses("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    )
    if hosts:
        alternatives = [_host(host) for host in dict.fromkeys(hosts)]
        draft = draft.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    _keep(folder, name, draft.sign(authority.key, hashes.SHA256()), key)


def _check(folder: Path, names: Sequence[str], hosts: Sequence[str], wanted: Sequence[str]) -> None:
    for name in names:
        if name != HEADQUARTERS and (name == SERVER or not NODE.fullmatch(name)):
            raise NotIssued(kind="name", name=name)
    for host in hosts:
        _host(host)
    for name in wanted:
        for file in (_certificate_file(folder, name), _key_file(folder, name)):
            if file.exists():
                raise NotIssued(kind="exists", file=str(file))


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        if not _HOST.fullmatch(host):
            raise NotIssued(kind="host", name=host) from None
        return x509.DNSName(host)


# ---- the authority


def _founded(folder: Path, now: datetime) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Trousseau, authority for trials")
    certificate = (
        _draft(name, key.public_key(), name, key.public_key(), now, _AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_uses("key_cert_sign", "crl_sign"), critical=True)
        .sign(key, hashes.SHA256())
    )
    _keep(folder, AUTHORITY, certificate, key)
    return Authority(certificate, key)


def opened(folder: Path) -> Authority | None:
    """The authority of an earlier time; None when the folder holds nothing of the kind yet.

    Raises:
        NotIssued: what is there is not the two halves of one.
    """
    if not any(file.suffix in (".crt", ".key") for file in folder.iterdir()):
        return None
    try:
        certificate = x509.load_pem_x509_certificate(_certificate_file(folder, AUTHORITY).read_bytes())
        key = load_pem_private_key(_key_file(folder, AUTHORITY).read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as e:
        raise NotIssued(kind="authority", folder=str(folder)) from e
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise NotIssued(kind="authority", folder=str(folder))
    return Authority(certificate, key)


# ---- certificates


def _draft(
    subject: x509.Name,
    public: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    signing: ec.EllipticCurvePublicKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SLACK)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _uses(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{use: use in allowed for use in _USES})


# ---- files


def _certificate_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.crt"


def _key_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.key"


def _keep(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    # Made anew or not at all: an existing key is never overwritten, nor one that others can read filled.
    handle = os.open(_key_file(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    _certificate_file(folder, name).write_bytes(certificate.public_bytes(Encoding.PEM))
