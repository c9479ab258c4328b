"""The journal's tree as far as it has been sent."""

from collections.abc import Sequence

from kiosk.domain.identifiers import Digest
from kiosk.ledger.checkpoint import Checkpoint, open_signed
from kiosk.ledger.merkle import Frontier, frontier_at, leaf_hash
from kiosk.ledger.note import Kind, SigningKey
from kiosk.mqtt.track import Track
from kiosk.services.heads import Heads
from tests.attack.logs import Leaves

KEY = SigningKey.generate("trousseau/armoire-7/s", Kind.ED25519)
BODIES = [b"entry %d" % number for number in range(100)]


class Shelf:
    """A journal that only has entries; `asked` notes the sizes of the trees that were read from it."""

    node, stream, is_restored = "armoire-7", "s", False

    def __init__(self) -> None:
        self.asked: list[int] = []

    def size(self) -> int:
        return len(BODIES)

    def read(self, after: int, limit: int) -> list[bytes]:
        return BODIES[after : after + limit]

    def frontier(self, size: int) -> Frontier:
        self.asked.append(size)
        return frontier_at(size, Leaves([leaf_hash(body) for body in BODIES]))

    def document(self, wanted: Digest) -> bytes | None:
        return None


def a_track() -> tuple[Track, Shelf]:
    shelf = Shelf()
    return Track(shelf, Heads(KEY.verifier.name, [KEY], list)), shelf


def head(size: int) -> Checkpoint:
    """What the journal's head of this size has to say."""
    return Checkpoint(KEY.verifier.name, size, Shelf().frontier(size).root())


def opened(note: bytes) -> Checkpoint:
    return open_signed(note, KEY.verifier.name, [KEY.verifier])


def send(track: Track, sizes: Sequence[int]) -> list[Checkpoint]:
    """Send up to each size in turn."""
    return [opened(track.head(BODIES[start:end])) for start, end in zip([0, *sizes], sizes, strict=False)]


def test_each_head_covers_what_was_sent_and_what_follows_now() -> None:
    track, shelf = a_track()
    track.begin(0)
    assert send(track, [1, 16, 17, 49, 100]) == [head(size) for size in (1, 16, 17, 49, 100)]
    assert shelf.asked == [], "going on costs nothing"


def test_after_going_back_heads_are_the_same_again() -> None:
    track, shelf = a_track()
    track.begin(0)
    send(track, [32, 64])
    track.begin(40)
    assert opened(track.head(BODIES[40:64])) == head(64)
    track.begin(64)
    assert shelf.asked == [40]


def test_roots_of_heads_on_the_way_are_known_until_they_are_acknowledged() -> None:
    track, shelf = a_track()
    track.begin(0)
    send(track, [32, 64])
    assert (track.root(32), track.root(64), shelf.asked) == (head(32).root, head(64).root, [])
    track.acknowledged(64)
    assert (track.root(64), shelf.asked) == (head(64).root, [])
    assert (track.root(32), shelf.asked) == (head(32).root, [32])


def test_any_head_may_be_shown() -> None:
    track, _ = a_track()
    assert opened(track.head_at(7)) == head(7)
