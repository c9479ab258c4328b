"""`kiosk pki`, and what `kiosk config check` says of certificates."""

import stat
from pathlib import Path

import pytest

from kiosk.config import FILE
from tests.unit.cli.typing_commands import Terminal


def with_tls(folder: Path, ca: Path, certificate: Path, key: Path) -> None:
    """A cabinet's settings, with these files."""
    folder.mkdir(exist_ok=True)
    (folder / FILE).write_text(f'[broker]\nca = "{ca}"\ncertificate = "{certificate}"\nkey = "{key}"\n')


@pytest.fixture
def made(bare: Terminal, tmp_path: Path) -> Path:
    """Certificates for trials, made by the command."""
    bare.fine("pki", tmp_path / "pki", "armoire-1")
    return tmp_path / "pki"


def test_it_says_what_it_made_that_it_is_for_trials_and_which_key_to_keep_apart(bare: Terminal, tmp_path: Path) -> None:
    said = bare.fine("pki", tmp_path / "pki", "armoire-1", "armoire-2", "--host", "courtier.example")
    assert "server, hq, armoire-1, armoire-2" in said
    assert "essai" in said
    assert "ca.key" in said
    assert stat.S_IMODE((tmp_path / "pki").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("armoire-1",), "armoire-1.crt"),
        (("Armoire 2",), "« Armoire 2 »"),
        (("armoire-2", "--host", "a b"), "--host"),
    ],
)
def test_what_it_refuses_it_explains(bare: Terminal, made: Path, arguments: tuple[str, ...], told: str) -> None:
    assert told in bare.refused("pki", made, *arguments).replace("\u00a0", " ")


def test_an_authority_that_is_not_whole_is_explained(bare: Terminal, made: Path) -> None:
    (made / "ca.key").unlink()
    assert str(made) in bare.refused("pki", made, "armoire-2")


def test_the_settings_of_a_cabinet_with_its_certificate_are_fine(bare: Terminal, made: Path, tmp_path: Path) -> None:
    with_tls(tmp_path / "bare", made / "ca.crt", made / "armoire-1.crt", made / "armoire-1.key")
    bare.fine("config", "check")


def test_a_file_that_holds_no_certificate_is_told_before_anything_connects(
    bare: Terminal, made: Path, tmp_path: Path
) -> None:
    with_tls(tmp_path / "bare", made / "ca.key", made / "armoire-1.crt", made / "armoire-1.key")
    assert "broker.ca" in bare.refused("config", "check")


def test_a_key_that_is_not_the_certificates_is_told(bare: Terminal, made: Path, tmp_path: Path) -> None:
    with_tls(tmp_path / "bare", made / "ca.crt", made / "armoire-1.crt", made / "hq.key")
    for command in (("config", "check"), ("hq", "subscribe")):
        said = bare.refused(*command)
        assert "broker.certificate" in said
        assert str(made / "hq.key") in said
