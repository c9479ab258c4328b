"""`kiosk verify`: check proofs offline, with public keys only, in words for people.

Where Trousseau is not installed `python -m kiosk.ledger.verify` checks the same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from kiosk import keys
from kiosk.cli.progress import bar
from kiosk.cli.texts import t, terminal_language
from kiosk.domain.errors import ForeignKey, NoVerifierKeys
from kiosk.ledger import verify as ledger
from kiosk.ledger.checkpoint import node_and_stream
from kiosk.ledger.errors import BadKey, Unproven
from kiosk.ledger.verify import Keyring, Verdict, printable
from web.proof import Checked, Words, page

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(help=t("cli.verify.help"))
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=_FILE)
@click.option("--keys", "key_file", type=_FILE, help=t("cli.verify.keys"))
@click.option("--page", "page_file", type=click.Path(path_type=Path, dir_okay=False), help=t("cli.verify.page"))
@click.pass_obj
def verify(folder: Path, files: Sequence[Path], key_file: Path | None, page_file: Path | None) -> None:
    """Say what each file proves; exit 1 when one of them does not hold, and write no page then."""
    keyring = _keyring(key_file or folder / keys.VERIFIER_KEYS)
    proven = [_prove(file, keyring) for file in files]
    if not all(proven):
        sys.exit(1)
    if page_file is not None:
        found = [
            Checked(printable(file.name), verdict)
            for file, verdicts in zip(files, proven, strict=True)
            for verdict in verdicts
        ]
        _write(page_file, page(found, keyring, terminal_language(), datetime.now(UTC)))


def _keyring(path: Path) -> Keyring:
    try:
        return Keyring.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError as e:
        raise NoVerifierKeys(path=str(path)) from e
    except (BadKey, UnicodeDecodeError) as e:
        raise ForeignKey(path=str(path)) from e
    except OSError as e:
        raise click.FileError(str(path), e.strerror) from e


def _prove(file: Path, keyring: Keyring) -> Sequence[Verdict]:
    """Print what a file proves; nothing is returned where it proves nothing."""
    try:
        with bar(t("cli.verifying")) as progress:
            verdicts = ledger.verify(file, keyring, progress)
    except Unproven as e:
        click.echo(t("cli.verify.unproven", file=_name(file), why=" ".join(_reasons(e))), err=True)
        return ()
    except OSError as e:
        raise click.FileError(_name(file), printable(e.strerror or str(e))) from e
    for verdict in verdicts:
        click.echo("\n  ".join(_sentences(file, verdict, Words(terminal_language()))))
    return verdicts


def _reasons(unproven: Unproven) -> Iterator[str]:
    yield t(f"cli.fault.{unproven.fault.name.lower()}")
    if unproven.origin is not None:
        yield t("cli.verify.log", log=unproven.origin)
    if unproven.entry is not None:
        yield t("cli.verify.place", entry=unproven.entry)


def _sentences(file: Path, verdict: Verdict, words: Words) -> Iterator[str]:
    """What was checked, who has seen it and when, and what nobody has seen yet. What others wrote cannot pass for a sentence."""
    node, _ = node_and_stream(verdict.origin)
    yield t(f"cli.verify.{verdict.form}", file=_name(file))
    yield t("cli.verify.cabinet", node=node, log=verdict.origin)
    if verdict.entry is None:
        yield t("cli.verify.entries", entries=words.number(verdict.entries))
    else:
        entry = verdict.entry
        yield t("cli.verify.entry", number=words.number(entry.sequence), at=words.moment(entry.time))
        yield t("cli.verify.act", act=words.event(entry.type), subject=printable(entry.subject))
        yield t("cli.verify.digest", digest=verdict.digest)
    yield (
        t("cli.verify.not_signed") if verdict.size is None else t("cli.verify.signed", size=words.number(verdict.size))
    )
    if verdict.seen is not None:
        seen = verdict.seen
        witness, size, at = printable(seen.witness), words.number(seen.size), words.moment(seen.at)
        yield t("cli.verify.seen", witness=witness, size=size, at=at)
    if verdict.unwitnessed:
        yield t("cli.verify.unwitnessed", count=words.number(verdict.unwitnessed))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise click.FileError(str(path), e.strerror) from e
    click.echo(t("cli.verify.written", file=_name(path)))


def _name(file: Path) -> str:
    return printable(str(file))
