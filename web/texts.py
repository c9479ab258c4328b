"""Which text says what. Every text is in the catalogues under a symbolic name; here are the names that are chosen at run time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask import request
from flask_babel import force_locale, format_datetime, gettext

from kiosk.domain.access_means import Kind, Place, State
from kiosk.domain.custody import Act
from kiosk.domain.identifiers import Timestamp
from kiosk.domain.people import Language, Tier
from kiosk.services.front import Tone
from kiosk.services.ports import Trouble
from kiosk.services.timestamps import moment

#: Where the cabinets stand: times are shown as the wall clock there shows them.
TIME_ZONE = "Europe/Paris"


def N_(name: str) -> str:  # the name by which catalogues' tools know a text that is fetched later
    """Mark a text's name for collection without fetching the text."""
    return name


KINDS: Mapping[Kind, str] = {
    Kind.BADGE: N_("kind.badge"),
    Kind.MECHANICAL_KEY: N_("kind.mechanical_key"),
    Kind.CODED_KEY: N_("kind.coded_key"),
    Kind.MASTER_KEY: N_("kind.master_key"),
}

STATES: Mapping[State, str] = {
    State.IN_SERVICE: N_("state.in_service"),
    State.RESTITUTED: N_("state.restituted"),
    State.LOST: N_("state.lost"),
}

PLACES: Mapping[Place, str] = {
    Place.HOOK: N_("place.hook"),
    Place.HEADQUARTERS: N_("place.headquarters"),
    Place.PERSON: N_("place.person"),
    Place.CLIENT: N_("place.client"),
    Place.UNKNOWN: N_("place.unknown"),
}

ACTS: Mapping[Act, str] = {
    Act.TAKE: N_("act.take"),
    Act.LEAVE_UNSIGNED: N_("act.leave_unsigned"),
    Act.SIGN: N_("act.sign"),
    Act.RETURN: N_("act.return"),
}

DONE_ACTS: Mapping[Act, str] = {
    Act.TAKE: N_("done.take"),
    Act.LEAVE_UNSIGNED: N_("done.leave_unsigned"),
    Act.SIGN: N_("done.sign"),
    Act.RETURN: N_("done.return"),
}

TIERS: Mapping[Tier, str] = {
    Tier.AUTHENTICATED: N_("tier.authenticated"),
    Tier.PASSWORD_CHECKED: N_("tier.password_checked"),
    Tier.IDENTIFIER_ONLY: N_("tier.identifier_only"),
}

TONES: Mapping[Tone, str] = {
    Tone.REFUSED: N_("tone.refused"),
    Tone.WARNING: N_("tone.warning"),
}

TROUBLES: Mapping[Trouble, str] = {
    Trouble.REFUSED: N_("trouble.refused"),
    Trouble.BEHIND: N_("trouble.behind"),
    Trouble.UNCONFIRMED: N_("trouble.unconfirmed"),
}

ERRORS = (
    N_("error.AlreadyInitialised"),
    N_("error.BadCopy"),
    N_("error.BadgeFirst"),
    N_("error.BadImport"),
    N_("error.BadPin"),
    N_("error.BadSettings"),
    N_("error.BadSignature"),
    N_("error.BrokerFailed"),
    N_("error.CentralDatabaseFailed"),
    N_("error.ClonedBadge"),
    N_("error.CloseDoorFirst"),
    N_("error.EmptySignature"),
    N_("error.ForeignDatabase"),
    N_("error.ForeignKey"),
    N_("error.HandRefused.already_on_hook"),
    N_("error.HandRefused.door_shut"),
    N_("error.HandRefused.hook_taken"),
    N_("error.HandRefused.no_hook"),
    N_("error.HandRefused.not_on_hook"),
    N_("error.HandRefused.unknown_tag"),
    N_("error.HardwareMissing.choose_factory"),
    N_("error.HardwareMissing.install_package"),
    N_("error.HardwareMissing.join_group"),
    N_("error.HeadquartersSilent"),
    N_("error.HeldByAnother"),
    N_("error.HistoryRefused"),
    N_("error.JournalBehind"),
    N_("error.JournalUnconfirmed"),
    N_("error.KeyExists"),
    N_("error.KeyMissing.log"),
    N_("error.KeyMissing.witness"),
    N_("error.LostItem"),
    N_("error.NoPin"),
    N_("error.NoSuchAlarm"),
    N_("error.NoSuchEntry"),
    N_("error.NoSuchLog"),
    N_("error.NotActive"),
    N_("error.NotADemo"),
    N_("error.NotAllowed"),
    N_("error.NothingToRestore"),
    N_("error.NotInitialised"),
    N_("error.NotInService"),
    N_("error.NotIssued.authority"),
    N_("error.NotIssued.exists"),
    N_("error.NotIssued.host"),
    N_("error.NotIssued.name"),
    N_("error.NotLetIn"),
    N_("error.NotNow"),
    N_("error.NotPlaced.altered"),
    N_("error.NotPlaced.broken"),
    N_("error.NotPlaced.busy"),
    N_("error.NotPlaced.early"),
    N_("error.NotPlaced.no_place"),
    N_("error.NotPlaced.not_enrolled"),
    N_("error.NotPlaced.unreadable"),
    N_("error.NotPossible"),
    N_("error.NotQuarantined"),
    N_("error.NotRightful"),
    N_("error.NotRunning"),
    N_("error.NotTechnician"),
    N_("error.NotVisiting"),
    N_("error.NoVerifierKeys"),
    N_("error.OutOfService"),
    N_("error.PinLocked"),
    N_("error.PortTaken"),
    N_("error.RandomIdentifier"),
    N_("error.Refusal"),
    N_("error.RevokedBadge"),
    N_("error.ScreenStuck"),
    N_("error.SeveralTags"),
    N_("error.SignFirst"),
    N_("error.StatementChanged"),
    N_("error.StorageBusy"),
    N_("error.StorageFailed"),
    N_("error.TornTap"),
    N_("error.TrousseauError"),
    N_("error.UnknownBadge"),
    N_("error.UnknownKey"),
    N_("error.UnknownPerson"),
    N_("error.VisitInProgress"),
    N_("error.WriterBusy"),
    N_("error.WrongPin"),
)

EVENTS = (
    N_("event.cabinet.door_left_open"),
    N_("event.cabinet.visit_unresolved"),
    N_("event.custody.returned"),
    N_("event.custody.take_signed"),
    N_("event.custody.taken"),
    N_("event.custody.taken_unsigned"),
    N_("event.ledger.stream_opened"),
    N_("event.people.badge_assigned"),
    N_("event.people.badge_revoked"),
    N_("event.people.enrolled"),
    N_("event.people.left"),
    N_("event.register.client_registered"),
    N_("event.register.item_received"),
    N_("event.register.site_registered"),
)

#: What a page says when nobody is there to word it.
OFFLINE: Mapping[str, str] = {
    "title": N_("offline.title"),
    "text": N_("offline.text"),
    "reconnecting": N_("offline.reconnecting"),
}

#: What stands for a value that nobody gave.
MISSING: Mapping[str, str] = {
    "folder": N_("missing.folder"),
    "item": N_("missing.item"),
    "holder": N_("missing.holder"),
    "person": N_("missing.person"),
}


class _Tolerant(dict[str, object]):
    """Values for a sentence, of which some may be missing: half an explanation beats a crash in front of a person."""

    def __missing__(self, name: str) -> str:
        return cast("str", gettext(MISSING[name])) if name in MISSING else "…"


def say(name: str, values: Mapping[str, object] | None = None) -> str:
    """The text called `name` in the present language, with `values`; one that is missing or None is written around."""
    known = {key: _shown(key, value) for key, value in (values or {}).items() if value is not None}
    return cast("str", gettext(name)) % _Tolerant(known)


def _shown(name: str, value: object) -> object:
    return local_time(Timestamp(str(value)), "HH:mm") if name == "until" else value


def local_time(text: Timestamp, pattern: str = "d MMM yyyy HH:mm") -> str:
    """A moment as the clock on the wall shows it, in the present language."""
    return str(format_datetime(moment(text), pattern))


def clock_time(text: Timestamp) -> str:
    """The same without the year, for what is recent; as it is written when it is no moment, which an entry from afar may say."""
    try:
        return local_time(text, "d MMM HH:mm:ss")
    except ValueError:
        return text


def say_error(code: str, values: Mapping[str, object] | None = None) -> str:
    """What happened and what to do next. An error that has no text yet gets the sentence of all refusals."""
    name = f"error.{code}"
    return say(name if name in ERRORS else "error.Refusal", values)


def say_event(type_: str) -> str:
    """An event's type in words; a type of a later version as it is written."""
    name = f"event.{type_}"
    return say(name) if name in EVENTS else type_


def wanted_language() -> Language:
    """The language of the page that asks: in its address, or as its scripts say in `Accept-Language`; or else French."""
    named = request.args.get("lang", "")
    if named in list(Language):
        return Language(named)
    best = request.accept_languages.best_match([language.value for language in Language])
    return Language(best) if best else Language.FR


def in_language(language: str, name: str) -> str:
    """A text in a language of its own, for what has to be said in both."""
    with force_locale(language):
        return say(name)
