"""`kiosk receipt` and `kiosk export`, at the cabinet and at headquarters: what they write proves what it should."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from kiosk.cli import ledger
from kiosk.cli.texts import t
from kiosk.keys import VERIFIER_KEYS
from kiosk.ledger.receipt import Receipt
from kiosk.ledger.verify import Form, Keyring, Verdict, verify
from tests.building import House, no_progress
from tests.unit.cli.central import introduced, witness
from tests.unit.cli.typing_commands import Terminal


@pytest.fixture
def proof(tmp_path: Path) -> Path:
    """Where a proof is written."""
    return tmp_path / "proof"


def proves(file: Path, at: Terminal) -> Verdict:
    """What a file proves to whoever believes the keys that are known there."""
    keyring = Keyring.parse((at.folder / VERIFIER_KEYS).read_text(encoding="utf-8"))
    (verdict,) = verify(file, keyring, no_progress)
    return verdict


def id_of(house: House, number: int) -> str:
    return f"{house.store.journal.node}:{house.store.journal.stream}:{number}"


# ---- at the cabinet, beside its running service


def test_a_receipt_is_given_at_once_and_says_that_nobody_has_seen_the_entry(
    terminal: Terminal, house: House, proof: Path
) -> None:
    said = terminal.fine("receipt", "3", proof)
    assert str(proof) in said
    assert t("cli.ledger.unseen") in said
    verdict = proves(proof, terminal)
    assert (verdict.form, verdict.entry) == (Form.RECEIPT, house.entries()[2])
    assert verdict.unwitnessed == 1


def test_a_receipt_is_complete_once_headquarters_has_seen_the_entry(
    terminal: Terminal, house: House, hq: Terminal, proof: Path, tmp_path: Path
) -> None:
    introduced(terminal, hq, tmp_path)
    witness(house, hq)
    seen = house.size
    house.take("nadia", "K-1")
    for number in (1, seen):
        assert str(seen) in terminal.fine("receipt", str(number), proof)
        verdict = proves(proof, terminal)
        assert verdict.seen is not None
        assert (verdict.seen.size, verdict.unwitnessed) == (seen, 0)
    assert t("cli.ledger.unseen") in terminal.fine("receipt", str(seen + 1), proof)
    assert proves(proof, terminal).unwitnessed == 1


def test_an_entry_may_be_named_by_its_whole_id(terminal: Terminal, house: House, proof: Path) -> None:
    terminal.fine("receipt", id_of(house, 3), proof)
    assert proves(proof, terminal).entry == house.entries()[2]


@pytest.mark.parametrize(
    "entry", ["0", "03", "999", "x", "9" * 30, "9" * 5000, "armoire-7:3", "armoire-8:{stream}:3", "{id}:3", "²"]
)
def test_what_names_no_entry_is_told_and_writes_nothing(
    terminal: Terminal, house: House, proof: Path, entry: str
) -> None:
    entry = entry.format(stream=house.store.journal.stream, id=id_of(house, 3))
    assert entry in terminal.refused("receipt", entry, proof)
    assert not proof.exists()


def test_a_receipt_on_standard_output_is_nothing_but_the_receipt(terminal: Terminal, house: House) -> None:
    said = terminal.type("receipt", "3", "-")
    assert Receipt.parse(said.out.encode()).entry == house.bodies()[2]
    assert t("cli.ledger.unseen") in said.err


def test_the_journal_is_exported_for_anybody_to_check(terminal: Terminal, house: House, proof: Path) -> None:
    assert t("cli.ledger.unseen") in terminal.fine("export", proof)
    verdict = proves(proof, terminal)
    assert (verdict.form, verdict.entries, verdict.size) == (Form.EXPORT, house.size, house.size)
    terminal.fine("verify", proof)


def test_an_export_tells_what_headquarters_has_not_seen(
    terminal: Terminal, house: House, hq: Terminal, proof: Path, tmp_path: Path
) -> None:
    introduced(terminal, hq, tmp_path)
    witness(house, hq)
    seen = house.size
    house.take("nadia", "K-1")
    assert str(seen) in terminal.fine("export", proof)
    verdict = proves(proof, terminal)
    assert (verdict.entries, verdict.unwitnessed) == (house.size, house.size - seen)


def test_an_export_on_standard_output_is_nothing_but_the_export(terminal: Terminal, house: House, proof: Path) -> None:
    said = terminal.type("export", "-")
    proof.write_text(said.out, encoding="utf-8")
    assert proves(proof, terminal).entries == house.size


def test_a_long_export_shows_how_far_it_is(
    terminal: Terminal, house: House, proof: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(ledger, "OFTEN", 5)
    monkeypatch.setattr(ledger, "bar", lambda _: nullcontext(lambda *progress: told.append(progress)))
    terminal.fine("export", proof)
    assert told == [(done, house.size) for done in range(5, house.size + 1, 5)]
    assert told


# ---- at headquarters


def test_headquarters_gives_receipts_and_exports_of_what_it_has_cosigned(
    terminal: Terminal, house: House, hq: Terminal, proof: Path, tmp_path: Path
) -> None:
    introduced(terminal, hq, tmp_path)
    witness(house, hq)
    verifiers = tmp_path / "all.keys"
    verifiers.write_text(hq.fine("hq", "keys", "show"), encoding="utf-8")
    for command in (("receipt", id_of(house, 3)), ("export", "armoire-7")):
        assert str(house.size) in hq.fine("hq", *command, proof)
        verdict = proves(proof, terminal)
        assert verdict.seen is not None
        assert (verdict.seen.size, verdict.unwitnessed) == (house.size, 0)
        hq.fine("verify", "--keys", verifiers, proof)


def test_headquarters_proves_nothing_that_it_has_not_cosigned(
    terminal: Terminal, house: House, hq: Terminal, proof: Path, tmp_path: Path
) -> None:
    introduced(terminal, hq, tmp_path)
    assert "armoire-7" in hq.refused("hq", "export", "armoire-7", proof)
    hq.refused("hq", "receipt", id_of(house, 3), proof)
    witness(house, hq)
    hq.refused("hq", "receipt", id_of(house, house.size + 1), proof)
    hq.refused("hq", "receipt", "3", proof)
    assert "armoire-8" in hq.refused("hq", "export", "armoire-8", proof)
    assert not proof.exists()


@pytest.mark.parametrize("command", [("receipt", "3"), ("export",)])
def test_a_proof_that_cannot_be_written_is_no_traceback(terminal: Terminal, command: tuple[str, ...]) -> None:
    said = terminal.type(*command, "/proc/nowhere/proof")
    assert said.status == 1
    assert "/proc/nowhere/proof" in said.err
    assert "Traceback" not in said.err
