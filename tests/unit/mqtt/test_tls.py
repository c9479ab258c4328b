"""Whom a context believes."""

import ssl
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from cryptography.hazmat.primitives.serialization import load_pem_private_key as load_key

from kiosk import pki
from kiosk.mqtt.tls import context

#: Runs Python at a terminal of its own, on which somebody could be asked for a password.
AT_A_TERMINAL = "import pty, sys; pty.spawn([sys.executable, *sys.argv[1:]])"
MAKE = "import sys; from kiosk.mqtt.tls import context; context(*sys.argv[1:])"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Certificates of one authority."""
    pki.make(tmp_path, ["armoire-1"], [], datetime.now(UTC))
    return tmp_path


def test_it_believes_the_authority_that_is_named_and_no_other(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pki.make(made / "another", ["armoire-1"], [], datetime.now(UTC))
    # Where OpenSSL looks for the system's authorities.
    monkeypatch.setenv("SSL_CERT_FILE", str(made / "another" / "ca.crt"))
    believed = context(str(made / "ca.crt"), "", "").get_ca_certs(binary_form=True)
    assert believed == [ssl.PEM_cert_to_DER_cert((made / "ca.crt").read_text())]


def test_it_asks_for_a_certificate_and_for_the_right_name_and_speaks_nothing_old(made: Path) -> None:
    asked = context(str(made / "ca.crt"), "", "")
    assert asked.verify_mode is ssl.CERT_REQUIRED
    assert asked.check_hostname
    assert asked.minimum_version is ssl.TLSVersion.TLSv1_2


def test_a_key_under_a_password_is_refused_and_nobody_is_asked_for_it(made: Path) -> None:
    key = load_key((made / "armoire-1.key").read_bytes(), password=None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (made / "locked.key").write_bytes(locked)
    files = [str(made / name) for name in ("ca.crt", "armoire-1.crt", "locked.key")]
    said = subprocess.run(
        [sys.executable, "-c", AT_A_TERMINAL, "-c", MAKE, *files],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
        timeout=30,
    ).stdout
    assert b"BadSettings" in said
    assert b"pass phrase" not in said
