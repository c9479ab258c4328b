"""What a verifier says of honest files, from Python and from a shell that has the standard library and cryptography alone."""

import importlib.util
import os
import shutil
import sqlite3
import subprocess
import sys
import tracemalloc
from contextlib import closing
from pathlib import Path

import cryptography
import pytest

import kiosk
from kiosk.ledger.checkpoint import WITNESS, Refusal, cosign, sign_refusal
from kiosk.ledger.entry import digest, unseal
from kiosk.ledger.errors import BadKey, Fault, Unproven
from kiosk.ledger.note import Kind, SigningKey
from kiosk.ledger.verify import Form, Keyring, Seen, Verdict, main, verify
from tests.attack.logs import (
    LOG,
    LOG_KEY,
    MORNING,
    NODE,
    STREAM,
    WITNESS_KEY,
    a_log,
    cabinet,
    continued,
    export,
    headquarters,
    insert_stream,
    keyring,
    receipt,
    signed,
    tampered,
    verdict,
    verified,
    witnessed,
)

BODIES = a_log(40)
SEEN = Seen(WITNESS, MORNING, 40)


# ---- verdicts


def test_a_receipt_proves_its_entry_and_tells_who_has_seen_it(tmp_path: Path) -> None:
    found = verdict(tmp_path, receipt(BODIES, 16, witnessed(BODIES)).encode())
    assert found == Verdict(Form.RECEIPT, LOG, 1, 40, SEEN, 0, unseal(BODIES[16]), digest(BODIES[16]))


def test_a_receipt_that_nobody_has_seen_yet_says_so(tmp_path: Path) -> None:
    found = verdict(tmp_path, receipt(BODIES, 16, signed(BODIES)).encode())
    assert (found.size, found.seen, found.unwitnessed) == (40, None, 1)


def test_every_entry_of_logs_of_every_size_has_its_receipt(tmp_path: Path) -> None:
    for size in (1, 2, 3, 7, 8, 40):
        note = witnessed(BODIES[:size])
        for index in range(size):
            assert verdict(tmp_path, receipt(BODIES[:size], index, note).encode()).entry == unseal(BODIES[index])


def test_an_export_proves_the_whole_log(tmp_path: Path) -> None:
    assert verdict(tmp_path, export(BODIES, witnessed(BODIES))) == Verdict(Form.EXPORT, LOG, 40, 40, SEEN, 0)


def test_an_export_of_an_empty_log_proves_that_it_is_empty(tmp_path: Path) -> None:
    found = verdict(tmp_path, export([], witnessed([])))
    assert found == Verdict(Form.EXPORT, LOG, 0, 0, Seen(WITNESS, MORNING, 0), 0)


def test_entries_beyond_the_witnessed_head_are_counted_as_not_witnessed(tmp_path: Path) -> None:
    found = verdict(tmp_path, export(BODIES, witnessed(BODIES[:33])))
    assert (found.entries, found.size, found.seen, found.unwitnessed) == (40, 33, Seen(WITNESS, MORNING, 33), 7)


def test_without_a_cosignature_nothing_is_witnessed(tmp_path: Path) -> None:
    found = verdict(tmp_path, export(BODIES, signed(BODIES)))
    assert (found.size, found.seen, found.unwitnessed) == (40, None, 40)


def test_whoever_does_not_know_headquarters_key_takes_nothing_as_witnessed(tmp_path: Path) -> None:
    found = verdict(tmp_path, export(BODIES, witnessed(BODIES)), LOG_KEY)
    assert (found.seen, found.unwitnessed) == (None, 40)


def test_a_cabinets_journal_is_verified_as_it_lies_there(tmp_path: Path) -> None:
    path = cabinet(tmp_path / "cabinet.db", BODIES, witnessed(BODIES[:32]))
    assert verified(path) == [Verdict(Form.JOURNAL, LOG, 40, 32, Seen(WITNESS, MORNING, 32), 8)]


def test_a_cabinets_journal_that_headquarters_never_saw_is_whole_and_not_witnessed(tmp_path: Path) -> None:
    path = cabinet(tmp_path / "cabinet.db", BODIES, None)
    assert verified(path) == [Verdict(Form.JOURNAL, LOG, 40, None, None, 40)]


def test_a_new_cabinets_journal_has_a_verdict_too(tmp_path: Path) -> None:
    path = cabinet(tmp_path / "cabinet.db", [], None)
    assert verified(path) == [Verdict(Form.JOURNAL, LOG, 0, None, None, 0)]


def test_an_emptied_journal_is_not_called_proven(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "keys").write_text(str(LOG_KEY.verifier))
    path = cabinet(tmp_path / "cabinet.db", [], None)
    assert main(["--keys", str(tmp_path / "keys"), str(path)]) == 0
    assert capsys.readouterr().out == f"unseen journal log={LOG} entries=0 unwitnessed=0 {path}\n"


def test_every_journal_at_headquarters_gets_a_verdict(tmp_path: Path) -> None:
    path = headquarters(tmp_path / "hq.db", BODIES, witnessed(BODIES))
    with closing(sqlite3.connect(path)) as connection, connection:
        insert_stream(connection, "a-new-stream", [], None)
    assert verified(path) == [
        Verdict(Form.JOURNAL, LOG, 40, 40, SEEN, 0),
        Verdict(Form.JOURNAL, f"trousseau/{NODE}/a-new-stream", 0, None, None, 0),
    ]


def test_a_journal_of_many_pages_is_read_to_its_end(tmp_path: Path) -> None:
    long = a_log(2_500)
    told: list[tuple[int, int]] = []
    path = cabinet(tmp_path / "cabinet.db", long, witnessed(long))
    (found,) = verify(path, keyring(), lambda done, total: told.append((done, total)))
    assert (found.entries, found.unwitnessed) == (2_500, 0)
    assert told == [(1_000, 2_500), (2_000, 2_500), (2_500, 2_500)]


def test_verifying_writes_nothing(tmp_path: Path) -> None:
    path = cabinet(tmp_path / "cabinet.db", BODIES, witnessed(BODIES))
    before = path.read_bytes()
    verified(path)
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == before


def test_a_cabinet_records_while_its_journal_is_verified(tmp_path: Path) -> None:
    long = a_log(2_500)
    path = cabinet(tmp_path / "cabinet.db", long, witnessed(long))

    def record(_done: int, _total: int) -> None:
        with closing(sqlite3.connect(path, timeout=0)) as connection, connection:
            connection.execute("INSERT INTO visits VALUES (hex(randomblob(8)), 'p', 'low', 't', '', '', NULL)")

    assert verify(path, keyring(), record)[0].entries == 2_500


@pytest.mark.parametrize("form", Form)
def test_memory_does_not_grow_with_the_log(tmp_path: Path, form: Form) -> None:
    log = a_log(8_000)
    shorter, longer = (peak(tmp_path / f"{size}", form, log[:size]) for size in (2_500, 8_000))
    assert longer < shorter + 100_000


def peak(path: Path, form: Form, bodies: list[bytes]) -> int:
    note = witnessed(bodies)
    if form is Form.JOURNAL:
        cabinet(path, bodies, note)
    else:
        path.write_bytes(export(bodies, note) if form is Form.EXPORT else receipt(bodies, 7, note).encode())
    tracemalloc.start()
    try:
        verified(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# ---- rotation


def test_after_a_rotation_of_every_key_what_the_old_keys_signed_is_still_proven(tmp_path: Path) -> None:
    next_log, next_witness = (
        type(LOG_KEY).generate(LOG, Kind.ED25519),
        type(LOG_KEY).generate(WITNESS, Kind.COSIGNATURE),
    )
    every_key = (LOG_KEY, WITNESS_KEY, next_log, next_witness)
    old = receipt(BODIES, 3, witnessed(BODIES)).encode()
    during = export(BODIES, cosign(signed(BODIES, LOG_KEY, next_log), [WITNESS_KEY, next_witness], MORNING))
    after = export(BODIES, cosign(signed(BODIES, next_log), [next_witness], MORNING))
    for file in (old, during, after):
        assert verdict(tmp_path, file, *every_key).unwitnessed == 0
    for keys in ((LOG_KEY, WITNESS_KEY), (next_log, next_witness), (LOG_KEY, next_witness)):
        assert verdict(tmp_path, during, *keys).unwitnessed == 0
    with pytest.raises(Unproven) as e:
        verdict(tmp_path, after, LOG_KEY, WITNESS_KEY)
    assert e.value.fault is Fault.UNKNOWN_KEY


# ---- key files


def test_a_key_file_has_a_key_on_each_line_and_comments() -> None:
    text = f"# a cabinet\r\n{LOG_KEY.verifier}\n\n  {WITNESS_KEY.verifier}  \n#{LOG_KEY.verifier}"
    assert Keyring.parse(text) == Keyring((LOG_KEY.verifier,), (WITNESS_KEY.verifier,))


def test_headquarters_key_for_refusals_may_stand_in_a_key_file_and_proves_no_log(tmp_path: Path) -> None:
    refusals = WITNESS_KEY.as_kind(Kind.ED25519)
    assert verdict(tmp_path, export(BODIES, witnessed(BODIES)), LOG_KEY, WITNESS_KEY, refusals).unwitnessed == 0
    with pytest.raises(Unproven) as e:
        verdict(tmp_path, export(BODIES, witnessed(BODIES)), WITNESS_KEY, refusals)
    assert e.value.fault is Fault.UNKNOWN_KEY


def test_a_key_file_with_anything_else_in_it_is_refused() -> None:
    for line in ("x", LOG_KEY.text, f"{LOG_KEY.verifier} {WITNESS_KEY.verifier}"):
        with pytest.raises(BadKey):
            Keyring.parse(f"{WITNESS_KEY.verifier}\n{line}\n")


# ---- not ours


@pytest.mark.parametrize("content", [b"", b"x", b"PK\x03\x04", b"c2sp.org/tlog-proof@v2\n", b"\xff\xfe{"])
def test_a_file_of_another_kind_is_not_ours(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(Unproven) as e:
        verdict(tmp_path, content)
    assert e.value.fault is Fault.NOT_OURS


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE books (title TEXT)", "CREATE VIEW entries AS SELECT 'armoire-7' AS node, 's' AS stream"],
        ["CREATE TABLE meta (name TEXT, value TEXT)", "INSERT INTO meta VALUES ('node', 'armoire-7'), ('stream', 's')"],
        ["CREATE TABLE entries (node TEXT, stream TEXT)"],
    ],
    ids=["other tables", "no entries", "no journal"],
)
def test_another_programs_database_is_not_ours(tmp_path: Path, statements: list[str]) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    with pytest.raises(Unproven) as e:
        verified(path)
    assert e.value.fault is Fault.NOT_OURS


def test_a_refusal_is_no_proof(tmp_path: Path) -> None:
    refusal = Refusal(LOG, 40, b"\x01" * 32, 40, b"\x02" * 32, MORNING)
    with pytest.raises(Unproven) as e:
        verdict(tmp_path, b"\n" + sign_refusal(refusal, [WITNESS_KEY]))
    assert e.value.fault is Fault.MALFORMED


# ---- the command, in a folder that holds nothing but itself


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this room of the house, and of other people's packages cryptography and what it stands on."""
    folder = tmp_path_factory.mktemp("alone")
    rooms = Path(kiosk.__file__).parent
    (folder / "kiosk").mkdir()
    shutil.copy(rooms / "__init__.py", folder / "kiosk")
    shutil.copytree(rooms / "ledger", folder / "kiosk" / "ledger", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "cryptography").symlink_to(Path(cryptography.__file__).parent)
    cffi = importlib.util.find_spec("_cffi_backend")
    assert cffi is not None
    assert cffi.origin is not None
    (folder / Path(cffi.origin).name).symlink_to(cffi.origin)
    (folder / "keys").write_text(f"{LOG_KEY.verifier}\n{WITNESS_KEY.verifier}\n")
    (folder / "receipt.tlog-proof").write_bytes(receipt(BODIES, 16, witnessed(BODIES)).encode())
    (folder / "export").write_bytes(export(continued(BODIES, 42), witnessed(BODIES)))
    cabinet(folder / "cabinet.db", BODIES, witnessed(BODIES))
    (folder / "edited").write_bytes(export([*BODIES[:9], *BODIES[8:]], witnessed(BODIES)))
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # -S: no site-packages. Whatever cannot be imported from the folder or the standard library is missed at once.
    command = [sys.executable, "-S", "-W", "error", "-m", "kiosk.ledger.verify", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_needs_the_standard_library_and_cryptography_alone(alone: Path) -> None:
    done = run(alone, "--keys", "keys", "receipt.tlog-proof", "export", "cabinet.db")
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"proven receipt log={LOG} entries=1 signed=40 id={NODE}:{STREAM}:17 sha256={digest(BODIES[16])} "
        "seen=40 by=trousseau/hq at=2026-11-23T06:00:00Z unwitnessed=0 receipt.tlog-proof",
        f"unseen export log={LOG} entries=42 signed=40 "
        "seen=40 by=trousseau/hq at=2026-11-23T06:00:00Z unwitnessed=2 export",
        f"proven journal log={LOG} entries=40 signed=40 "
        "seen=40 by=trousseau/hq at=2026-11-23T06:00:00Z unwitnessed=0 cabinet.db",
    ]
    assert done.returncode == 0


def test_the_command_says_what_does_not_hold_and_goes_on(alone: Path) -> None:
    done = run(alone, "--keys", "keys", "edited", "receipt.tlog-proof")
    assert done.stdout.splitlines()[0] == f"unproven inserted log={LOG} entry=10 edited"
    assert done.stdout.splitlines()[1].startswith("proven receipt")
    assert done.returncode == 1


def test_what_cannot_be_read_is_said_on_the_error_channel(alone: Path) -> None:
    done = run(alone, "--keys", "keys", "missing", "edited")
    assert "missing" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.startswith("unproven")
    assert done.returncode == 2


def test_no_name_of_a_file_or_a_key_looks_like_another_word_or_steers_the_terminal(alone: Path) -> None:
    witness = SigningKey.generate("hq\u202e", Kind.COSIGNATURE)
    (alone / "other.keys").write_text(f"{LOG_KEY.verifier}\n{witness.verifier}\n")
    names = ["a\nproven receipt", "b unwitnessed=0\x1b[2K"]
    (alone / names[0]).write_bytes(receipt(BODIES, 16, cosign(signed(BODIES), [witness], MORNING)).encode())
    (alone / names[1]).write_bytes(b"nothing of ours")
    proven, unproven = run(alone, "--keys", "other.keys", *names).stdout.splitlines()
    assert r" by=hq\u202e " in proven
    assert proven.endswith(r" unwitnessed=0 a\nproven\x20receipt")
    assert unproven == r"unproven not-ours b\x20unwitnessed=0\x1b[2K"
    tampered(alone / "c\x1b[2K.db", "CREATE TABLE entries (title TEXT)")
    for broken in (run(alone, "--keys", "keys", "c\x1b[2K.db"), run(alone, "--keys", "c\x1b[2K", "export")):
        assert broken.returncode == 2
        assert "\x1b" not in broken.stderr


@pytest.mark.parametrize("keys", ["missing", "edited"])
def test_without_a_key_file_nothing_is_checked(alone: Path, keys: str) -> None:
    done = run(alone, "--keys", keys, "export")
    assert (done.stdout, done.returncode) == ("", 2)
    assert "Traceback" not in done.stderr


def test_a_percentage_is_shown_to_whoever_watches(
    alone: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--keys", str(alone / "keys"), str(alone / "export")]
    assert main(arguments) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(arguments) == 0
    assert "100 %" in capsys.readouterr().err
