"""One person's visit to the cabinet, from badge to closed door."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kiosk.domain.access_means import AccessMeans, Place
from kiosk.domain.custody import Act
from kiosk.domain.identifiers import CommandId, HookId, ItemId, VisitId
from kiosk.domain.people import Language, Person, Tier
from kiosk.domain.statements import Article, Statement, statement
from kiosk.services.custody import Loose, Piece, Visitor
from kiosk.services.front import BasketLine
from kiosk.services.ports import Hooks, InventoryLine, Register


@dataclass(slots=True)
class Visit:
    """What the desk remembers of the visit in progress. The desk's thread alone touches it."""

    person: Person
    name: str
    tier: Tier
    command: CommandId
    id: VisitId = field(default_factory=lambda: VisitId(str(uuid.uuid4())))
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    opened: bool = False
    pin_given: bool = False
    wants_inventory: bool = False
    basket: dict[ItemId, Act] = field(default_factory=dict)
    hanging: set[HookId] = field(default_factory=set)
    lines: dict[ItemId, InventoryLine] = field(default_factory=dict)
    untapped: dict[ItemId, Act] = field(default_factory=dict)
    recorded: tuple[BasketLine, ...] = ()
    receipt: str = ""

    @property
    def visitor(self) -> Visitor:
        """Who acts."""
        return Visitor(self.person, self.id, self.tier)

    def look_around(self, register: Register, sensed: Mapping[HookId, bool]) -> None:
        """Compare the hooks with what hung when the door was opened: what moved without a tap?"""
        self.untapped = {}
        for hook, occupied in sorted(sensed.items()):
            if occupied != (hook in self.hanging):
                self.untapped |= {
                    item.id: Act.RETURN if occupied else Act.TAKE
                    for item in register.items_on(hook)
                    if item.id not in self.basket and self._unexplained(item, occupied=occupied)
                }
        self.learn(register, list(self.untapped))

    def _unexplained(self, item: AccessMeans, *, occupied: bool) -> bool:
        """Whether the register does not tell yet why this item's hook was filled or emptied."""
        mine = item.place is Place.PERSON and item.holder == self.person.id
        return mine if occupied else not mine

    def learn(self, register: Register, items: Sequence[ItemId]) -> None:
        """Fetch the names of items that the screen will show."""
        unknown = [item for item in items if item not in self.lines]
        if unknown:
            self.lines |= {line.item.id: line for line in register.lines_of(unknown)}

    def loose(self, sensed: Mapping[HookId, bool]) -> list[Loose]:
        """What would leave unsigned if the visit ended now."""
        tapped = [item for item, act in self.basket.items() if act is Act.TAKE]
        return [Loose(item, tapped=True, sensed=_emptied(self.lines[item], sensed)) for item in tapped] + [
            Loose(item, tapped=False, sensed=True) for item, act in self.untapped.items() if act is Act.TAKE
        ]

    def pieces(self, hooks: Hooks) -> list[Piece]:
        """The basket, each key with what its hook's switch says of the act."""
        sensed = hooks.sensed
        return [Piece(item, act, _agrees(self.lines[item], act, sensed)) for item, act in self.basket.items()]

    def statement(self, language: Language) -> Statement:
        """What is signed if the basket is signed now."""
        articles: dict[Act, list[Article]] = {}
        for item, act in self.basket.items():
            line = self.lines[item]
            articles.setdefault(act, []).append(Article(item, line.designation, line.client, line.site))
        return statement(language, self.name, articles)

    def basket_lines(self, sensed: Mapping[HookId, bool]) -> tuple[BasketLine, ...]:
        """The basket as the screen shows it."""
        return tuple(_line(self.lines[item], act, sensed) for item, act in self.basket.items())

    def untapped_lines(self, sensed: Mapping[HookId, bool]) -> tuple[BasketLine, ...]:
        """The items to be tapped still, as the screen shows them."""
        return tuple(_line(self.lines[item], act, sensed) for item, act in self.untapped.items())

    @property
    def lit(self) -> frozenset[HookId]:
        """The hooks that wait for a key."""
        returning = (self.lines[item].item.hook for item, act in self.basket.items() if act is Act.RETURN)
        return frozenset(hook for hook in returning if hook is not None)


def _line(line: InventoryLine, act: Act, sensed: Mapping[HookId, bool]) -> BasketLine:
    hook = line.item.hook
    on_hook = None if hook is None else sensed.get(hook)
    return BasketLine(line.item.id, act, line.designation, line.client, line.site, hook, on_hook)


def _emptied(line: InventoryLine, sensed: Mapping[HookId, bool]) -> bool:
    return line.item.hook is not None and sensed.get(line.item.hook) is False


def _agrees(line: InventoryLine, act: Act, sensed: Mapping[HookId, bool]) -> bool:
    if act is Act.TAKE:
        return _emptied(line, sensed)
    return line.item.hook is not None and sensed.get(line.item.hook) is True
