"""Every event: how it is carried, that it folds the same a second time, and that it holds no name."""

import dataclasses
import types
from collections.abc import Mapping
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import DecodeError, ValidationError

from kiosk.domain import events
from kiosk.domain.events import DOCUMENT_FIELDS, EVENTS, Event
from kiosk.domain.fold import FOLD, KEYS, Line, Moment
from kiosk.domain.identifiers import PersonId, Timestamp
from kiosk.ledger.entry import Entry, seal, unseal
from kiosk.services.codec import documents_of, event_data, event_from, happening

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40)
TIMES = st.datetimes().map(lambda time: Timestamp(time.isoformat(timespec="milliseconds") + "Z"))
MOMENTS = st.builds(Moment, TIMES, st.booleans())
TYPES = sorted(EVENTS)


def of_type(hint: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401  # a type hint may be anything
    """Values of an event's field. A kind of field that is not here is one that the canonical form does not know."""
    if get_origin(hint) in (Union, types.UnionType):
        return st.one_of(*(of_type(part) for part in get_args(hint)))
    if get_origin(hint) is tuple:
        return st.lists(of_type(get_args(hint)[0]), max_size=4).map(tuple)
    hint = getattr(hint, "__supertype__", hint)
    known: Mapping[Any, st.SearchStrategy[Any]] = {str: WORDS, bool: st.booleans(), type(None): st.none()}
    return known[hint] if hint in known else st.sampled_from(hint)


def hints_of(class_: type[Event]) -> dict[str, Any]:
    hints = get_type_hints(class_)
    return {field.name: hints[field.name] for field in dataclasses.fields(class_)}


def events_of(class_: type[Event]) -> st.SearchStrategy[Event]:
    return st.builds(class_, **{name: of_type(hint) for name, hint in hints_of(class_).items()})


ANY_EVENT = st.one_of([events_of(EVENTS[name]) for name in TYPES])


def sealed(event: Event) -> bytes:
    return seal(
        Entry(
            node="armoire-7",
            stream="00000000-0000-4000-8000-000000000001",
            sequence=1,
            type=event.type,
            subject=event.subject,
            time="2026-11-23T06:00:00.000Z",
            prev="0" * 64,
            monotonic=2**60,
            boot="b",
            clock_set=True,
            actor="p001",
            command="c",
            data=event_data(event),
        )
    )


def resealed(**changed: Any) -> bytes:  # noqa: ANN401  # an attribute may be anything
    """The entry that somebody left, with attributes as no cabinet makes them."""
    left = unseal(sealed(events.PersonLeft(person=PersonId("p001"))))
    return seal(dataclasses.replace(left, **changed))


def test_every_class_of_the_union_is_in_the_table_under_its_own_type() -> None:
    assert set(EVENTS.values()) == set(get_args(events.Event))
    assert {name: class_.type for name, class_ in EVENTS.items()} == {name: name for name in EVENTS}


@pytest.mark.parametrize("name", TYPES)
def test_a_type_is_a_family_and_a_name(name: str) -> None:
    family, _, what = name.partition(".")
    assert family in ("register", "people", "custody", "cabinet", "ledger")
    assert what.replace("_", "").isalpha()


@settings(max_examples=150, deadline=None)
@given(ANY_EVENT)
def test_every_event_survives_its_entry(event: Event) -> None:
    entry = unseal(sealed(event))
    assert event_from(entry.type, entry.data) == event
    assert entry.subject == event.subject


@settings(max_examples=150, deadline=None)
@given(ANY_EVENT, st.booleans())
def test_a_fold_reads_from_the_bytes_what_unsealing_them_gives(event: Event, clock_set: bool) -> None:
    entry = dataclasses.replace(unseal(sealed(event)), clock_set=clock_set)
    assert happening(seal(entry)) == (event, Moment(Timestamp(entry.time), doubtful=not clock_set))


@settings(max_examples=50, deadline=None)
@given(ANY_EVENT)
def test_a_field_without_a_value_costs_nothing_in_the_entry(event: Event) -> None:
    assert None not in event_data(event).values()


def test_a_type_that_a_later_version_knows_is_none_and_no_error() -> None:
    data = {"item": "K-1", "statement": "5" * 64}
    assert event_from("custody.teleported", data) is None
    assert happening(resealed(type="custody.teleported", data=data)) is None
    assert documents_of(data) == ["5" * 64]


@pytest.mark.parametrize("data", [{}, {"person": 7}, {"person": None}, {"person": ["p001"]}])
def test_data_that_does_not_fit_its_type_is_no_event_however_it_is_read(data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        event_from("people.left", data)
    with pytest.raises(ValidationError):
        happening(resealed(data=data))


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b"{}", b"{}{}", resealed(type=None), resealed(time=7), resealed(data=7)]
)
def test_what_is_no_entry_tells_nothing(body: bytes) -> None:
    with pytest.raises(DecodeError):
        happening(body)


@pytest.mark.parametrize("name", TYPES)
def test_a_field_that_a_later_version_adds_does_not_hinder_this_one(name: str) -> None:
    found: list[Event] = []

    @settings(max_examples=1, deadline=None, database=None)
    @given(events_of(EVENTS[name]))
    def one(event: Event) -> None:
        found.append(event)

    one()
    data = event_data(found[0]) | {"added_later": "x"}
    assert event_from(name, data) == found[0]
    told = happening(resealed(type=name, data=data))
    assert told is not None
    assert told[0] == found[0]


@pytest.mark.parametrize("name", TYPES)
def test_no_field_is_free_text(name: str) -> None:
    """A field is an identifier, a digest, a word of an enumeration, a date, a truth value, or a list of those."""
    for field, hint in hints_of(EVENTS[name]).items():
        plain = [part for part in (hint, *get_args(hint)) if part is str]
        assert not plain or field in ("received", "cause"), f"{name}.{field} could hold anything"
        if field in DOCUMENT_FIELDS:
            assert "Digest" in {getattr(part, "__name__", "") for part in (hint, *get_args(hint))}


@settings(max_examples=100, deadline=None)
@given(ANY_EVENT, MOMENTS)
def test_an_event_folds_to_the_same_line_every_time(event: Event, moment: Moment) -> None:
    rule = FOLD.get(type(event))
    if rule is None:
        return
    before = a_line(rule.line)
    first = rule.change(before, event, moment)
    assert rule.change(before, event, moment) == first
    assert isinstance(first, rule.line)


def a_line(kind: type[Line]) -> Line:
    hints = get_type_hints(kind)
    values = {field.name: a_value(hints[field.name]) for field in dataclasses.fields(kind)}
    return kind(**values)


def a_value(hint: Any) -> Any:  # noqa: ANN401  # the same
    if type(None) in get_args(hint):
        return None
    if get_origin(hint) is tuple:
        return ()
    hint = getattr(hint, "__supertype__", hint)
    if hint is bool:
        return False
    return "x" if hint is str else next(iter(hint))


@settings(max_examples=100, deadline=None)
@given(ANY_EVENT, MOMENTS)
def test_a_rule_says_all_of_a_line_or_needs_the_line_before(event: Event, moment: Moment) -> None:
    rule = FOLD.get(type(event))
    if rule is None:
        return
    if rule.whole:
        assert rule.change(None, event, moment) == rule.change(a_line(rule.line), event, moment)
    else:
        with pytest.raises(TypeError):
            rule.change(None, event, moment)


def test_every_line_has_a_key_among_its_fields() -> None:
    assert {kind for kind in KEYS if KEYS[kind] in {field.name for field in dataclasses.fields(kind)}} == set(KEYS)
    assert {rule.line for rule in FOLD.values()} == set(KEYS)


def test_what_changes_no_line_is_evidence_about_the_cabinet_only() -> None:
    assert {name for name in TYPES if EVENTS[name] not in FOLD} == {
        "cabinet.door_left_open",
        "cabinet.visit_unresolved",
        "ledger.stream_opened",
    }
