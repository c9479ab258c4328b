"""A cabinet in a process of its own: technicians take keys and bring them back until it is killed.

`python -m tests.integration.chaos.cabinet FOLDER NODE PORT SEED`. Acts are numbered. After a death the act of which nobody was
told is done once more, as by a technician who presses the button again. When `ENOUGH` is there nobody comes any more, which
`EMPTY` confirms; the relay goes on.
"""

import sys
import time
from itertools import count
from pathlib import Path
from random import Random
from typing import Final

from kiosk.domain import events
from kiosk.domain.access_means import Kind, Place, State
from kiosk.domain.identifiers import ClientId, CommandId, Digest, ItemId, SiteId, VisitId
from kiosk.domain.people import Role, Tier
from kiosk.mqtt.client import BrokerAddress
from kiosk.services.codec import profile
from kiosk.store.journal import ActTransaction
from tests.integration.chaos.told import Book, last_told
from tests.integration.hq.parts import NADIA, Cabinet
from tests.services import LOOPBACK

ENOUGH: Final = "enough"
EMPTY: Final = "empty"
ITEMS: Final = tuple(ItemId(f"K-{number}") for number in range(8))
#: A drawing, bytes, and now and then a letter that is sent in chunks.
DRAWING: Final = 3_000
LETTER: Final = 150_000
LETTER_EVERY: Final = 25
#: Seconds from one act to the next: people come in crowds.
PAUSES: Final = (0.0, 0.0, 0.0, 0.0, 0.01, 0.3)


def command_of(number: int) -> CommandId:
    """The same for the same act, however often it is tried."""
    return CommandId(f"act-{number}")


def move_in(act: ActTransaction) -> None:
    """The first act: a person, a client, and the keys."""
    client, site = ClientId("c-1"), SiteId("s-1")
    act.record(events.PersonEnrolled(person=NADIA, roles=(Role.TECHNICIAN,), profile=act.keep(profile(name="Nadia"))))
    act.record(events.ClientRegistered(client=client, profile=act.keep(profile(name="Musée"))))
    act.record(events.SiteRegistered(site=site, client=client, profile=act.keep(profile(name="Entrée"))))
    for item in ITEMS:
        act.record(
            events.ItemReceived(
                item=item,
                client=client,
                site=site,
                kind=Kind.MECHANICAL_KEY,
                received="2026-01-05",
                in_charge=NADIA,
                state=State.IN_SERVICE,
                profile=act.keep(profile(designation=f"Clé {item}")),
            )
        )


def visit(act: ActTransaction, number: int, chance: Random) -> None:
    """Every other act: some keys, out or back in, with one signature."""
    statement = act.keep(f"Acte {number}".encode())
    signature = act.keep(chance.randbytes(DRAWING if number % LETTER_EVERY else LETTER))
    for item in chance.sample(ITEMS, chance.randint(1, 4)):
        act.record(_moved(act, item, VisitId(f"v-{number}"), statement, signature))


def _moved(
    act: ActTransaction, item: ItemId, visit: VisitId, statement: Digest, signature: Digest
) -> events.Taken | events.Returned:
    found = act.lines.item(item)
    assert found is not None
    movement = events.Returned if found.place is Place.PERSON else events.Taken
    return movement(
        item=item,
        person=NADIA,
        visit=visit,
        tier=Tier.AUTHENTICATED,
        statement=statement,
        signature=signature,
        sensed=True,
    )


def live(cabinet: Cabinet, folder: Path, seed: str) -> None:
    """Act after act, from where the last life was cut off."""
    book = Book(folder)
    for number in count(last_told(folder).act + 1):
        if (folder / ENOUGH).exists():
            return
        chance = Random(f"{seed} {number}")
        with cabinet.journal.act(command_of(number), NADIA) as act:
            if not act.done:
                visit(act, number, chance) if number else move_in(act)
        book.tell(number, cabinet.relay.status.acked, act.recorded)
        time.sleep(chance.choice(PAUSES))


def main(folder: Path, node: str, port: int, seed: str) -> None:
    """Run until killed."""
    cabinet = Cabinet(folder, node)
    cabinet.connect(BrokerAddress(LOOPBACK, port))
    live(cabinet, folder, seed)
    (folder / EMPTY).touch()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4])
