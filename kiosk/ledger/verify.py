"""What anybody runs to check a receipt, an export or a journal, offline and with public keys only.

    python -m kiosk.ledger.verify --keys FILE FILE…

needs this folder, the standard library and `cryptography`. It believes the public keys in the key file, and nothing else:

    * Each log key says that the cabinet whose log bears its name wrote these entries in this order.
    * Each witness key says that headquarters has held the same entries up to a size, since a time. What is newer may have been
      rewritten before anybody else saw it, and is counted as not witnessed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from kiosk.ledger import export, journal, receipt
from kiosk.ledger.chain import follow
from kiosk.ledger.checkpoint import Checkpoint, node_and_stream, open_cosigned, open_signed, origin
from kiosk.ledger.entry import Entry, digest, unseal
from kiosk.ledger.errors import BadKey, Fault, LedgerError, UnknownKey, Unproven
from kiosk.ledger.merkle import leaf_hash, root_from_inclusion
from kiosk.ledger.note import Kind, Note, VerifierKey
from kiosk.ledger.receipt import LARGEST_RECEIPT, Receipt

Progress = Callable[[int, int], None]
"""Called with how much is done, and of how much."""


@dataclass(frozen=True, slots=True)
class Keyring:
    """The public keys that a verifier believes: of logs, and of the witness."""

    logs: tuple[VerifierKey, ...]
    witnesses: tuple[VerifierKey, ...]

    @classmethod
    def parse(cls, text: str) -> Keyring:
        """Read a key file: a key on each line; empty lines and those that begin with `#` say nothing.

        Raises:
            BadKey: a line is something else.
        """
        lines = [line.strip() for line in text.split("\n")]
        keys = [VerifierKey.parse(line) for line in lines if line and not line.startswith("#")]
        return cls(
            tuple(key for key in keys if key.kind is Kind.ED25519),
            tuple(key for key in keys if key.kind is Kind.COSIGNATURE),
        )


class Form(StrEnum):
    """What kind of file it is."""

    RECEIPT = "receipt"
    EXPORT = "export"
    JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class Seen:
    """Which witness has signed for how many entries, and when: seconds since 1970."""

    witness: str
    at: int
    size: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a file proves about one log.

    `entries` were checked; the head that the cabinet signed covers `size` of its log, None without one; `seen` is None when no
    witness has signed. `unwitnessed` of the entries are the cabinet's word alone. A receipt tells its one entry and its digest.
    """

    form: Form
    origin: str
    entries: int
    size: int | None
    seen: Seen | None
    unwitnessed: int
    entry: Entry | None = None
    digest: str | None = None


def verify(path: Path, keyring: Keyring, progress: Progress) -> list[Verdict]:
    """Check a file, which is a receipt, an export or a journal by its first bytes; one verdict for each log in it.

    A process that has a journal open itself must not verify that file: closing it here would let go of SQLite's locks on it.

    Raises:
        Unproven: it does not hold; what is wrong and where.
        OSError: it cannot be read.
    """
    with path.open("rb") as file, _about(None):
        first = file.read(len(receipt.FIRST_LINE))
        if first.startswith(journal.FIRST_BYTES):
            return _journal(path, keyring, progress)
        if first == receipt.FIRST_LINE:
            return [verify_receipt(first + file.read(LARGEST_RECEIPT), keyring)]
        if first.startswith((b"{", b"\n")):
            return [_export(file, keyring, progress)]
    raise Unproven(Fault.NOT_OURS)


def verify_receipt(found: bytes, keyring: Keyring) -> Verdict:
    """Check a receipt that is at hand.

    Raises:
        Unproven: it does not hold; what is wrong.
    """
    with _about(None):
        return _receipt(found, keyring)


def _receipt(found: bytes, keyring: Keyring) -> Verdict:
    proof = Receipt.parse(found)
    entry = unseal(proof.entry)
    its_log = _named(origin(entry.node, entry.stream))
    with _about(its_log, entry.sequence):
        head, seen = _believed(proof.checkpoint, its_log, keyring)
        root = root_from_inclusion(leaf_hash(proof.entry), proof.index, head.size, proof.path)
        # The first entry stands at 0.
        if root != head.root or entry.sequence != proof.index + 1:
            raise Unproven(Fault.BAD_PROOF, its_log, entry.sequence)
    return Verdict(Form.RECEIPT, its_log, 1, head.size, seen, 0 if seen else 1, entry, digest(proof.entry))


def _export(file: BinaryIO, keyring: Keyring, progress: Progress) -> Verdict:
    note, end = export.read_head(file)
    its_log = _named(Checkpoint.parse(Note.parse(note).text).origin)
    head, seen = _believed(note, its_log, keyring)
    entries = follow(export.read_entries(file, end, progress), its_log, head)
    return _verdict(Form.EXPORT, its_log, entries, head, seen)


def _journal(path: Path, keyring: Keyring, progress: Progress) -> list[Verdict]:
    with journal.opened(path) as connection:
        return [
            _stream(journal.read_journal(connection, node, stream, progress), origin(node, stream), note, keyring)
            for (node, stream), note in journal.logs(connection).items()
        ]


def _stream(bodies: Iterator[bytes], name: str, note: bytes | None, keyring: Keyring) -> Verdict:
    its_log = _named(name)
    head, seen = _believed(note, its_log, keyring) if note else (None, None)
    return _verdict(Form.JOURNAL, its_log, follow(bodies, its_log, head), head, seen)


def _verdict(form: Form, its_log: str, entries: int, head: Checkpoint | None, seen: Seen | None) -> Verdict:
    return Verdict(form, its_log, entries, head.size if head else None, seen, entries - (seen.size if seen else 0))


def _named(its_log: str) -> str:
    # What has not the form of our names is never shown: a terminal might obey it.
    node_and_stream(its_log)
    return its_log


def _believed(note: bytes, its_log: str, keyring: Keyring) -> tuple[Checkpoint, Seen | None]:
    """The head that the cabinet signed, and the witness that has seen it."""
    with _about(its_log):
        head = open_signed(note, its_log, keyring.logs)
        try:
            cosigned = open_cosigned(note, its_log, keyring.witnesses)
        except UnknownKey:
            return head, None
    return head, Seen(cosigned.witness, cosigned.at, cosigned.checkpoint.size)


@contextmanager
def _about(its_log: str | None, entry: int | None = None) -> Iterator[None]:
    try:
        yield
    except LedgerError as e:
        raise Unproven(e.fault, its_log, entry) from e


# ---- the command: words for experts and scripts, the same in every language


def printable(text: str) -> str:
    """What a stranger has written, harmless on a terminal: what would steer it, or hide or turn what is shown, is spelt out."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Check files and print a line for each log; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m kiosk.ledger.verify",
        description="Check receipts, exports and journals against public keys.",
        epilog="Exit code: 0 when nothing is wrong (a line that begins with « unseen » counts what no witness has seen), "
        "1 when something does not hold, 2 when something cannot be read.",
    )
    parser.add_argument(
        "--keys", type=Path, required=True, metavar="FILE", help="the public keys to believe, one a line"
    )
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE", help="what to check")
    given = parser.parse_args(arguments)
    try:
        keyring = Keyring.parse(given.keys.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, BadKey) as e:
        parser.error(printable(f"{given.keys}: {e}"))
    return max(_checked(path, keyring) for path in given.files)


def _checked(path: Path, keyring: Keyring) -> int:
    try:
        for verdict in verify(path, keyring, _shown if sys.stderr.isatty() else _unseen):
            print(_line(*_words(verdict), path))
    except Unproven as e:
        place = [f"log={e.origin}"] if e.origin else []
        place += [f"entry={e.entry}"] if e.entry else []
        print(_line("unproven", e.fault, *place, path))
        return 1
    except OSError as e:
        print(printable(str(e)), file=sys.stderr)
        return 2
    return 0


def _line(*words: object) -> str:
    """Words on a line. None can look like two, whatever somebody called a file or a key."""
    return " ".join(printable(str(word)).replace(" ", r"\x20") for word in words)


def _words(verdict: Verdict) -> list[str]:
    words = [
        "proven" if verdict.seen and not verdict.unwitnessed else "unseen",
        verdict.form,
        f"log={verdict.origin}",
        f"entries={verdict.entries}",
    ]
    if verdict.size is not None:
        words.append(f"signed={verdict.size}")
    if verdict.entry:
        words += [f"id={verdict.entry.id}", f"sha256={verdict.digest}"]
    if verdict.seen:
        at = datetime.fromtimestamp(verdict.seen.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        words += [f"seen={verdict.seen.size}", f"by={verdict.seen.witness}", f"at={at}"]
    return [*words, f"unwitnessed={verdict.unwitnessed}"]


def _shown(done: int, total: int) -> None:
    end = "\r" if done < total else "\r\x1b[K"
    print(f"{100 * done // max(1, total)} %", end=end, file=sys.stderr, flush=True)


def _unseen(done: int, total: int) -> None:
    """Nobody is watching."""


if __name__ == "__main__":
    sys.exit(main())
