"""`kiosk hq status` and `kiosk hq alarm`: what whoever answers for headquarters has to see, and nothing by colour alone."""

import re
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from kiosk.cli.hq_watch import MOST_ALARMS
from kiosk.cli.tables import print_table
from kiosk.cli.texts import t
from kiosk.domain.identifiers import Timestamp
from kiosk.mqtt import topics
from kiosk.mqtt.client import Cause
from kiosk.mqtt.messages import Health
from kiosk.store.supervision import Presence
from tests.attack.logs import LOG, NODE, STREAM, a_log, continued, signed
from tests.unit.cli.central import SOME_TIME, inside, let_in, on_postgres, store
from tests.unit.cli.typing_commands import Terminal

ENTRIES = a_log(12)


@pytest.fixture
def watched(hq: Terminal, tmp_path: Path) -> Terminal:
    """Headquarters with a cabinet let in."""
    let_in(hq, tmp_path)
    return hq


def line(hq: Terminal) -> str:
    """What is said of the cabinet."""
    (said,) = (line for line in hq.fine("hq", "status").splitlines() if line.startswith(f"{NODE} "))
    return said


def heard(
    hq: Terminal, health: Health | None = Health.OK, *, online: bool = True, size: int | None = 12, stream: str = STREAM
) -> None:
    """The cabinet says this of itself."""
    said = Presence(
        node=NODE,
        stream=stream,
        online=online,
        version="1",
        size=size,
        health=health and health.value,
        seen=Timestamp(SOME_TIME),
    )
    with inside(hq.folder) as (_, supervision):
        supervision.heard(said)


def alarmed(hq: Terminal, kind: str, detail: str, at: str = SOME_TIME) -> None:
    with inside(hq.folder) as (_, supervision):
        supervision.alarm(NODE, kind, detail, Timestamp(at))


def numbers(hq: Terminal) -> list[str]:
    """The numbers of the alarms, newest first."""
    with inside(hq.folder) as (_, supervision):
        return [str(alarm.id) for alarm in supervision.alarms()]


# ---- cabinets


def test_before_any_cabinet_is_let_in_the_way_to_do_so_is_told(hq: Terminal) -> None:
    said = hq.fine("hq", "status")
    for what in (t("cli.hq.no_cabinet"), t("cli.hq.none_quarantined"), t("cli.hq.no_alarm")):
        assert what in said


def test_a_cabinet_that_was_let_in_and_has_said_nothing_is_shown(watched: Terminal) -> None:
    assert t("cli.presence.never") in line(watched)


def test_what_a_cabinet_has_sent_and_what_is_signed_for_is_counted(watched: Terminal) -> None:
    with inside(watched.folder) as (central, _):
        store(central, ENTRIES[:10], signed(ENTRIES[:7]))
    heard(watched)
    said = line(watched)
    assert re.split(r"\s{2,}", said)[:6] == [
        NODE,
        STREAM[:8],
        t("cli.presence.online"),
        "24/11/2026 07:00:00",
        "7",
        "5",
    ]
    assert t("cli.health.ok") in said


def test_documents_are_counted_as_complete_up_to_an_entry(watched: Terminal) -> None:
    assert t("cli.hq.complete") in line(watched)
    with inside(watched.folder) as (central, _):
        store(central, ENTRIES, signed(ENTRIES))
    assert t("cli.hq.missing", complete=0, missing=12) in line(watched)


def test_a_cabinet_that_has_gone_is_shown_offline(watched: Terminal) -> None:
    heard(watched, None, online=False, size=None)
    said = line(watched)
    assert t("cli.presence.offline") in said
    assert said.rstrip().endswith("–")


@pytest.mark.parametrize("health", Health)
def test_how_a_cabinet_feels_is_told_in_words(watched: Terminal, health: Health) -> None:
    heard(watched, health)
    assert t(f"cli.health.{health}") in line(watched)


def test_what_a_cabinet_says_of_its_new_journal_is_not_said_of_the_earlier_one(watched: Terminal) -> None:
    heard(watched, Health.DENIED, stream="another")
    said = line(watched)
    assert t("cli.presence.former") in said
    assert t("cli.health.denied") not in said


def test_a_refused_history_is_shown_whatever_the_cabinet_says(watched: Terminal) -> None:
    with inside(watched.folder) as (central, _):
        store(central, ENTRIES, signed(ENTRIES))
        store(central, [], signed(continued(ENTRIES[:5], 12, actor="p666")))
    heard(watched)
    said = line(watched)
    assert t("cli.health.refused") in said
    assert t("cli.health.ok") not in said


def test_on_a_narrow_terminal_nothing_is_cut_off(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_table(["A", "B"], [["x" * 100, "y" * 100]])
    said = capsys.readouterr().out
    assert (said.count("x"), said.count("y")) == (100, 100)


# ---- alarms


def test_alarms_are_shown_newest_first_with_how_often_and_when(watched: Terminal) -> None:
    alarmed(watched, "rejected", "an old one")
    for minute in (1, 2, 3):
        alarmed(watched, "not_enrolled", "a new one", f"2026-11-24T07:0{minute}:00.000Z")
    said = watched.fine("hq", "status")
    assert said.index("a new one") < said.index("an old one")
    [row] = [line for line in said.splitlines() if "a new one" in line]
    for what in (NODE, t("cli.alarm.not_enrolled"), " 3 ", "24/11/2026 08:01:00", "24/11/2026 08:03:00"):
        assert what in row


def test_only_the_newest_alarms_are_shown_and_all_are_counted(watched: Terminal) -> None:
    for number in range(MOST_ALARMS + 3):
        alarmed(watched, "rejected", f"alarm-{number:02}", f"2026-11-24T07:00:{number:02}.000Z")
    said = watched.fine("hq", "status")
    assert said.count("alarm-") == MOST_ALARMS
    assert "alarm-02" not in said
    assert t("cli.hq.alarms", count=MOST_ALARMS + 3) in said
    assert t("cli.hq.older_alarms", count=3) in said


def test_an_alarms_detail_steers_no_terminal(watched: Terminal) -> None:
    alarmed(watched, "not_enrolled", "\x1b[2J\u202e")
    said = watched.fine("hq", "status")
    assert "\\x1b[2J\\u202e" in said
    assert "\x1b" not in said


def test_what_an_alarm_is_about_is_told_in_words(watched: Terminal) -> None:
    alarmed(watched, "rejected", "not a frame")
    with inside(watched.folder) as (_, supervision):
        supervision.alarm("", "broker", Cause.NOT_ADMITTED.value, Timestamp(SOME_TIME))
    said = watched.fine("hq", "status")
    for what in ("cli.reason.frame", "cli.hq.itself", "cli.alarm.broker", "cli.cause.not_admitted"):
        assert t(what) in said


def test_an_alarm_is_closed_by_its_number_and_rises_again_with_its_cause(watched: Terminal) -> None:
    alarmed(watched, "rejected", "one")
    alarmed(watched, "rejected", "two")
    two, one = sorted(numbers(watched), reverse=True)
    watched.fine("hq", "alarm", "close", one)
    assert numbers(watched) == [two]
    assert one in watched.refused("hq", "alarm", "close", one)
    alarmed(watched, "rejected", "one")
    assert len(numbers(watched)) == 2


# ---- for a monitoring that only looks at exit statuses


def test_a_check_is_content_while_nobody_has_to_see_to_anything(watched: Terminal) -> None:
    watched.fine("hq", "status", "--check")
    heard(watched, None, online=False)
    watched.fine("hq", "status", "--check")
    heard(watched)
    watched.fine("hq", "status", "--check")


@pytest.mark.parametrize("trouble", ["alarm", "quarantine", "health", "refused"])
def test_a_check_fails_when_somebody_has_to_see_to_it(watched: Terminal, trouble: str) -> None:
    with inside(watched.folder) as (central, supervision):
        if trouble == "alarm":
            supervision.alarm(NODE, "rejected", "why", Timestamp(SOME_TIME))
        elif trouble == "quarantine":
            supervision.quarantine(NODE, topics.status(NODE), b"", "not a status", Timestamp(SOME_TIME))
        elif trouble == "refused":
            store(central, ENTRIES, signed(ENTRIES))
            store(central, [], signed(continued(ENTRIES[:5], 12, actor="p666")))
    if trouble == "health":
        heard(watched, Health.UNTRUSTED)
    assert watched.type("hq", "status", "--check").status == 1
    watched.fine("hq", "status")


# ---- PostgreSQL


#: Every command that looks into headquarters' database.
COMMANDS = (
    ("hq", "status"),
    ("hq", "register"),
    ("hq", "keys", "show"),
    ("hq", "cabinet", "close", LOG),
    ("hq", "alarm", "close", "1"),
    ("hq", "quarantine", "list"),
    ("hq", "quarantine", "release", "1"),
    ("hq", "export", NODE, "-"),
    ("hq", "receipt", f"{NODE}:{STREAM}:1", "-"),
    ("hq", "subscribe"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_postgresql_that_is_not_there_is_told_with_its_address_and_no_password(
    hq: Terminal, command: tuple[str, ...]
) -> None:
    on_postgres(hq, "postgresql+psycopg://trousseau:geheim@127.0.0.1:1/nowhere")
    said = hq.refused(*command)
    assert "127.0.0.1:1/nowhere" in said
    assert "headquarters.database" in said
    assert "geheim" not in said


def test_a_postgresql_that_lets_no_table_be_made_is_told(hq: Terminal, postgres_url: str) -> None:
    address = make_url(postgres_url)
    role = f"reader_of_{address.database}"
    with psycopg.connect(
        host=address.host, port=address.port, user=address.username, dbname=address.database, autocommit=True
    ) as connection:
        connection.execute(f"create role {role} login")
        connection.execute("revoke create on schema public from public")
    on_postgres(hq, address.set(username=role).render_as_string())
    said = hq.refused("hq", "status")
    assert str(address.database) in said
    assert "permission denied" in said


def test_everything_is_the_same_on_postgresql(hq: Terminal, postgres_url: str, tmp_path: Path) -> None:
    on_postgres(hq, postgres_url)
    let_in(hq, tmp_path)
    with inside(hq.folder) as (central, _):
        store(central, ENTRIES, signed(ENTRIES))
    heard(hq)
    alarmed(hq, "rejected", "why")
    said = hq.fine("hq", "status")
    for what in (t("cli.presence.online"), t("cli.hq.missing", complete=0, missing=12), t("cli.alarm.rejected")):
        assert what in said
    hq.fine("hq", "alarm", "close", numbers(hq)[0])
    hq.fine("hq", "export", NODE, tmp_path / "export")
    hq.fine("hq", "receipt", f"{NODE}:{STREAM}:12", tmp_path / "receipt")
    (tmp_path / "all.keys").write_text(hq.fine("hq", "keys", "show"))
    hq.fine("verify", "--keys", tmp_path / "all.keys", tmp_path / "export", tmp_path / "receipt")
