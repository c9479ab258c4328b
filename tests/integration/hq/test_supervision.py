"""What whoever answers for headquarters sees. SQLite and PostgreSQL alike."""

from collections.abc import Sequence

import pytest

from kiosk.domain import events
from kiosk.domain.errors import NoSuchAlarm, NotQuarantined
from kiosk.domain.identifiers import ClientId, Digest, Timestamp
from kiosk.hq.witness import SigningWitness
from kiosk.store import supervision as module
from kiosk.store.central import CentralStore
from kiosk.store.database import Database
from kiosk.store.supervision import CabinetLine, Presence, Supervision
from tests.integration.hq.parts import HQ_KEY, NODE, STREAM, a_chain, a_head, let_in, log_key

NOON, LATER = Timestamp("2026-11-24T12:00:00.000Z"), Timestamp("2026-11-24T12:00:01.000Z")


@pytest.fixture
def supervision(central: Database) -> Supervision:
    for node, stream in ((NODE, STREAM), (NODE, "an-older-one"), ("armoire-8", STREAM)):
        log_key(node, stream)
    let_in(central)
    return Supervision(central)


def here(stream: str = STREAM, size: int | None = 9, *, online: bool = True) -> Presence:
    return Presence(node=NODE, stream=stream, online=online, version="1", size=size, health="ok", seen=NOON)


def line(supervision: Supervision, stream: str = STREAM) -> CabinetLine:
    return next(one for one in supervision.cabinets() if (one.node, one.stream) == (NODE, stream))


def test_every_journal_that_was_let_in_has_a_line_also_before_anything_has_come(supervision: Supervision) -> None:
    lines = [(one.node, one.stream, one.cosigned, one.closed, one.presence) for one in supervision.cabinets()]
    assert sorted(lines) == [
        (NODE, STREAM, 0, False, None),
        (NODE, "an-older-one", 0, False, None),
        ("armoire-8", STREAM, 0, False, None),
    ]


def test_a_line_tells_what_is_signed_for_and_complete(supervision: Supervision, central: Database) -> None:
    named = [events.ClientRegistered(client=ClientId(f"c-{n}"), profile=Digest(f"{n:064x}")) for n in range(3)]
    chain = a_chain(8, *_after_four_others(named))
    CentralStore(central, SigningWitness([HQ_KEY])).store(chain, [a_head(chain, 6)])
    supervision.heard(here())
    found = line(supervision)
    assert (found.cosigned, found.complete, found.missing, found.refused) == (6, 4, 2, False)
    assert found.presence == here()


def _after_four_others(named: Sequence[events.Event]) -> list[events.Event]:
    return [*(events.DoorLeftOpen(visit=f"v{n}", person="p") for n in range(4)), *named]  # type: ignore[arg-type]


def test_what_a_cabinet_says_it_has_and_is_not_signed_for_is_the_lag_of_the_journal_that_it_speaks_of(
    supervision: Supervision, central: Database
) -> None:
    chain, old = a_chain(8), a_chain(2, stream="an-older-one")
    CentralStore(central, SigningWitness([HQ_KEY])).store([*chain, *old], [a_head(chain, 6)])
    assert line(supervision).lag == 0, "nothing is known of more, as long as it says nothing"
    supervision.heard(here(size=20))
    assert (line(supervision).lag, line(supervision, "an-older-one").lag) == (14, 0)
    supervision.heard(here(size=None, online=False))
    assert line(supervision).lag == 0
    supervision.heard(here(size=3))
    assert line(supervision).lag == 0


def test_the_same_alarm_again_is_counted_and_a_closed_one_begins_anew(supervision: Supervision) -> None:
    assert supervision.alarm(NODE, "refused", "s: 3", NOON)
    assert not supervision.alarm(NODE, "refused", "s: 3", LATER)
    assert supervision.alarm("armoire-8", "refused", "s: 3", NOON)
    newest, other = supervision.alarms()
    assert (newest.node, newest.first, newest.last, newest.times) == (NODE, NOON, LATER, 2)
    assert other.times == 1
    supervision.close_alarm(newest.id)
    with pytest.raises(NoSuchAlarm):
        supervision.close_alarm(newest.id)
    assert supervision.alarm(NODE, "refused", "s: 3", LATER)


def test_the_same_message_in_quarantine_is_counted_also_when_there_is_no_room_for_another(
    supervision: Supervision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_QUARANTINED", 1)
    for payload in (b"one", b"two", b"one"):
        supervision.quarantine(NODE, "topic", payload, "why", LATER)
    [kept] = supervision.quarantined()
    assert kept.times == 2
    assert supervision.find(kept.id).payload == b"one"


def test_of_a_huge_message_only_the_beginning_is_kept(
    supervision: Supervision, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST_PAYLOAD", 10)
    for payload in (b"0123456789 and this", b"0123456789 and that"):
        supervision.quarantine(NODE, "topic", payload, "too large", NOON)
    assert [supervision.find(one.id).payload for one in supervision.quarantined()] == [b"0123456789"] * 2


def test_what_is_released_is_gone(supervision: Supervision) -> None:
    supervision.quarantine(NODE, "topic", b"{", "why", NOON)
    [kept] = supervision.quarantined()
    supervision.release(kept.id)
    with pytest.raises(NotQuarantined):
        supervision.find(kept.id)
