"""The page for a client: what it says, and what it never says."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kiosk.domain.people import Language
from kiosk.ledger.note import Kind, SigningKey
from kiosk.ledger.verify import Verdict, main
from tests.attack.logs import (
    LOG_KEY,
    WITNESS_KEY,
    a_log,
    cabinet,
    continued,
    export,
    keyring,
    receipt,
    signed,
    verdict,
    verified,
    witnessed,
)
from web.proof import Checked, Surroundings, page

ENTRIES = a_log(20)
AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
FRENCH = Language.FR


def drawn(*verdicts: Verdict, file: str = "r.tlog-proof", language: Language = FRENCH) -> str:
    return page([Checked(file, one) for one in verdicts], keyring(), language, AT)


def words(html: str) -> str:
    """What a person reads, with ordinary spaces."""
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL).replace("\xa0", " ").split())


@pytest.fixture
def seen(tmp_path: Path) -> Verdict:
    return verdict(tmp_path, receipt(ENTRIES, 6, witnessed(ENTRIES)).encode())


@pytest.fixture
def unseen(tmp_path: Path) -> Verdict:
    return verdict(tmp_path, receipt(ENTRIES, 6, signed(ENTRIES)).encode())


@pytest.fixture
def partly(tmp_path: Path) -> Verdict:
    return verdict(tmp_path, export(ENTRIES, witnessed(ENTRIES[:15])))


@pytest.fixture
def unsigned(tmp_path: Path) -> Verdict:
    (found,) = verified(cabinet(tmp_path / "cabinet.db", ENTRIES, None))
    return found


@pytest.mark.parametrize("language", Language)
def test_every_text_is_there_in_both_languages(
    seen: Verdict, unseen: Verdict, partly: Verdict, unsigned: Verdict, language: Language
) -> None:
    html = drawn(seen, unseen, partly, unsigned, language=language)
    assert f'<html lang="{language.value}">' in html
    assert re.findall(r"\b(?:proof|page|event)\.[a-z_.]+|%\(", words(html)) == []


def test_what_headquarters_has_seen_is_told_with_who_and_when(seen: Verdict) -> None:
    said = words(drawn(seen))
    for what in ("Intact, et vu par le siège", "Pris et signé", "K-7", "n° 7 d’un journal qui en compte 20"):
        assert what in said
    assert "jusqu’à la n° 20, le 23 novembre 2026 à 07:00:00, et l’a signé à son tour" in said
    assert "une vérification faite le 24 novembre 2026 à 10:30:00" in said
    assert "ne repose que sur la parole" not in said


def test_what_headquarters_has_not_seen_is_never_called_seen(unseen: Verdict) -> None:
    said = words(drawn(unseen))
    assert "Intact, mais pas encore vu par le siège" in said
    assert "elle ne repose que sur la parole de l’armoire" in said
    assert "et vu par le siège" not in said
    assert "à son tour" not in said


def test_the_end_of_a_log_that_headquarters_has_not_seen_is_counted(partly: Verdict) -> None:
    said = words(drawn(partly))
    assert "la fin n’a pas encore été vue par le siège" in said
    assert "Inscriptions que le siège n’a pas encore vues : 5" in said
    assert "jusqu’à la n° 15" in said


def test_a_log_that_nobody_has_signed_says_so(unsigned: Verdict) -> None:
    said = words(drawn(unsigned))
    assert "rien ne dit qui l’a écrit" in said
    assert "a signé cette empreinte" not in said
    assert "Inscriptions que le siège n’a pas encore vues : 20" in said


def test_what_is_not_proven_and_how_to_check_is_on_every_page(seen: Verdict) -> None:
    said = words(drawn(seen))
    for what in ("Ce que cela ne prouve pas", "signature électronique qualifiée", "--keys verifier.keys r.tlog-proof"):
        assert what in said


@pytest.mark.parametrize("of", ["seen", "unseen", "partly"])
def test_the_answer_that_the_page_promises_is_the_one_that_the_verifier_gives(
    of: str, request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = words(drawn(request.getfixturevalue(of)))
    keys = tmp_path / "verifier.keys"
    keys.write_text(f"{LOG_KEY.verifier}\n{WITNESS_KEY.verifier}\n", encoding="utf-8")
    assert main(["--keys", str(keys), str(tmp_path / "file")]) == 0
    assert f"doit commencer par « {capsys.readouterr().out.split()[0]} »" in said


def test_the_public_keys_that_were_used_are_printed_in_full_and_no_others(seen: Verdict) -> None:
    other = SigningKey.generate("trousseau/armoire-9/another", Kind.ED25519)
    said = words(page([Checked("r", seen)], keyring(LOG_KEY, WITNESS_KEY, other), FRENCH, AT))
    assert str(LOG_KEY.verifier) in said
    assert str(WITNESS_KEY.verifier) in said
    assert "armoire-9" not in said


def test_a_clock_that_could_not_be_believed_is_told(tmp_path: Path) -> None:
    log = continued(ENTRIES, 21, clock_set=False)
    found = verdict(tmp_path, receipt(log, 20, witnessed(log)).encode())
    assert "horloge à vérifier" in words(drawn(found))


def test_an_event_of_a_later_version_is_named_as_it_is_written(tmp_path: Path) -> None:
    log = continued(ENTRIES, 21, type="custody.teleported")
    assert "custody.teleported" in words(drawn(verdict(tmp_path, receipt(log, 20, witnessed(log)).encode())))


def test_no_name_brings_markup_into_the_page(tmp_path: Path) -> None:
    nasty = '<script>alert("1")</script>'
    log = continued(ENTRIES, 21, subject=nasty, actor=nasty, type=nasty)
    html = drawn(verdict(tmp_path, receipt(log, 20, witnessed(log)).encode()), file=nasty)
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 4


def test_the_command_on_the_page_checks_the_file_and_does_nothing_else_whatever_the_file_is_called(
    seen: Verdict,
) -> None:
    html = drawn(seen, file="r; rm -r ~ #.tlog-proof")
    assert "--keys verifier.keys &#39;r; rm -r ~ #.tlog-proof&#39;</code>" in html


def test_alone_the_page_needs_no_other_file_and_among_others_it_takes_their_style(seen: Verdict) -> None:
    alone = drawn(seen)
    assert "<style>" in alone
    assert re.findall(r"(?:src|href)=|url\(|@import|https?://", alone) == []
    shown = page([Checked("r", seen)], keyring(), FRENCH, AT, Surroundings("/s.css", "/r.tlog-proof", "?lang=en"))
    assert "<style" not in shown
    assert " style=" not in alone + shown
    for address in ("/s.css", "/r.tlog-proof", "?lang=en"):
        assert f'"{address}"' in shown
