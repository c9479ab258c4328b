"""Somebody who takes a key and brings it back, again and again, and signs each time."""

from __future__ import annotations

import json
import time
from itertools import cycle
from typing import Final
from uuid import uuid4

from kiosk.bootstrap import Store
from kiosk.demo import scribble
from kiosk.domain.custody import Act
from kiosk.domain.identifiers import Digest, ItemId, VisitId
from kiosk.domain.people import Language, Tier
from kiosk.domain.statements import Article, statement
from kiosk.papers.signature import PillowSignatures
from kiosk.services.codec import documents_of
from kiosk.services.commands import new_command
from kiosk.services.custody import CustodyService, Piece, Visitor
from kiosk.services.ports import Strokes
from kiosk.services.sheets import plain

WHO: Final = "Nadia Benali"
BADGE: Final = bytes.fromhex("04FE5518CBE592")
WHAT: Final = ItemId("T-001")
#: For a second signer at the same cabinet.
ANOTHER: Final = ItemId("T-002")


class _Drawn:
    """Has the picture before it is asked for it."""

    def __init__(self) -> None:
        self._picture = PillowSignatures().draw(scribble())

    def draw(self, strokes: Strokes) -> bytes:
        """The same each time."""
        return self._picture


class Signer:
    """Nadia, at the record of the demonstration's cabinet. When `drawn`, her signature is a picture already."""

    def __init__(self, store: Store, what: ItemId = WHAT, *, drawn: bool = False) -> None:
        self._store = store
        self._custody = CustodyService(store.journal, _Drawn(), store.relay) if drawn else store.custody
        person = store.register.person(store.register.directory().persons[plain(WHO)])
        assert person is not None
        self._person, self._strokes = person, scribble()
        line = store.register.lines_of([what])[0]
        self._what = what
        article = Article(what, line.designation, line.client, line.site)
        # An earlier figure may have left the key in her hands.
        acts = (Act.RETURN, Act.TAKE) if line.item.holder else (Act.TAKE, Act.RETURN)
        self._turns = cycle((act, statement(Language.FR, WHO, {act: [article]}).text) for act in acts)

    def sign(self) -> float:
        """What « Valider » does, from the strokes to the commit; tells how long it took."""
        act, text = next(self._turns)
        by = Visitor(self._person, VisitId(str(uuid4())), Tier.AUTHENTICATED)
        began = time.perf_counter()
        self._custody.sign(new_command(), by, [Piece(self._what, act, sensed=True)], text, self._strokes)
        return time.perf_counter() - began

    def draw(self) -> float:
        """The part of it that makes a picture of the strokes."""
        began = time.perf_counter()
        PillowSignatures().draw(self._strokes)
        return time.perf_counter() - began

    def last_rows(self) -> list[bytes]:
        """The bytes that the last signature made durable: its entry, its statement and its drawing."""
        journal = self._store.journal
        entry = journal.read(journal.size() - 1, 1)[0]
        kept = [journal.document(Digest(name)) for name in documents_of(json.loads(entry)["data"])]
        return [entry, *(content for content in kept if content is not None)]
