"""What a cabinet knows of headquarters: whether it is there, which instance, and what it last acknowledged.

Invariant: an acknowledgement counts only for our stream and under the instance that `hq/status` names, whichever of the two
messages came first.
"""

from __future__ import annotations

from kiosk.mqtt.messages import HeadquartersStatus
from kiosk.services.heads import Answer


class Peer:
    """Headquarters as seen from one stream."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._there: HeadquartersStatus | None = None
        self._answer: Answer | None = None
        #: The instance whose acknowledgements have been counted so far.
        self._counted: str | None = None

    @property
    def present(self) -> bool:
        """Whether headquarters is there to be sent anything."""
        return self._there is not None

    @property
    def silent(self) -> bool:
        """Whether this instance of headquarters has not said yet how far it has got."""
        return self._there is not None and self._there.instance != self._counted

    def gone(self) -> None:
        """The broker is lost, and with it the view of headquarters."""
        self._there = None

    def said(self, status: HeadquartersStatus) -> bool:
        """Take in its presence; tells whether it has come or is another one than before."""
        before = self._there
        if status.online:
            self._there = status
            return before is None or before.instance != status.instance
        # The will of an earlier instance may come late; it says nothing about the one that is there now.
        if before is not None and before.instance == status.instance:
            self._there = None
        return False

    def answered(self, answer: Answer) -> None:
        """Take in an acknowledgement."""
        if answer.stream == self._stream:
            self._answer = answer

    @property
    def answer(self) -> Answer | None:
        """The acknowledgement to count now, if any."""
        there, answer = self._there, self._answer
        return answer if there is not None and answer is not None and answer.instance == there.instance else None

    def count(self, answer: Answer) -> bool:
        """Note that it was counted; tells whether it is the first of its instance, and may be lower than those before."""
        first = answer.instance != self._counted
        self._counted = answer.instance
        return first
