"""`kiosk hq quarantine`: strangers' messages are shown without harm, and judged again once what stood in their way is put right."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import event

from kiosk.bootstrap import central_database
from kiosk.cli.hq_quarantine import readable
from kiosk.cli.hq_words import HEAD, REASONS
from kiosk.cli.texts import t
from kiosk.config import read
from kiosk.domain.errors import StorageFailed
from kiosk.domain.identifiers import Timestamp
from kiosk.hq import session
from kiosk.hq.admission import admit
from kiosk.keys import WITNESS_KEY, own
from kiosk.ledger.checkpoint import Checkpoint, open_refusal, sign
from kiosk.ledger.errors import BadEntry
from kiosk.ledger.note import Note
from kiosk.mqtt import topics
from kiosk.store import stream
from kiosk.store.central import CentralStore
from kiosk.store.stream import Key, Sealed, SignedHead, StaleMemory, Stored
from kiosk.store.supervision import Supervision
from tests.attack.logs import FORGED_LOG_KEY, LOG, LOG_KEY, NODE, a_log, continued, signed
from tests.unit.cli.central import SOME_TIME, answer, event_topic, inside, let_in, on_postgres, store
from tests.unit.cli.typing_commands import Terminal

ENTRIES = a_log(12)
#: The same beginning, another end, signed with the same key.
FORK = continued(ENTRIES[:5], 12, actor="p666")
CHECKPOINT = topics.checkpoint(NODE)

Heads = Iterable[tuple[Key, SignedHead]]


def put(hq: Terminal, topic: str, payload: bytes, reason: str = "altered", node: str = NODE) -> str:
    """Put a message in quarantine; its number."""
    with inside(hq.folder) as (_, supervision):
        supervision.quarantine(node, topic, payload, reason, Timestamp(SOME_TIME))
        return str(supervision.quarantined()[-1].id)


def put_entry(hq: Terminal, body: bytes) -> str:
    return put(hq, event_topic(body), body)


def waiting(hq: Terminal) -> list[str]:
    """The numbers of what is in quarantine."""
    with inside(hq.folder) as (_, supervision):
        return [str(one.id) for one in supervision.quarantined()]


def alarms(hq: Terminal) -> list[str]:
    with inside(hq.folder) as (_, supervision):
        return [alarm.kind for alarm in supervision.alarms()]


def receive(hq: Terminal, bodies: Sequence[bytes]) -> None:
    """A journal comes in by the broker, under its signed head."""
    with inside(hq.folder) as (central, _):
        store(central, bodies, signed(bodies))


def size(hq: Terminal) -> int:
    with inside(hq.folder) as (central, _):
        return answer(central).size


@pytest.fixture(params=["sqlite", "postgresql"])
def serving(request: pytest.FixtureRequest, hq: Terminal, tmp_path: Path) -> Terminal:
    """Headquarters on each database, with a cabinet let in."""
    if request.param == "postgresql":
        on_postgres(hq, request.getfixturevalue("postgres_url"))
    let_in(hq, tmp_path)
    return hq


# ---- looking


def test_an_empty_quarantine_is_an_empty_list(hq: Terminal) -> None:
    assert len(hq.fine("hq", "quarantine", "list").splitlines()) == 1


def test_messages_are_listed_with_their_reason_and_how_often_they_came(hq: Terminal) -> None:
    [number] = {put_entry(hq, ENTRIES[0]) for _ in range(3)}
    [line] = hq.fine("hq", "quarantine", "list").splitlines()[1:]
    for what in (number, NODE, t("cli.reason.altered"), "custody/taken", "3", "24/11/2026 07:00:00"):
        assert what in line


def test_a_list_of_the_quarantine_reads_no_payload(hq: Terminal) -> None:
    put(hq, CHECKPOINT, b"a quarter of a megabyte")
    asked: list[str] = []
    with central_database(read(hq.folder)) as database:
        event.listen(database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
        (one,) = Supervision(database).quarantined()
        assert "payload" not in asked[-1]
        assert Supervision(database).find(one.id).payload == b"a quarter of a megabyte"
        assert "payload" in asked[-1]


def test_a_message_is_shown_with_all_that_is_known_of_it(hq: Terminal) -> None:
    number = put_entry(hq, ENTRIES[0])
    said = hq.fine("hq", "quarantine", "show", number)
    for what in (NODE, t("cli.reason.altered"), event_topic(ENTRIES[0]), hashlib.sha256(ENTRIES[0]).hexdigest()):
        assert what in said
    shown = said[said.index("\n{") :]
    assert json.loads(shown) == json.loads(ENTRIES[0])
    assert len(shown.splitlines()) > 10


#: What would clear, recolour, reverse or hide something on a terminal.
STEERING = "\x1b[2J\x07\x9b1m\u202e\u200b\u2028\r"
HOSTILE = {
    "text": STEERING.encode(),
    "JSON": json.dumps({"a": STEERING}, ensure_ascii=False).encode(),
    "JSON that spells it": json.dumps({"a": STEERING}).encode(),
    "half a character": b'{"a": "\\ud800"}',
    "bytes": bytes(range(256)),
    "deep": b"[" * 100_000,
    "a long number": b"9" * 10_000,
    "nothing": b"",
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE.keys())
def test_nothing_in_a_message_steers_a_terminal(hq: Terminal, payload: bytes) -> None:
    number = put(hq, f"trousseau/{STEERING}", payload, f"{HEAD}{STEERING}", STEERING)
    for command in (("list",), ("show", number)):
        said = hq.fine("hq", "quarantine", *command)
        # Our own French is printed with spaces at which a line must not break.
        assert [one for one in said if not one.isprintable() and one not in "\n\u00a0\u202f"] == []


def test_a_name_that_stands_twice_is_not_hidden() -> None:
    assert readable(b'{"a":1,"a":2}') == '{"a":1,"a":2}'


def test_a_head_is_shown_as_the_text_that_it_is() -> None:
    note = signed(ENTRIES)
    assert readable(note) == note.decode()


def test_bytes_are_shown_as_bytes_with_what_can_be_read_of_them() -> None:
    shown = readable(b"key \xff\x00" * 4)
    assert shown.splitlines() == [
        "00000000  6b 65 79 20 ff 00 6b 65 79 20 ff 00 6b 65 79 20  key ..key ..key ",
        "00000010  ff 00 6b 65 79 20 ff 00                          ..key ..",
    ]


def test_every_reason_that_headquarters_notes_has_its_words() -> None:
    noted = set(re.findall(r'_reject\([^"]+, "([^"]+)"\)', Path(session.__file__).read_text(encoding="utf-8")))
    noted |= set(re.findall(r'Misfit\(\w+, "([^"]+)"\)', Path(stream.__file__).read_text(encoding="utf-8")))
    assert noted == set(REASONS)
    assert f'f"{HEAD}' in Path(session.__file__).read_text(encoding="utf-8")


def test_what_is_no_entry_is_told_with_the_fault(hq: Terminal) -> None:
    with pytest.raises(BadEntry) as fault:
        admit(event_topic(ENTRIES[0]), b"{}")
    put(hq, event_topic(ENTRIES[0]), b"{}", fault.value.reason)
    assert fault.value.reason in hq.fine("hq", "quarantine", "list")


@pytest.mark.parametrize("command", ["show", "release", "discard"])
def test_a_number_that_is_not_there_is_told(hq: Terminal, command: str) -> None:
    assert "17" in hq.refused("hq", "quarantine", command, "17")


def test_what_a_stranger_calls_a_journal_steers_no_terminal_either(hq: Terminal) -> None:
    note = sign(Checkpoint(f"trousseau/{NODE}/\x9b2J\u202e", 1, bytes(32)), [LOG_KEY])
    said = hq.refused("hq", "quarantine", "release", put(hq, CHECKPOINT, note))
    assert "wrong-origin" in said
    assert [one for one in said if not one.isprintable() and one not in "\n\u00a0\u202f"] == []


# ---- judging again


def test_an_entry_is_not_taken_in_without_a_signed_head(serving: Terminal) -> None:
    receive(serving, ENTRIES[:4])
    for number in (put_entry(serving, ENTRIES[4]), put_entry(serving, ENTRIES[7])):
        said = serving.refused("hq", "quarantine", "release", number)
        assert t("error.NotPlaced.early", id=number, size=4) in said
        assert (size(serving), number in waiting(serving)) == (4, True)


def test_an_entry_that_has_come_since_just_leaves_quarantine(serving: Terminal) -> None:
    number = put_entry(serving, ENTRIES[2])
    receive(serving, ENTRIES)
    serving.fine("hq", "quarantine", "release", number)
    assert (size(serving), waiting(serving)) == (len(ENTRIES), [])
    assert number in serving.refused("hq", "quarantine", "release", number)


def test_a_head_stays_until_the_entries_that_it_covers_have_come(serving: Terminal) -> None:
    number = put(serving, CHECKPOINT, signed(ENTRIES[:6]))
    receive(serving, ENTRIES[:5])
    assert t("error.NotPlaced.early", id=number, size=5) in serving.refused("hq", "quarantine", "release", number)
    assert waiting(serving) == [number]
    receive(serving, ENTRIES)
    assert t("cli.quarantine.placed", number=number) in serving.fine("hq", "quarantine", "release", number)
    assert (waiting(serving), alarms(serving)) == ([], [])


def test_a_head_under_a_new_key_is_judged_once_that_key_is_let_in(serving: Terminal, tmp_path: Path) -> None:
    receive(serving, ENTRIES)
    number = put(serving, CHECKPOINT, signed(FORK, FORGED_LOG_KEY))
    assert "unknown-key" in serving.refused("hq", "quarantine", "release", number)
    assert (waiting(serving), alarms(serving)) == ([number], [])
    file = tmp_path / "new.keys"
    file.write_text(f"{FORGED_LOG_KEY.verifier}\n", encoding="utf-8")
    serving.fine("hq", "cabinet", "add", file)
    serving.fine("hq", "quarantine", "release", number)
    assert (waiting(serving), alarms(serving)) == ([], ["refused"])


def test_other_bytes_for_an_entry_that_is_kept_stay_out(serving: Terminal) -> None:
    receive(serving, ENTRIES)
    number = put_entry(serving, FORK[7])
    assert t("error.NotPlaced.altered", id=number) in serving.refused("hq", "quarantine", "release", number)
    assert (size(serving), waiting(serving)) == (len(ENTRIES), [number])


def test_an_entry_that_does_not_follow_stays_out(serving: Terminal) -> None:
    receive(serving, ENTRIES[:8])
    number = put_entry(serving, FORK[8])
    assert t("error.NotPlaced.broken", id=number) in serving.refused("hq", "quarantine", "release", number)
    assert (size(serving), waiting(serving)) == (8, [number])


def test_nothing_of_a_journal_that_was_not_let_in_is_placed(hq: Terminal) -> None:
    numbers = [put_entry(hq, ENTRIES[0]), put(hq, CHECKPOINT, signed(ENTRIES[:1]))]
    for number in numbers:
        assert "kiosk hq cabinet add" in hq.refused("hq", "quarantine", "release", number)
    assert waiting(hq) == numbers


def test_what_is_neither_entry_nor_head_has_no_place(serving: Terminal) -> None:
    digest = hashlib.sha256(b"").hexdigest()
    for topic in (topics.status(NODE), f"trousseau/v1/from/{NODE}/documents/{digest}", "elsewhere", ""):
        number = put(serving, topic, b"{}")
        assert t("error.NotPlaced.no_place", id=number) in serving.refused("hq", "quarantine", "release", number)
    assert len(waiting(serving)) == 4


def test_what_never_was_an_entry_or_a_head_of_this_cabinet_never_gets_in(serving: Terminal) -> None:
    on_anothers_topic = topics.event("armoire-8", "custody.taken")
    for topic, payload in (
        (event_topic(ENTRIES[0]), b"{}"),
        (on_anothers_topic, ENTRIES[0]),
        (CHECKPOINT, b"no head"),
        (topics.checkpoint("armoire-8"), signed(ENTRIES)),
    ):
        number = put(serving, topic, payload)
        serving.refused("hq", "quarantine", "release", number)
        assert number in waiting(serving)
    assert size(serving) == 0


def test_a_head_that_rewrites_history_is_refused_with_its_evidence_and_an_alarm(serving: Terminal) -> None:
    receive(serving, ENTRIES)
    evidence = signed(FORK)
    number = put(serving, CHECKPOINT, evidence)
    assert t("cli.quarantine.refused", number=number) in serving.fine("hq", "quarantine", "release", number)
    assert (waiting(serving), alarms(serving)) == ([], ["refused"])
    with inside(serving.folder) as (central, _):
        assert refused(answer(central).refusal, serving) == Checkpoint.parse(Note.parse(evidence).text).root


def refused(note: bytes | None, hq: Terminal) -> bytes:
    """The root that headquarters' own key has refused."""
    assert note is not None
    return open_refusal(note, LOG, own(hq.folder, WITNESS_KEY)).root


def test_what_is_placed_beside_the_headquarters_that_serves_is_not_lost_to_it(serving: Terminal) -> None:
    with inside(serving.folder) as (central, _):
        store(central, ENTRIES[:10], signed(ENTRIES[:10]))
        serving.fine("hq", "quarantine", "release", put(serving, CHECKPOINT, signed(FORK[:8])))
        with pytest.raises(StaleMemory):
            store(central, ENTRIES[10:], signed(ENTRIES))
        store(central, ENTRIES[10:], signed(ENTRIES))
        assert answer(central).size == len(ENTRIES)
        assert refused(answer(central).refusal, serving)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_judging_is_tried_three_times_when_the_headquarters_that_serves_writes_meanwhile(
    serving: Terminal, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    judging, meanwhile = CentralStore.store, [StaleMemory() for _ in range(times)]

    def interrupted(central: CentralStore, batch: Sequence[Sealed], heads: Heads = ()) -> Stored:
        if meanwhile:
            raise meanwhile.pop()
        return judging(central, batch, heads)

    receive(serving, ENTRIES)
    number = put(serving, CHECKPOINT, signed(FORK))
    monkeypatch.setattr(CentralStore, "store", interrupted)
    if times < 3:
        serving.fine("hq", "quarantine", "release", number)
    else:
        assert t("error.NotPlaced.busy", id=number) in serving.refused("hq", "quarantine", "release", number)
    assert (waiting(serving), alarms(serving)) == (([], ["refused"]) if times < 3 else ([number], []))


def test_a_database_that_goes_away_is_not_blamed_on_the_message(
    serving: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise StorageFailed(reason="gone")

    number = put_entry(serving, ENTRIES[0])
    with monkeypatch.context() as patch:
        patch.setattr(CentralStore, "store", gone)
        assert "headquarters.database" in serving.refused("hq", "quarantine", "release", number)
    assert waiting(serving) == [number]


def test_what_is_thrown_away_is_gone_and_nothing_else(serving: Terminal) -> None:
    kept, thrown = put_entry(serving, ENTRIES[0]), put_entry(serving, ENTRIES[1])
    assert hashlib.sha256(ENTRIES[1]).hexdigest() in serving.fine("hq", "quarantine", "discard", thrown)
    assert waiting(serving) == [kept]


def test_placing_needs_headquarters_key(serving: Terminal) -> None:
    number = put_entry(serving, ENTRIES[0])
    kept = (serving.folder / WITNESS_KEY).rename(serving.folder / "kept")
    assert "kiosk hq init" in serving.refused("hq", "quarantine", "release", number)
    kept.rename(serving.folder / WITNESS_KEY)
    assert waiting(serving) == [number]
