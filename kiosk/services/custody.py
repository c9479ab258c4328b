"""Taking, returning and leaving: one command each, recorded whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kiosk.domain import custody
from kiosk.domain.access_means import AccessMeans
from kiosk.domain.custody import Act, Evidence, Standing
from kiosk.domain.errors import HistoryRefused, JournalBehind, JournalUnconfirmed, Refusal, UnknownKey
from kiosk.domain.events import DoorLeftOpen, Event, VisitUnresolved
from kiosk.domain.identifiers import CommandId, ItemId, VisitId
from kiosk.domain.people import Person, Tier
from kiosk.services.commands import following
from kiosk.services.ports import ActInProgress, Journal, Recorded, SignatureImages, Strokes, Trouble, Witness


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who acts, in which visit, and what their badge proved."""

    person: Person
    visit: VisitId
    tier: Tier


@dataclass(frozen=True, slots=True)
class Piece:
    """One key of a basket: what is done with it, and whether its hook's switch agrees."""

    item: ItemId
    act: Act
    sensed: bool


@dataclass(frozen=True, slots=True)
class Loose:
    """A key that left without a signature: known by its tag (`tapped`), by its hook (`sensed`), or both."""

    item: ItemId
    tapped: bool
    sensed: bool


#: How a take is refused while something is wrong between this journal and headquarters.
_TROUBLES: Mapping[Trouble, type[Refusal]] = {
    Trouble.REFUSED: HistoryRefused,
    Trouble.BEHIND: JournalBehind,
    Trouble.UNCONFIRMED: JournalUnconfirmed,
}
#: Where an item can leave from without a signature.
_CAN_LEAVE = frozenset({Standing.ON_HOOK, Standing.AWAITING_COUNTERSIGNATURE})


class CustodyService:
    """What the desk records."""

    def __init__(self, journal: Journal, images: SignatureImages, witness: Witness) -> None:
        self._journal = journal
        self._images = images
        self._witness = witness

    def require_unopposed(self, acts: Iterable[Act]) -> None:
        """Check that headquarters' witness does not stand against these acts: it stops new takes, and nothing else.

        Raises:
            HistoryRefused: headquarters has refused this journal.
            JournalBehind: this journal is shorter than what headquarters has seen.
            JournalUnconfirmed: headquarters has not let this restored journal in.
        """
        trouble = self._witness.view.trouble
        if trouble is not None and Act.TAKE in acts:
            raise _TROUBLES[trouble]

    def sign(
        self, command: CommandId, by: Visitor, pieces: Sequence[Piece], statement: str, strokes: Strokes
    ) -> Sequence[Recorded]:
        """Record everything that one signature covers.

        Raises:
            Refusal: one of the acts is not possible; then none is recorded.
            StorageFailed: the disk did not take it.
        """
        image = self._images.draw(strokes)
        with self._journal.act(command, by.person.id) as act:
            if not act.done:
                self.require_unopposed(piece.act for piece in pieces)
                evidence = Evidence(
                    visit=by.visit,
                    tier=by.tier,
                    statement=act.keep(statement.encode("utf-8")),
                    signature=act.keep(image),
                )
                for piece in pieces:
                    act.record(_decide(_item(act, piece.item), piece, by.person, evidence))
        return act.recorded

    def leave(self, by: Visitor, cause: str, loose: Sequence[Loose], unsigned: Sequence[ItemId]) -> None:
        """Record what a visit left behind: keys that went without a signature, and every key it did not sign for.

        Once a visit: after a crash in between, doing it again completes it. What leaves even later, through the door that the
        visit left open, is one more command.
        """
        unresolved = VisitUnresolved(
            visit=by.visit, person=by.person.id, cause=cause, items=tuple(sorted(set(unsigned)))
        )
        with self._journal.act(following(by.visit, "unresolved"), by.person.id) as act:
            if not act.done:
                for event in [*_leaving(act, by, loose), unresolved]:
                    act.record(event)
                return
        with self._journal.act(following(by.visit, "abandoned"), by.person.id) as act:
            late = [] if act.done else _leaving(act, by, loose)
            for event in [*late, unresolved] if late else []:
                act.record(event)

    def door_left_open(self, by: Visitor) -> None:
        """Record that the visit's door was still open when it ended."""
        with self._journal.act(following(by.visit, "door"), by.person.id) as act:
            if not act.done:
                act.record(DoorLeftOpen(visit=by.visit, person=by.person.id))


def _leaving(act: ActInProgress, by: Visitor, loose: Sequence[Loose]) -> list[Event]:
    """What the register still shows on a hook, and has left; the rest is evidence in `VisitUnresolved` only."""
    items = [(one, _item(act, one.item)) for one in loose]
    return [
        custody.leave_unsigned(item, by.person, by.visit, by.tier, tapped=one.tapped, sensed=one.sensed)
        for one, item in items
        if custody.standing(item) in _CAN_LEAVE
    ]


def _item(act: ActInProgress, id_: ItemId) -> AccessMeans:
    item = act.lines.item(id_)
    if item is None:
        raise UnknownKey(item=id_)
    return item


def _decide(item: AccessMeans, piece: Piece, by: Person, evidence: Evidence) -> Event:
    if piece.act is Act.SIGN:
        return custody.sign(item, by, evidence)
    decide = _SENSED_ACTS[piece.act]
    return decide(item, by, evidence, sensed=piece.sensed)


_SENSED_ACTS: Mapping[Act, custody.SensedAct] = {Act.TAKE: custody.take, Act.RETURN: custody.give_back}
