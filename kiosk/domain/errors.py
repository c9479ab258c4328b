"""Every error of the house, under one root. Texts for people are in the translation catalogue under `error.<code>`."""

from __future__ import annotations


class TrousseauError(Exception):
    """The root of every error that this project raises on purpose.

    Args:
        values: what the sentence in the catalogue needs to be exact, by name.
    """

    def __init__(self, **values: object) -> None:
        super().__init__(", ".join(f"{name}={value}" for name, value in values.items()))
        self.values = values

    @property
    def code(self) -> str:
        """The name of its sentence in the catalogue, after `error.`: the class, and its `kind` where there are several."""
        kind = self.values.get("kind")
        return type(self).__name__ if kind is None else f"{type(self).__name__}.{kind}"


class Refusal(TrousseauError):
    """The procedure does not allow it; nothing has changed."""


class NotPossible(Refusal):
    """The item's standing does not allow this act."""


class HeldByAnother(Refusal):
    """Somebody else holds the item."""


class NotInService(Refusal):
    """The item was restituted or lost."""


class LostItem(Refusal):
    """The item was declared lost and is blocked."""


class NotActive(Refusal):
    """The person has left or has been suspended."""


class NotTechnician(Refusal):
    """The person's roles do not allow taking or returning."""


class UnknownBadge(Refusal):
    """Nobody in the register carries this badge."""


class RevokedBadge(Refusal):
    """This badge has been revoked."""


class ClonedBadge(Refusal):
    """The badge shows a known identifier but could not prove that it is the enrolled one."""


class RandomIdentifier(Refusal):
    """The tag invents a new identifier at each tap, so it names nobody and nothing."""


class UnknownKey(Refusal):
    """No access means in the register carries this tag."""


class BadgeFirst(Refusal):
    """A key was tapped before any badge."""


class VisitInProgress(Refusal):
    """Somebody is signing; a second badge has to wait."""


class CloseDoorFirst(Refusal):
    """The door stands open in somebody's name; a badge that does not open it at once has to wait until it is shut."""


class SignFirst(Refusal):
    """An earlier take still waits for its signature."""


class WrongPin(Refusal):
    """The PIN is not the right one."""


class PinLocked(Refusal):
    """Too many wrong PINs; the badge is locked for a while."""


class BadPin(Refusal):
    """A PIN has four to eight digits."""


class NoPin(Refusal):
    """The badge proves only an identifier and its holder has no PIN."""


class NotVisiting(Refusal):
    """The visit that this button belongs to is over."""


class StatementChanged(Refusal):
    """What was signed is no longer what the screen shows."""


class EmptySignature(Refusal):
    """The drawing is too short to be a signature."""


class BadSignature(Refusal):
    """The strokes are not lists of points inside the pad."""


class NotNow(Refusal):
    """The visit is at another step; this button is not on its screen."""


class NotAllowed(Refusal):
    """The person's roles do not allow looking at this."""


class SeveralTags(Refusal):
    """Two tags lie on the reader at once."""


class TornTap(Refusal):
    """The tag left the reader before it was read."""


class HandRefused(Refusal):
    """The simulated hand cannot do that: the door is shut, the hook is taken, …; `kind` says which."""


class HistoryRefused(Refusal):
    """Headquarters has refused this cabinet's journal, with its signature; nothing is taken until that is cleared up."""


class JournalBehind(Refusal):
    """This cabinet's journal is shorter than what headquarters has seen of it; nothing is taken until it is restored."""


class JournalUnconfirmed(Refusal):
    """This journal was restored, and headquarters has not let the new one in; nothing is taken until it has."""


class NoSuchEntry(TrousseauError):
    """The ledger holds no entry of this number."""


class HeadquartersSilent(TrousseauError):
    """Headquarters does not answer; nothing was changed."""


class NothingToRestore(TrousseauError):
    """Headquarters has nothing of this cabinet that it has cosigned; nothing was changed."""


class BadCopy(TrousseauError):
    """What came as headquarters' copy is not what headquarters has signed; nothing was changed."""


class NoVerifierKeys(TrousseauError):
    """There are no public keys to check a proof with."""


class NotLetIn(TrousseauError):
    """Headquarters takes nothing in of a journal of this name."""


class NoSuchLog(TrousseauError):
    """Headquarters has cosigned nothing of this cabinet."""


class OutOfService(TrousseauError):
    """The cabinet has stopped because it could not keep its record."""


class StorageFailed(TrousseauError):
    """The disk did not take a record; nothing more may be opened."""


class StorageBusy(StorageFailed):
    """Somebody else holds the database; nothing was written and trying again is safe."""


class CentralDatabaseFailed(StorageFailed):
    """Headquarters' database does not answer, or does not let us make our tables."""


class WriterBusy(TrousseauError):
    """Another process writes in this data folder."""


class NotRightful(TrousseauError):
    """Another headquarters serves from this database; this one stands by."""


class ForeignKey(TrousseauError):
    """The file holds something else than the keys that were expected."""


class KeyMissing(TrousseauError):
    """A secret key is not there; `kind` names it, and the remedy."""


class KeyExists(TrousseauError):
    """There is a secret key already, which nothing may overwrite."""


class NotQuarantined(TrousseauError):
    """Quarantine holds no message of this number."""


class NotPlaced(TrousseauError):
    """A message still cannot be placed and stays in quarantine; `kind` says why."""


class NoSuchAlarm(TrousseauError):
    """There is no alarm of this number."""


class NotInitialised(TrousseauError):
    """The data folder holds no cabinet yet."""


class AlreadyInitialised(TrousseauError):
    """The data folder already holds a cabinet."""


class ForeignDatabase(TrousseauError):
    """The file is not one of ours, or was written by a later version."""


class BadSettings(TrousseauError):
    """The settings have faults; all of them are listed."""


class BadImport(TrousseauError):
    """The file has faults; all of them are listed by line and nothing was imported."""


class UnknownPerson(TrousseauError):
    """Nobody of that name is in the register."""


class ScreenStuck(TrousseauError):
    """The simulated finger waited for a screen that did not come."""


class NotADemo(TrousseauError):
    """The folder holds a real cabinet; the demonstration would throw it away."""


class PortTaken(TrousseauError):
    """Another program listens on the touchscreen's port."""


class NotRunning(TrousseauError):
    """The command needs the running service, and it does not answer."""


class HardwareMissing(TrousseauError):
    """A pin driver or chip that the settings name is not there; `kind` names the remedy."""


class BrokerFailed(TrousseauError):
    """The demonstration's broker ended or stayed silent instead of becoming ready."""


class NotIssued(TrousseauError):
    """No certificate was made; `kind` names the remedy."""
