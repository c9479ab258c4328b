"""The state machine at the cabinet's front.

Invariants:
    * One thread owns the desk (`services.counter`); nothing here locks, waits or starts a thread.
    * The record precedes the act: a visit is committed before its door is released.
    * Every way out of a visit goes through `_leave`, which records what was not signed for.
    * Whatever fails, a disk above all, stops the desk until a restart; after that no pulse is given.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from kiosk.domain import errors
from kiosk.domain.access_means import AccessMeans
from kiosk.domain.custody import Act, direction
from kiosk.domain.errors import Refusal, StorageBusy, TrousseauError
from kiosk.domain.identifiers import ItemId, PersonId, TagId, Timestamp
from kiosk.domain.people import Badge, Language, Person, Tier
from kiosk.services import strokes
from kiosk.services.commands import new_command
from kiosk.services.departure import Cause, record_end, resolve_unended
from kiosk.services.equipment import Equipment
from kiosk.services.front import (
    Cancel,
    ChooseLanguage,
    EnterPin,
    KeepReceipt,
    OpenCabinet,
    Press,
    Remove,
    Screen,
    ShowInventory,
    Sign,
    Step,
    StillHere,
    Tone,
)
from kiosk.services.patience import SECOND, Patience
from kiosk.services.picture import Easel, sight, with_visit
from kiosk.services.ports import DoorChanged, HookChanged, Opening, ReaderChanged, Recorded, Report, Tap, TapFailed
from kiosk.services.timestamps import timestamp
from kiosk.services.visit import Visit

log = logging.getLogger(__name__)

#: Older than this, a tap is not obeyed, and a committed opening gives no pulse, nanoseconds.
STALE: Final = 3 * SECOND

#: Steps in which keys may be tapped.
_AT_THE_KEYS: Final = frozenset({Step.OPEN, Step.SIGNING, Step.DONE})
#: Refusals that mean something is wrong, not just not allowed.
_WARNINGS: Final = (
    errors.ClonedBadge,
    errors.HistoryRefused,
    errors.JournalBehind,
    errors.JournalUnconfirmed,
    errors.LostItem,
    errors.SeveralTags,
    errors.TornTap,
)


class Desk:
    """Handles one thing after another; `screen` is what to show after each."""

    def __init__(self, equipment: Equipment) -> None:
        self._e = equipment
        self._step = Step.IDLE
        self._visit: Visit | None = None
        #: Who walked away from the open door: until it is shut, what moves is still theirs.
        self._abandoned: Visit | None = None
        self._patience = Patience(equipment.clock)
        self._language = Language.FR
        self._readers: dict[str, bool] = {}
        #: The newest entry that was signed for here; the screen tells until headquarters has seen it.
        self._newest = 0
        self._easel = Easel()
        self.screen = self._picture()

    # ---- the ways in

    def resume(self) -> None:
        """After a start: resolve the visits that a power cut or a crash left without an end."""
        self._guarded(self._resume)

    def report(self, report: Report) -> None:
        """The hardware reports something."""
        self._guarded(lambda: self._hear(report))

    def press(self, token: str, press: Press) -> None:
        """A button was pressed; see `Front.press`."""
        if self._step is Step.OUT_OF_SERVICE:
            raise errors.OutOfService
        self._guarded(lambda: self._pressed(token, press), tell=True)

    def tick(self) -> None:
        """Time has passed."""
        self._guarded(self._pass_time)

    @property
    def next_tick(self) -> int | None:
        """When `tick` is due, in nanoseconds of the monotonic clock; None when nothing is waited for."""
        # Out of service nothing is due any more: the notice stays, and must not wake the desk's thread for ever.
        return None if self._step is Step.OUT_OF_SERVICE else self._patience.next_tick

    def _resume(self) -> None:
        self._abandoned = resolve_unended(self._e)

    def _guarded(self, act: Callable[[], None], *, tell: bool = False) -> None:
        if self._step is Step.OUT_OF_SERVICE:
            return
        try:
            self._refusing(act, tell=tell)
            self.screen = self._picture()
        except (Refusal, StorageBusy):
            raise
        except Exception as e:
            self._stop(e)
            if tell:
                raise errors.OutOfService from e

    def _refusing(self, act: Callable[[], None], *, tell: bool) -> None:
        try:
            act()
        except (Refusal, StorageBusy) as e:
            self._refuse(e)
            if tell:
                self.screen = self._picture()
                raise

    def _stop(self, failure: Exception) -> None:
        """Fail closed: whatever went wrong, the record may be behind, so nothing more is opened before a restart."""
        log.error("the desk stops", exc_info=failure)
        told = failure if isinstance(failure, TrousseauError) else errors.OutOfService()
        self._visit = None
        self._go(Step.OUT_OF_SERVICE)
        notice = self._patience.say(told, Tone.WARNING)
        self.screen = self._easel.place(Screen(step=self._step, stage=0, language=self._language, notice=notice))
        self._e.signals.error()

    # ---- what the hardware says

    def _hear(self, report: Report) -> None:
        match report:
            case Tap():
                self._tap(report)
            case TapFailed(cause=cause):
                raise getattr(errors, cause)
            case HookChanged():
                self._hook(report)
            case DoorChanged(open=is_open):
                self._door(is_open)
            case ReaderChanged(reader=reader, up=up):
                self._readers[reader] = up
                if not up:
                    self._e.signals.error()

    def _tap(self, tap: Tap) -> None:
        badge = self._e.register.badge(tap.tag)
        if badge is not None:
            return self._badge(badge, tap)
        item = self._e.register.item_by_tag(tap.tag)
        if item is not None:
            return self._key(item)
        self._note("unknown_tag", tag=tap.tag)
        raise errors.UnknownKey if self._step in _AT_THE_KEYS else errors.UnknownBadge

    def _badge(self, badge: Badge, tap: Tap) -> None:
        person = self._accept(badge, tap)
        visit = self._visit
        if visit is not None and visit.person.id == person.id and not self._is_over():
            return self._again(visit)
        if self._step is Step.SIGNING and not self._patience.asking:
            raise errors.VisitInProgress
        # Before the other is shown out: who is refused takes nothing over.
        needs_pin = self._needs_pin(person, tap.tier)
        if self._e.door.is_open and (needs_pin or self._e.register.unsigned_of(person.id)):
            raise errors.CloseDoorFirst
        if visit is not None:
            self._leave(Cause.CLOSED if self._is_over() else Cause.TAKEN_OVER)
        self._begin(person, tap.tier, needs_pin=needs_pin)

    def _again(self, visit: Visit) -> None:
        """The visitor's own badge once more: a sign of life, or a pulse that was missed."""
        if self._step is Step.OPEN and not self._e.door.is_open:
            self._reopen(visit)
        self._touch()

    def _reopen(self, visit: Visit) -> None:
        self._note("opened_again", visit.person.id)
        self._e.door.release()
        self._e.signals.accepted()

    def _is_over(self) -> bool:
        """Whether the visit in progress only shows its success: everything is signed for, and the door is shut."""
        return self._step is Step.DONE and not self._e.door.is_open and not (self._visit and self._visit.untapped)

    def _accept(self, badge: Badge, tap: Tap) -> Person:
        if badge.revoked:
            self._note("revoked_badge", badge.person, badge.tag)
            raise errors.RevokedBadge
        if badge.tier is Tier.AUTHENTICATED and tap.tier is not Tier.AUTHENTICATED:
            self._note("cloned_badge", badge.person, badge.tag)
            raise errors.ClonedBadge
        person = self._e.register.person(badge.person)
        if person is None:
            raise errors.UnknownBadge
        person.require_active()
        return person

    def _key(self, item: AccessMeans) -> None:
        visit = self._visit
        if visit is None or self._step not in _AT_THE_KEYS:
            raise errors.BadgeFirst
        if not visit.opened:
            raise errors.SignFirst
        if item.id not in visit.basket:
            act = direction(item, visit.person)
            self._e.custody.require_unopposed([act])
            visit.learn(self._e.register, [item.id])
            self._fill(visit, {**visit.basket, item.id: act})
        self._e.signals.accepted()
        self._go(Step.SIGNING)

    def _fill(self, visit: Visit, basket: dict[ItemId, Act]) -> None:
        self._e.visits.tapped(visit.id, tuple(basket.items()))
        visit.basket = basket
        visit.look_around(self._e.register, self._e.hooks.sensed)
        self._e.hooks.light(visit.lit)

    def _hook(self, change: HookChanged) -> None:
        visit = self._visit
        if visit is not None and visit.opened:
            visit.look_around(self._e.register, self._e.hooks.sensed)
            self._touch()
        elif self._abandoned is None:
            # The event for it comes with the hooks' own; until then it is heard, and logged.
            self._alarm(f"hook_{'filled' if change.occupied else 'emptied'}:{change.hook}")

    def _door(self, is_open: bool) -> None:
        visit = self._visit
        if is_open:
            if self._abandoned is None and (visit is None or not visit.opened):
                self._alarm("door_forced")
        elif self._abandoned is not None:
            self._settle_abandoned(Cause.CLOSED)
        elif visit is not None and self._step is Step.OPEN and not visit.untapped:
            self._leave(Cause.CLOSED)

    def _alarm(self, what: str) -> None:
        self._note(what)
        self._e.signals.error()

    def _settle_abandoned(self, cause: Cause) -> None:
        if self._abandoned is not None:
            record_end(self._e, self._abandoned, cause)
            self._abandoned = None

    # ---- what the screen says

    def _pressed(self, token: str, press: Press) -> None:
        if isinstance(press, ChooseLanguage) and not token:
            self._language = press.language if self._visit is None else self._language
            return
        visit = self._visit
        if visit is None or token != visit.token:
            if isinstance(press, StillHere):
                return  # a finger that rested on the glass while the visit ended
            raise errors.NotVisiting
        self._touch()  # which is all that `StillHere` wants
        self._obey(visit, press)

    def _obey(self, visit: Visit, press: Press) -> None:
        match press:
            case ChooseLanguage():
                self._choose_language(visit, press)
            case EnterPin(pin=pin):
                self._enter_pin(visit, pin)
            case Sign():
                self._sign(visit, press)
            case Remove():
                self._remove(visit, press)
            case Cancel():
                self._cancel(visit)
            case KeepReceipt():
                self._require(Step.DONE)
                self._patience.keep_receipt()
            case ShowInventory():
                self._show_inventory(visit)
            case OpenCabinet():
                self._open_cabinet(visit)

    def _choose_language(self, visit: Visit, press: ChooseLanguage) -> None:
        self._e.preferences.keep_language(visit.person.id, press.language)
        self._language = press.language

    def _enter_pin(self, visit: Visit, pin: str) -> None:
        self._require(Step.PIN)
        try:
            self._e.pins.check(visit.person.id, pin, self._e.clock.now().time)
        except errors.WrongPin:
            self._note("wrong_pin", visit.person.id)
            raise
        except errors.PinLocked:
            self._note("pin_locked", visit.person.id)
            self._cancel(visit)
            raise
        visit.pin_given = True
        if visit.person.is_technician and not visit.opened and not visit.wants_inventory:
            self._to_the_keys(visit)
        else:
            self._go(Step.INVENTORY)

    def _sign(self, visit: Visit, press: Sign) -> None:
        if self._step is not Step.SIGNING and visit.recorded:
            return  # « Valider » pressed twice: it is recorded already
        self._require(Step.SIGNING)
        statement = visit.statement(self._language)
        if press.statement != statement.text:
            raise errors.StatementChanged
        strokes.check(press.strokes)
        lines = visit.basket_lines(self._e.hooks.sensed)
        pieces = visit.pieces(self._e.hooks)
        recorded = self._e.custody.sign(visit.command, visit.visitor, pieces, statement.text, press.strokes)
        visit.recorded, visit.command, visit.lines = lines, new_command(), {}
        visit.receipt, self._newest = self._receipt(recorded[-1]), recorded[-1].sequence
        if not visit.opened:
            visit.basket = {}
            return self._release(visit)
        self._fill(visit, {})
        self._e.signals.accepted()
        self._go(Step.DONE)

    def _receipt(self, last: Recorded) -> str:
        """What the QR code holds: an act's last entry, whose hash commits to all before it."""
        journal = self._e.journal
        return f"{journal.node}:{journal.stream}:{last.sequence} {last.digest}"

    def _remove(self, visit: Visit, press: Remove) -> None:
        self._require(Step.SIGNING)
        if not visit.opened:
            raise errors.SignFirst
        self._fill(visit, {item: act for item, act in visit.basket.items() if item != press.item})
        self._go(Step.SIGNING if visit.basket else Step.OPEN)

    def _cancel(self, visit: Visit) -> None:
        if visit.opened and visit.basket:
            self._fill(visit, {})
        if visit.opened and (self._e.door.is_open or visit.untapped):
            self._go(Step.OPEN)
        else:
            self._leave(Cause.CLOSED)

    def _show_inventory(self, visit: Visit) -> None:
        if not visit.person.is_manager:
            raise errors.NotAllowed
        self._require(Step.OPEN, Step.DONE)
        if not visit.pin_given:
            self._require_pin(visit.person)
        visit.wants_inventory = True
        self._go(Step.INVENTORY if visit.pin_given else Step.PIN)

    def _open_cabinet(self, visit: Visit) -> None:
        self._require(Step.INVENTORY)
        visit.person.require_technician()
        visit.wants_inventory = False
        self._to_the_keys(visit)

    def _require(self, *steps: Step) -> None:
        if self._step not in steps:
            raise errors.NotNow

    # ---- beginning and ending

    def _needs_pin(self, person: Person, tier: Tier) -> bool:
        if not (person.is_technician or person.is_manager):
            raise errors.NotAllowed
        needs_pin = tier is not Tier.AUTHENTICATED or not person.is_technician
        if needs_pin:
            self._require_pin(person)
        return needs_pin

    def _begin(self, person: Person, tier: Tier, *, needs_pin: bool) -> None:
        visit = Visit(person, self._e.register.name_of(person.id), tier, new_command())
        visit.wants_inventory = not person.is_technician
        self._settle_abandoned(Cause.TAKEN_OVER)
        self._visit = visit
        self._patience.hush()
        self._language = self._e.preferences.language_of(person.id) or Language.FR
        if needs_pin:
            self._go(Step.PIN)
        else:
            self._to_the_keys(visit)

    def _require_pin(self, person: Person) -> None:
        self._e.pins.require_usable(person.id, self._e.clock.now().time)

    def _to_the_keys(self, visit: Visit) -> None:
        unsigned = self._e.register.unsigned_of(visit.person.id)
        if visit.opened:
            if not self._e.door.is_open:
                self._reopen(visit)
            self._go(Step.OPEN)
        elif unsigned:
            visit.learn(self._e.register, [item.id for item in unsigned])
            visit.basket = {item.id: Act.SIGN for item in unsigned}
            self._go(Step.SIGNING)
        else:
            self._release(visit)

    def _release(self, visit: Visit) -> None:
        hanging = tuple(hook for hook, occupied in self._e.hooks.sensed.items() if occupied)
        opening = Opening(visit=visit.id, person=visit.person.id, tier=visit.tier, at=self._now(), hanging=hanging)
        began = self._e.clock.now().monotonic
        try:
            self._e.visits.opened(opening)
        except StorageBusy:
            self._forget()
            raise
        visit.opened, visit.hanging = True, set(hanging)
        if self._e.clock.now().monotonic - began > STALE:
            # Whoever tapped may have gone while the disk was slow, and an open door waits for nobody.
            self._leave(Cause.CLOSED)
            raise errors.TornTap
        self._e.door.release()
        self._e.signals.accepted()
        self._go(Step.OPEN)

    def _leave(self, cause: Cause) -> None:
        visit = self._visit
        assert visit is not None
        if visit.opened:
            record_end(self._e, visit, cause)
            if cause is Cause.EXPIRED and self._e.door.is_open:
                visit.basket = {}
                self._abandoned = visit
        self._forget()

    def _forget(self) -> None:
        self._visit, self._language = None, Language.FR
        self._e.hooks.light(frozenset())
        self._go(Step.IDLE)

    # ---- time

    def _pass_time(self) -> None:
        if not self._patience.over(self._step):
            return
        if self._is_over():
            self._leave(Cause.CLOSED)
        elif self._step is Step.DONE:
            self._go(Step.OPEN)
        else:
            self._leave(Cause.EXPIRED)

    def _touch(self) -> None:
        if self._step is not Step.DONE:  # success goes away by itself, touched or not
            self._patience.begin(self._step)

    def _go(self, step: Step) -> None:
        self._step = step
        self._patience.begin(step)

    # ---- saying no

    def _refuse(self, refusal: TrousseauError) -> None:
        for name in ("holder", "person"):
            if isinstance(refusal.values.get(name), str):
                refusal.values[name] = self._e.register.name_of(PersonId(str(refusal.values[name])))
        self._patience.say(refusal, Tone.WARNING if isinstance(refusal, _WARNINGS) else Tone.REFUSED)
        self._e.signals.refused()

    def _note(self, what: str, person: PersonId | None = None, tag: TagId | None = None) -> None:
        self._e.visits.noted(what, self._now(), person, tag)

    def _now(self) -> Timestamp:
        return timestamp(self._e.clock.now().time)

    def _picture(self) -> Screen:
        e = self._e
        common = Screen(
            step=self._step,
            stage=0,
            language=self._language,
            door_open=e.door.is_open,
            reader_up=all(self._readers.values()),
            clock_doubtful=not e.journal.believes(self._now()),
            asking=self._patience.asking,
            notice=self._patience.notice,
            sight=sight(e.witness.view, self._newest, e.clock.now().time),
        )
        return self._easel.place(common if self._visit is None else with_visit(common, self._visit, e.hooks.sensed))
