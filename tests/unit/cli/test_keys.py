"""How cabinet and headquarters get to know each other's keys, and change them."""

import io
import stat
import sys
from pathlib import Path

import pytest

from kiosk import keys
from kiosk.cli.texts import t
from kiosk.config import FILE
from kiosk.ledger.checkpoint import node_and_stream
from kiosk.ledger.note import Kind, SigningKey, VerifierKey
from tests.attack.logs import LOG_KEY
from tests.unit.cli.central import inside, introduced
from tests.unit.cli.typing_commands import Terminal


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def read_back(text: str) -> list[VerifierKey]:
    return keys.read_public(text.encode(), "what was printed")


# ---- getting to know each other


def test_a_new_cabinet_is_told_to_take_its_public_key_to_headquarters(bare: Terminal) -> None:
    assert "kiosk keys show" in bare.fine("init", "armoire-9")


def test_headquarters_is_told_what_to_do_with_its_new_key(bare: Terminal) -> None:
    said = bare.fine("hq", "init")
    for what in (keys.WITNESS_KEY, FILE, "kiosk hq cabinet add", "kiosk hq subscribe"):
        assert what in said


def test_a_cabinets_public_key_is_printed_as_a_key_file(cabinet: Terminal) -> None:
    shown = cabinet.fine("keys", "show")
    assert shown.startswith("# ")
    assert read_back(shown) == [key.verifier for key in keys.secret(cabinet.folder, keys.LOG_KEY)]


def test_two_commands_make_cabinet_and_headquarters_know_each_other(
    cabinet: Terminal, hq: Terminal, tmp_path: Path
) -> None:
    introduced(cabinet, hq, tmp_path)
    own, theirs = keys.own(cabinet.folder, keys.LOG_KEY), keys.own(hq.folder, keys.WITNESS_KEY)
    assert keys.public(cabinet.folder) == [*own, *theirs]
    assert read_back(hq.fine("hq", "keys", "show")) == [*own, *theirs]


def test_what_headquarters_hands_out_is_a_key_file_and_what_people_read_goes_beside_it(
    cabinet: Terminal, hq: Terminal, tmp_path: Path
) -> None:
    file = written(tmp_path / "cabinet.keys", cabinet.fine("keys", "show"))
    (own,) = keys.own(cabinet.folder, keys.LOG_KEY)
    first, again = hq.type("hq", "cabinet", "add", file), hq.type("hq", "cabinet", "add", file)
    for said in (first, again):
        assert read_back(said.out) == keys.own(hq.folder, keys.WITNESS_KEY)
        assert str(own) in said.err
    assert first.err != again.err


def test_keys_may_come_by_standard_input(cabinet: Terminal, hq: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = cabinet.fine("keys", "show")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(shown.encode())))
    handed = hq.fine("hq", "cabinet", "add", "-")
    # As an editor on another system leaves a file.
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(handed.replace("\n", "\r\n").encode())))
    cabinet.fine("keys", "trust", "-")
    assert keys.trusted(cabinet.folder) == keys.own(hq.folder, keys.WITNESS_KEY)


def test_what_came_by_standard_input_and_is_no_key_is_told(hq: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"nothing")))
    assert "L’entrée standard" in hq.refused("hq", "cabinet", "add", "-")


STRANGE = {
    "empty": b"",
    "only a remark": b"# a key file\n\n",
    "no text": b"\xff\xfe\x00",
    "no key": b"a line\n",
    "a damaged key": f"{LOG_KEY.verifier}".replace("armoire-7", "armoire-8").encode(),
    "a secret key": LOG_KEY.text.encode(),
    "neither a cabinet's nor headquarters'": str(
        SigningKey.generate("example.org/log", Kind.ED25519).verifier
    ).encode(),
}


@pytest.mark.parametrize("content", STRANGE.values(), ids=STRANGE.keys())
def test_a_file_without_the_expected_keys_changes_nothing(
    cabinet: Terminal, hq: Terminal, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "strange"
    file.write_bytes(content)
    before = keys.public(cabinet.folder)
    assert str(file) in hq.refused("hq", "cabinet", "add", file)
    assert str(file) in cabinet.refused("keys", "trust", file)
    assert (keys.public(cabinet.folder), keys.trusted(cabinet.folder)) == (before, [])
    assert keys.logs(read_back(hq.fine("hq", "keys", "show"))) == []


def test_each_end_refuses_the_others_file(cabinet: Terminal, hq: Terminal, tmp_path: Path) -> None:
    (theirs,) = keys.own(hq.folder, keys.WITNESS_KEY)
    hq.refused("hq", "cabinet", "add", written(tmp_path / "hq.keys", f"{theirs}\n"))
    cabinet.refused("keys", "trust", written(tmp_path / "cabinet.keys", cabinet.fine("keys", "show")))


def test_the_file_for_verifiers_which_holds_retired_keys_is_taken_at_neither_end(
    cabinet: Terminal, hq: Terminal, tmp_path: Path
) -> None:
    introduced(cabinet, hq, tmp_path)
    retire(hq, "hq")
    introduced(cabinet, hq, tmp_path)
    before = keys.trusted(cabinet.folder)
    verifiers = written(tmp_path / "all.keys", hq.fine("hq", "keys", "show"))
    assert "kiosk hq keys current" in cabinet.refused("keys", "trust", verifiers)
    hq.refused("hq", "cabinet", "add", verifiers)
    assert keys.trusted(cabinet.folder) == before == keys.own(hq.folder, keys.WITNESS_KEY)


def test_a_headquarters_without_a_key_lets_nobody_in(cabinet: Terminal, hq: Terminal, tmp_path: Path) -> None:
    file = written(tmp_path / "cabinet.keys", cabinet.fine("keys", "show"))
    kept = (hq.folder / keys.WITNESS_KEY).rename(tmp_path / "kept.key")
    assert "kiosk hq init" in hq.refused("hq", "cabinet", "add", file)
    kept.rename(hq.folder / keys.WITNESS_KEY)
    with inside(hq.folder) as (central, _):
        assert central.answers() == {}


# ---- what is kept, and from whom


def test_headquarters_key_is_made_once(hq: Terminal) -> None:
    before = {path.name: path.read_bytes() for path in hq.folder.iterdir()}
    assert str(hq.folder / keys.WITNESS_KEY) in hq.refused("hq", "init")
    assert {path.name: path.read_bytes() for path in hq.folder.iterdir()} == before


def test_settings_that_are_there_outlive_the_making_of_headquarters(cabinet: Terminal) -> None:
    before = (cabinet.folder / FILE).read_bytes()
    cabinet.fine("hq", "init")
    assert (cabinet.folder / FILE).read_bytes() == before


def test_secret_keys_are_their_owners_alone_and_never_printed(cabinet: Terminal, hq: Terminal, tmp_path: Path) -> None:
    said, secrets = "", set()
    introduced(cabinet, hq, tmp_path)
    for terminal, file, group in ((cabinet, keys.LOG_KEY, ["keys"]), (hq, keys.WITNESS_KEY, ["hq", "keys"])):
        for command in ("show", "rotate", "show", "retire", "show"):
            secrets |= {line.split("+", 4)[4] for line in (terminal.folder / file).read_text().split()}
            told = terminal.type(*group, command)
            said += told.out + told.err
            assert stat.S_IMODE((terminal.folder / file).stat().st_mode) == 0o600
    assert len(secrets) == 4
    said += "".join(path.read_text() for path in tmp_path.glob("*.keys"))
    said += (cabinet.folder / keys.VERIFIER_KEYS).read_text() + (hq.folder / keys.VERIFIER_KEYS).read_text()
    assert "PRIVATE" not in said
    assert [secret for secret in secrets if secret in said] == []


@pytest.mark.parametrize("content", [b"", b"nothing of ours\n", b"\xff\xfe"])
def test_a_damaged_secret_key_is_told_and_left_alone(cabinet: Terminal, content: bytes) -> None:
    (cabinet.folder / keys.LOG_KEY).write_bytes(content)
    for command in ("show", "rotate", "retire"):
        assert str(cabinet.folder / keys.LOG_KEY) in cabinet.refused("keys", command)
    assert (cabinet.folder / keys.LOG_KEY).read_bytes() == content


def test_a_missing_secret_key_is_told_with_its_remedy(cabinet: Terminal, hq: Terminal) -> None:
    (cabinet.folder / keys.LOG_KEY).unlink()
    (hq.folder / keys.WITNESS_KEY).unlink()
    for command in ("show", "rotate", "retire"):
        assert "kiosk restore" in cabinet.refused("keys", command)
    for line in (("keys", "rotate"), ("keys", "retire"), ("subscribe",)):
        assert "kiosk hq init" in hq.refused("hq", *line)


# ---- changing keys


def test_the_only_key_is_never_retired(cabinet: Terminal, hq: Terminal) -> None:
    for terminal, file, group in ((cabinet, keys.LOG_KEY, ["keys"]), (hq, keys.WITNESS_KEY, ["hq", "keys"])):
        before = (terminal.folder / file).read_bytes()
        terminal.fine(*group, "retire")
        assert (terminal.folder / file).read_bytes() == before


def test_a_retired_key_signs_no_more_and_its_public_half_stays(cabinet: Terminal, hq: Terminal) -> None:
    for terminal, file, group in ((cabinet, keys.LOG_KEY, ["keys"]), (hq, keys.WITNESS_KEY, ["hq", "keys"])):
        (old,) = keys.own(terminal.folder, file)
        terminal.fine(*group, "rotate")
        old_again, new = keys.own(terminal.folder, file)
        assert old_again == old
        terminal.fine(*group, "retire")
        assert keys.own(terminal.folder, file) == [new]
        assert keys.public(terminal.folder) == [old, new]


def retire(terminal: Terminal, *group: str) -> None:
    """Change the key at one end, without an overlap."""
    for command in ("rotate", "retire"):
        terminal.fine(*group, "keys", command)


def test_headquarters_hands_out_the_keys_that_it_signs_with_and_tells_verifiers_of_all(
    cabinet: Terminal, hq: Terminal, tmp_path: Path
) -> None:
    file = written(tmp_path / "cabinet.keys", cabinet.fine("keys", "show"))
    retire(hq, "hq")
    for command in (("cabinet", "add", file), ("keys", "current")):
        assert read_back(hq.fine("hq", *command)) == keys.own(hq.folder, keys.WITNESS_KEY)
    assert len(keys.witnesses(read_back(hq.fine("hq", "keys", "show")))) == 2


def test_a_cabinet_believes_the_keys_that_it_was_given_last_and_verifies_with_all(
    cabinet: Terminal, hq: Terminal, tmp_path: Path
) -> None:
    assert keys.trusted(cabinet.folder) == []
    introduced(cabinet, hq, tmp_path)
    (old,) = keys.trusted(cabinet.folder)
    hq.fine("hq", "keys", "rotate")
    cabinet.fine("keys", "trust", written(tmp_path / "hq.keys", hq.fine("hq", "keys", "current")))
    assert keys.trusted(cabinet.folder) == keys.own(hq.folder, keys.WITNESS_KEY)
    hq.fine("hq", "keys", "retire")
    said = cabinet.fine("keys", "trust", written(tmp_path / "hq.keys", hq.fine("hq", "keys", "current")))
    (new,) = keys.trusted(cabinet.folder)
    assert str(new) in said
    assert str(old) not in said
    assert keys.witnesses(keys.public(cabinet.folder)) == [old, new]


def test_headquarters_says_which_keys_of_a_cabinet_count_and_which_no_longer(
    cabinet: Terminal, hq: Terminal, tmp_path: Path
) -> None:
    introduced(cabinet, hq, tmp_path)
    (old,) = keys.own(cabinet.folder, keys.LOG_KEY)
    cabinet.fine("keys", "rotate")
    file = written(tmp_path / "cabinet.keys", cabinet.fine("keys", "show"))
    told = hq.type("hq", "cabinet", "add", file).err
    _, new = keys.own(cabinet.folder, keys.LOG_KEY)
    assert t("cli.hq.cabinet.known", key=old) in told
    assert t("cli.hq.cabinet.added", key=new) in told
    cabinet.fine("keys", "retire")
    told = hq.type("hq", "cabinet", "add", written(file, cabinet.fine("keys", "show"))).err
    assert t("cli.hq.cabinet.known", key=new) in told
    assert t("cli.hq.cabinet.retired", key=old) in told
    assert keys.logs(read_back(hq.fine("hq", "keys", "show"))) == [old, new], "verifiers need both"
    with inside(hq.folder) as (central, _):
        assert central.log_keys(*node_and_stream(new.name)) == [new]


def test_a_journal_is_closed_by_its_name_and_nothing_of_it_counts_any_more(
    cabinet: Terminal, hq: Terminal, tmp_path: Path
) -> None:
    introduced(cabinet, hq, tmp_path)
    (key,) = keys.own(cabinet.folder, keys.LOG_KEY)
    assert str(key) in hq.fine("hq", "cabinet", "close", key.name)
    for name in (key.name, "armoire-9", "trousseau/armoire-9/another"):
        assert name in hq.refused("hq", "cabinet", "close", name)
    assert keys.logs(read_back(hq.fine("hq", "keys", "show"))) == [key]
    with inside(hq.folder) as (central, _):
        assert central.log_keys(*node_and_stream(key.name)) == []
