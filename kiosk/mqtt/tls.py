"""TLS to the broker: whom we believe, who we are, and what went wrong."""

from __future__ import annotations

import ssl

from kiosk.domain.errors import BadSettings


class HandshakeFailed(OSError):
    """No secure connection came about; `__cause__` tells why."""


class Socket(ssl.SSLSocket):
    """Remembers why it failed, which paho only logs, and is closed when it never came to be, which paho forgets."""

    failure: OSError | None = None

    def do_handshake(self, block: bool = False) -> None:
        """Agree with the broker.

        Raises:
            HandshakeFailed: we could not.
        """
        try:
            super().do_handshake(block)
        except (ssl.SSLError, ConnectionError) as e:
            self.close()
            raise HandshakeFailed(str(e)) from e
        except OSError:
            self.close()
            raise

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Read what has come."""
        try:
            return super().recv(buflen, flags)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except OSError as e:
            self.failure = e
            raise


def we_do_not_believe(failure: object) -> bool:
    """Whether the broker's certificate is no good to us."""
    return isinstance(failure, ssl.SSLCertVerificationError)


def we_are_not_believed(failure: object) -> bool:
    """Whether the broker said that our certificate is no good to it: in the handshake, or with TLS 1.3 right after it."""
    return isinstance(failure, ssl.SSLError) and "ALERT" in (failure.reason or "")


def context(ca: str, certificate: str, key: str) -> ssl.SSLContext:
    """TLS 1.2 or newer with a broker that this authority vouches for by name; the system's own authorities are never asked.

    Args:
        ca: certificates of the authority (PEM).
        certificate, key: what proves who we are (PEM); empty where the broker does not want to know.

    Raises:
        BadSettings: a file is not what it should be.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.sslsocket_class = Socket
    try:
        made.load_verify_locations(ca)
    except OSError as e:
        raise _unreadable("ca", e, ca) from e
    if certificate:
        try:
            # A key under a password is refused: nobody is there to type it.
            made.load_cert_chain(certificate, key, password="")
        except OSError as e:
            raise _unreadable("certificate", e, certificate, key) from e
    return made


def _unreadable(setting: str, why: OSError, *files: str) -> BadSettings:
    return BadSettings(faults=[("unreadable", f"broker.{setting}", f"{', '.join(files)} ({why})")])
