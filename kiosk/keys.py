"""The keys in a data folder: secret ones in files that the service alone can read, public ones in `verifier.keys`.

A rotation overlaps: the new key is added, both sign until everybody knows it, then the old one is dropped. Public keys are never
dropped from `verifier.keys`, or old proofs would no longer verify. Whom the cabinet believes when it hears something new is in
`headquarters.keys`, which holds the keys of now and no former one: a rotation after a leak would be worth nothing otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from kiosk.domain.errors import ForeignKey, KeyExists, KeyMissing
from kiosk.ledger.checkpoint import WITNESS, node_and_stream
from kiosk.ledger.errors import BadKey, WrongOrigin
from kiosk.ledger.note import Kind, SigningKey, VerifierKey

#: The cabinet's, which signs its journal's heads.
LOG_KEY: Final = "log.key"
#: Headquarters', which cosigns them.
WITNESS_KEY: Final = "witness.key"
#: Public keys, the folder's own and all that it ever trusted: what `kiosk verify` needs.
VERIFIER_KEYS: Final = "verifier.keys"
#: Headquarters' public keys that the cabinet believes now.
HEADQUARTERS_KEYS: Final = "headquarters.keys"
#: Before a stream's name: the key with which the cabinet will sign that journal, once it is in place.
_PREPARED: Final = "log.key-"


def write_secret(path: Path, secret: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    _replace_file(path, secret, 0o600)


def make(folder: Path, file: str, name: str, kind: Kind) -> SigningKey:
    """Make the folder's secret key of this name, and note its public half.

    Raises:
        KeyExists: there is one, which nothing may overwrite.
    """
    if (folder / file).exists():
        raise KeyExists(path=str(folder / file))
    return _generate(folder, folder / file, name, kind)


def prepare(folder: Path, stream: str, name: str) -> SigningKey:
    """Make the secret key of a cabinet's next journal beside the present one's, which goes on signing until `take_up`."""
    return _generate(folder, folder / f"{_PREPARED}{stream}", name, Kind.ED25519)


def take_up(folder: Path, stream: str) -> None:
    """Put the key that was prepared for the cabinet's journal, if one was, in the place of those that are there: who signed before
    never signs again. What was prepared for others, which came to nothing, is deleted."""
    prepared = folder / f"{_PREPARED}{stream}"
    if prepared.exists():
        prepared.replace(folder / LOG_KEY)
    for abandoned in folder.glob(f"{_PREPARED}*"):
        abandoned.unlink()


def secret(folder: Path, file: str) -> Sequence[SigningKey]:
    """The folder's secret keys, oldest first; all of them sign.

    Raises:
        KeyMissing: there is none; `kind` is the file, which names the remedy.
        ForeignKey: the file holds something else.
    """
    try:
        keys = [SigningKey.parse(line) for line in (folder / file).read_text(encoding="utf-8").split()]
    except FileNotFoundError as e:
        raise KeyMissing(kind=file.partition(".")[0], path=str(folder / file)) from e
    except (BadKey, UnicodeDecodeError) as e:
        raise ForeignKey(path=str(folder / file)) from e
    if not keys:
        raise ForeignKey(path=str(folder / file))
    return keys


def rotate(folder: Path, file: str) -> SigningKey:
    """Add a new secret key beside the present ones.

    Raises:
        KeyMissing: there is none yet.
    """
    keys = secret(folder, file)
    new = SigningKey.generate(keys[-1].verifier.name, keys[-1].verifier.kind)
    publish(folder, [new.verifier])
    _write(folder / file, [*keys, new])
    return new


def retire(folder: Path, file: str) -> int:
    """Drop every secret key but the newest; returns how many were dropped."""
    keys = secret(folder, file)
    _write(folder / file, keys[-1:])
    return len(keys) - 1


def public(folder: Path) -> Sequence[VerifierKey]:
    """Every public key that the folder knows, former ones too: to verify proofs with, not to believe anything new.

    Raises:
        ForeignKey: the file holds something else.
    """
    return _kept(folder / VERIFIER_KEYS)


def trusted(folder: Path) -> Sequence[VerifierKey]:
    """Headquarters' keys that the cabinet believes now; none before the first was given.

    Raises:
        ForeignKey: the file holds something else.
    """
    return witnesses(_kept(folder / HEADQUARTERS_KEYS))


def trust(folder: Path, found: Sequence[VerifierKey]) -> None:
    """Believe these keys of headquarters from now on and no others; the former ones go on verifying what they have signed."""
    publish(folder, found)
    _write_public(folder / HEADQUARTERS_KEYS, found)


class Trust:
    """`trusted`, for a service that asks often: the file is read again only when it has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: Sequence[VerifierKey] = ()
        self._version: tuple[int, ...] | None = None

    def __call__(self) -> Sequence[VerifierKey]:
        """Headquarters' keys that the cabinet believes at this moment.

        Raises:
            ForeignKey: the file holds something else.
        """
        version = _version(self._folder / HEADQUARTERS_KEYS)
        if version != self._version:
            self._keys, self._version = trusted(self._folder), version
        return self._keys


def read_public(content: bytes, where: str) -> list[VerifierKey]:
    """The public keys in a key file, one a line; lines that begin with `#` are remarks.

    Raises:
        ForeignKey: a line is no key.
    """
    try:
        lines = [line.strip() for line in content.decode().split("\n")]
        return [VerifierKey.parse(line) for line in lines if line and not line.startswith("#")]
    except (BadKey, UnicodeDecodeError) as e:
        raise ForeignKey(path=where) from e


def own(folder: Path, file: str) -> list[VerifierKey]:
    """The public halves of the folder's secret keys, oldest first.

    Raises:
        KeyMissing, ForeignKey: as `secret`.
    """
    return [key.verifier for key in secret(folder, file)]


def publish(folder: Path, keys: Iterable[VerifierKey]) -> int:
    """Add public keys to those that the folder knows; returns how many were new."""
    known = list(public(folder))
    new = [key for key in dict.fromkeys(keys) if key not in known]
    _write_public(folder / VERIFIER_KEYS, [*known, *new])
    return len(new)


def witnesses(keys: Iterable[VerifierKey]) -> list[VerifierKey]:
    """Headquarters' among these."""
    return [key for key in keys if key.name == WITNESS and key.kind is Kind.COSIGNATURE]


def logs(keys: Iterable[VerifierKey]) -> list[VerifierKey]:
    """Cabinets' among these: each bears its journal's name."""
    return [key for key in keys if key.kind is Kind.ED25519 and _is_log(key.name)]


def _generate(folder: Path, to: Path, name: str, kind: Kind) -> SigningKey:
    key = SigningKey.generate(name, kind)
    _write(to, [key])
    publish(folder, [key.verifier])
    return key


def _is_log(name: str) -> bool:
    try:
        node_and_stream(name)
    except WrongOrigin:
        return False
    return True


def _kept(path: Path) -> list[VerifierKey]:
    try:
        return read_public(path.read_bytes(), str(path))
    except FileNotFoundError:
        return []


def _version(path: Path) -> tuple[int, ...] | None:
    """Another one after every change of a file; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _write(path: Path, keys: Sequence[SigningKey]) -> None:
    write_secret(path, "".join(f"{key.text}\n" for key in keys).encode())


def _write_public(path: Path, keys: Iterable[VerifierKey]) -> None:
    _replace_file(path, "".join(f"{key}\n" for key in keys).encode(), 0o644)


def _replace_file(path: Path, content: bytes, mode: int) -> None:
    """Write a file, whole or not at all."""
    new = path.with_name(f"{path.name}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
