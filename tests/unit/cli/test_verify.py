"""`kiosk verify`: what it says of proofs that hold, of those that do not, and the page that it writes for a client."""

import re
from pathlib import Path

import pytest

from kiosk.cli.texts import t
from kiosk.keys import VERIFIER_KEYS
from kiosk.ledger.checkpoint import cosign
from kiosk.ledger.entry import digest
from kiosk.ledger.errors import Fault
from kiosk.ledger.note import Kind, SigningKey
from tests.attack.logs import (
    FORGED_LOG_KEY,
    LOG,
    LOG_KEY,
    MORNING,
    WITNESS_KEY,
    a_log,
    continued,
    export,
    receipt,
    signed,
    tampered,
    witnessed,
)
from tests.building import House
from tests.unit.cli.typing_commands import Terminal

ENTRIES = a_log(20)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """The public keys that headquarters handed out."""
    path = tmp_path / "handed.keys"
    path.write_text(f"# to believe\n{LOG_KEY.verifier}\n{WITNESS_KEY.verifier}\n", encoding="utf-8")
    return path


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """The receipt of entry 7, which headquarters has seen."""
    return written(tmp_path / "r.tlog-proof", receipt(ENTRIES, 6, witnessed(ENTRIES)).encode())


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_receipt_is_told_with_its_entry_its_signatures_and_who_has_seen_it_when(
    bare: Terminal, keys: Path, proof: Path
) -> None:
    said = bare.fine("verify", "--keys", keys, proof)
    for what in (str(proof), LOG, "K-7", digest(ENTRIES[6]), "trousseau/hq", "07:00:00"):
        assert what in said
    assert MORNING % 3600 == 0  # 06:00 UTC is 07:00 in Paris in winter
    assert t("cli.verify.signed", size=20) in said
    assert t("cli.verify.unwitnessed", count=1) not in said


def test_what_headquarters_has_not_seen_is_called_the_cabinets_word_alone(
    bare: Terminal, keys: Path, tmp_path: Path
) -> None:
    unseen = written(tmp_path / "unseen", receipt(ENTRIES, 6, signed(ENTRIES)).encode())
    partly = written(tmp_path / "partly", export(ENTRIES, witnessed(ENTRIES[:15])))
    said = bare.fine("verify", "--keys", keys, unseen, partly)
    assert t("cli.verify.unwitnessed", count=1) in said
    assert t("cli.verify.unwitnessed", count=5) in said
    assert t("cli.verify.entries", entries=20) in said


def test_the_cabinets_own_journal_is_checked_with_its_own_keys(terminal: Terminal, house: House) -> None:
    assert (house.folder / VERIFIER_KEYS).exists()
    said = terminal.fine("verify", house.settings.database)
    assert t("cli.verify.entries", entries=house.size) in said
    assert t("cli.verify.not_signed") in said


def test_a_proof_that_does_not_hold_is_told_with_its_place_and_the_others_all_the_same(
    bare: Terminal, keys: Path, proof: Path, tmp_path: Path
) -> None:
    edited = [*ENTRIES[:3], ENTRIES[3].replace(b"K-4", b"K-5"), *ENTRIES[4:]]
    bad = written(tmp_path / "bad", export(edited, witnessed(ENTRIES)))
    said = bare.type("verify", "--keys", keys, bad, proof)
    assert said.status == 1
    assert str(proof) in said.out
    assert str(bad) not in said.out
    assert str(bad) in said.err
    assert t(f"cli.fault.{Fault.EDITED.name.lower()}") in said.err
    assert t("cli.verify.place", entry=4) in said.err


@pytest.mark.parametrize("content", [b"", b"nothing of ours", b"SQLite format 3\x00 but no database"])
def test_a_file_that_is_none_of_ours_is_told(bare: Terminal, keys: Path, tmp_path: Path, content: bytes) -> None:
    file = written(tmp_path / "file", content)
    assert str(file) in bare.refused("verify", "--keys", keys, file)


def test_a_signature_by_a_key_that_is_not_believed_proves_nothing(bare: Terminal, proof: Path, tmp_path: Path) -> None:
    strangers = tmp_path / "strangers.keys"
    strangers.write_text(f"{FORGED_LOG_KEY.verifier}\n", encoding="utf-8")
    assert t("cli.fault.unknown_key") in bare.refused("verify", "--keys", strangers, proof)


def test_without_public_keys_the_command_says_where_they_come_from(bare: Terminal, proof: Path, tmp_path: Path) -> None:
    assert str(tmp_path / "bare" / VERIFIER_KEYS) in bare.refused("verify", proof)


def test_a_key_file_that_is_none_is_told(bare: Terminal, proof: Path) -> None:
    assert str(proof) in bare.refused("verify", "--keys", proof, proof)


def test_nothing_that_a_file_says_can_pass_for_a_finding_or_steer_the_terminal(
    bare: Terminal, tmp_path: Path, keys: Path
) -> None:
    finding = "x\n  " + t("cli.verify.not_signed") + "\x1b[8m\u202e"
    log = continued(ENTRIES, 21, subject=finding, type=finding, actor=finding, time=finding)
    witness = SigningKey.generate("hq\u202e", Kind.COSIGNATURE)
    keys.write_text(f"{LOG_KEY.verifier}\n{witness.verifier}\n", encoding="utf-8")
    names = "proof\n\x1b[8m", "none\n\x1b[8m", "SQLite\u202e"
    proof = written(tmp_path / names[0], receipt(log, 20, cosign(signed(log), [witness], MORNING)).encode())
    none = written(tmp_path / names[1], b"nothing of ours")
    broken = tampered(tmp_path / names[2], "CREATE TABLE entries (title TEXT)")
    page = tmp_path / "page\x1b[8m.html"
    said = [bare.type("verify", "--keys", keys, *args) for args in ((proof, "--page", page), (none,), (broken,))]
    for one in said:
        assert "Traceback" not in one.err
        assert not {"\x1b", "\u202e"} & set(one.out + one.err)
    lines = said[0].out.splitlines()
    assert not any(line.startswith("  " + t("cli.verify.not_signed")) for line in lines)
    assert sum(r"x\n  " in line for line in lines) == 2, "its time; its type and its subject"
    assert len(said[1].err.strip().splitlines()) == 1
    assert not {"\x1b", "\u202e"} & set(page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("time", ["yesterday", "9999-12-31T23:59:59.000Z", "2026-13-45T06:00:00.000Z", ""])
def test_a_time_that_is_no_date_is_shown_as_it_is_written(
    bare: Terminal, keys: Path, tmp_path: Path, time: str
) -> None:
    log = continued(ENTRIES, 21, time=time)
    proof = written(tmp_path / "odd", receipt(log, 20, witnessed(log)).encode())
    page = tmp_path / "page.html"
    assert t("cli.verify.entry", number=21, at=time) in bare.fine("verify", "--keys", keys, "--page", page, proof)
    assert f"<td>{time}</td>" in page.read_text(encoding="utf-8")


# ---- the page


def test_a_page_for_a_client_is_written_and_needs_no_other_file(
    bare: Terminal, keys: Path, proof: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    assert str(page) in bare.fine("verify", "--keys", keys, "--page", page, proof)
    html = page.read_text(encoding="utf-8")
    assert "K-7" in html
    assert "<style>" in html
    assert re.findall(r"(?:src|href)=|url\(|@import|https?://", html) == []


def test_no_page_is_written_when_one_of_the_files_does_not_hold(
    bare: Terminal, keys: Path, proof: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    bare.refused("verify", "--keys", keys, "--page", page, proof, written(tmp_path / "bad", b"{}\n\nx"))
    assert not page.exists()


def test_a_page_that_cannot_be_written_is_no_traceback(bare: Terminal, keys: Path, proof: Path) -> None:
    said = bare.type("verify", "--keys", keys, "--page", "/proc/nowhere/page.html", proof)
    assert said.status == 1
    assert "Traceback" not in said.err
