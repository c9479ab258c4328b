"""The key files of a data folder."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk import keys
from kiosk.domain.errors import ForeignKey, KeyExists
from kiosk.ledger.checkpoint import WITNESS
from kiosk.ledger.note import Kind, VerifierKey


@pytest.fixture
def careless() -> Iterator[None]:
    """A shell that lets everybody read new files."""
    mask = os.umask(0)
    yield
    os.umask(mask)


@pytest.mark.usefixtures("careless")
def test_a_secret_key_is_its_owners_alone_whatever_the_shell_allows(tmp_path: Path) -> None:
    keys.make(tmp_path, keys.WITNESS_KEY, WITNESS, Kind.COSIGNATURE)
    for change in (keys.rotate, keys.retire):
        assert stat.S_IMODE((tmp_path / keys.WITNESS_KEY).stat().st_mode) == 0o600
        change(tmp_path, keys.WITNESS_KEY)
    assert stat.S_IMODE((tmp_path / keys.WITNESS_KEY).stat().st_mode) == 0o600


def headquarters_key(which: int) -> VerifierKey:
    return VerifierKey(WITNESS, Kind.COSIGNATURE, bytes([which]) * 32)


def test_who_is_trusted_last_is_trusted_alone_and_everybody_else_stays_known(tmp_path: Path) -> None:
    assert keys.trusted(tmp_path) == []
    for trusted in ([1], [1, 2], [2], [3]):
        keys.trust(tmp_path, [headquarters_key(which) for which in trusted])
        assert keys.trusted(tmp_path) == [headquarters_key(which) for which in trusted]
    assert keys.public(tmp_path) == [headquarters_key(which) for which in (1, 2, 3)]


def test_a_service_that_goes_on_asking_trusts_who_is_trusted_at_that_moment(tmp_path: Path) -> None:
    trust, file = keys.Trust(tmp_path), tmp_path / keys.HEADQUARTERS_KEYS
    assert list(trust()) == [], "nobody has been named yet"
    for which in (1, 2, 1):  # files of one length, made in one moment
        keys.trust(tmp_path, [headquarters_key(which)])
        assert trust() == [headquarters_key(which)]
    file.write_text(f"# by hand\n{headquarters_key(2)}\n")
    assert trust() == [headquarters_key(2)]
    file.unlink()
    assert trust() == []


def test_a_file_of_trusted_keys_that_has_not_changed_is_not_read_again(tmp_path: Path) -> None:
    trust = keys.Trust(tmp_path)
    keys.trust(tmp_path, [headquarters_key(1)])
    assert trust() is trust()


def test_nobody_is_trusted_by_a_damaged_file(tmp_path: Path) -> None:
    trust, file = keys.Trust(tmp_path), tmp_path / keys.HEADQUARTERS_KEYS
    keys.trust(tmp_path, [headquarters_key(1)])
    trust()
    file.write_text("nothing of ours\n")
    for _ in range(2):
        with pytest.raises(ForeignKey, match=keys.HEADQUARTERS_KEYS):
            trust()


def test_only_a_key_of_headquarters_is_trusted_whatever_the_file_holds(tmp_path: Path) -> None:
    others = (
        VerifierKey("example.org/witness", Kind.COSIGNATURE, bytes(32)),
        VerifierKey(WITNESS, Kind.ED25519, bytes(32)),
    )
    (tmp_path / keys.HEADQUARTERS_KEYS).write_text("".join(f"{key}\n" for key in (*others, headquarters_key(1))))
    assert keys.trusted(tmp_path) == [headquarters_key(1)]


def test_no_secret_key_is_overwritten(tmp_path: Path) -> None:
    made = keys.make(tmp_path, keys.WITNESS_KEY, WITNESS, Kind.COSIGNATURE)
    with pytest.raises(KeyExists):
        keys.make(tmp_path, keys.WITNESS_KEY, WITNESS, Kind.COSIGNATURE)
    assert keys.own(tmp_path, keys.WITNESS_KEY) == [made.verifier]
