"""The topics, each made and read in one place.

Invariant: the node in a topic is who the broker let in (its access list is written by node), so a message is believed about
that node and no other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kiosk.domain.identifiers import Digest

ROOT: Final = "trousseau/v1"
NODE_PATTERN: Final = "^[a-z0-9-]{3,32}$"
DIGEST_PATTERN: Final = "^[0-9a-f]{64}$"
STREAM_PATTERN: Final = "^[0-9A-Za-z-]{1,64}$"

HEADQUARTERS_STATUS: Final = f"{ROOT}/hq/status"
#: What headquarters listens to.
EVERY_EVENT: Final = f"{ROOT}/from/+/events/#"
EVERY_DOCUMENT: Final = f"{ROOT}/from/+/documents/+"
EVERY_STATUS: Final = f"{ROOT}/from/+/status"
EVERY_CHECKPOINT: Final = f"{ROOT}/from/+/checkpoint"
EVERY_RECALL: Final = f"{ROOT}/from/+/recall"

#: The end of a topic is no longer than an event's type may be; longer ones would not fit PostgreSQL's indexes.
_FROM = re.compile(
    rf"{ROOT}/from/(?P<node>[^/]+)/(?P<kind>events|documents|status|checkpoint|recall)(?:/(?P<rest>.{{1,255}}))?"
)
_NODE = re.compile(NODE_PATTERN)
_DIGEST = re.compile(DIGEST_PATTERN)
_STREAM = re.compile(STREAM_PATTERN)


def is_node(name: str) -> bool:
    """Whether this can be a cabinet's name; the shape keeps wildcards and separators out of topics."""
    return _NODE.fullmatch(name) is not None


def is_digest(name: str) -> bool:
    """Whether this can be a digest."""
    return _DIGEST.fullmatch(name) is not None


def is_stream(name: str) -> bool:
    """Whether this can be a journal's name."""
    return _STREAM.fullmatch(name) is not None


def event(node: str, type_: str) -> str:
    """Where a cabinet publishes entries of this type: `custody.taken` ends in `/custody/taken`."""
    return f"{ROOT}/from/{node}/events/{type_.replace('.', '/')}"


def document(node: str, digest: Digest) -> str:
    """Where a cabinet publishes a document that was asked for."""
    return f"{ROOT}/from/{node}/documents/{digest}"


def status(node: str) -> str:
    """Where a cabinet says whether it is there; retained."""
    return f"{ROOT}/from/{node}/status"


def checkpoint(node: str) -> str:
    """Where a cabinet publishes the signed heads of its journal."""
    return f"{ROOT}/from/{node}/checkpoint"


def ack(node: str) -> str:
    """Where headquarters says how much of a cabinet's journal it has signed for; retained."""
    return f"{ROOT}/to/{node}/ack"


def wanted(node: str) -> str:
    """Where headquarters asks a cabinet for documents."""
    return f"{ROOT}/to/{node}/wanted"


def recall(node: str) -> str:
    """Where a cabinet whose journal was lost asks headquarters for it."""
    return f"{ROOT}/from/{node}/recall"


def recalled(node: str) -> str:
    """Where headquarters says which journals of this cabinet it holds; all that was recalled comes below."""
    return f"{ROOT}/to/{node}/recalled"


def recalled_entries(node: str, stream: str, after: int) -> str:
    """Where the entries that follow this sequence number come."""
    return f"{recalled(node)}/entries/{stream}/{after}"


def recalled_document(node: str, digest: Digest) -> str:
    """Where a document comes that was recalled."""
    return f"{recalled(node)}/documents/{digest}"


class Kind(StrEnum):
    """What a cabinet sends."""

    EVENT = "events"
    DOCUMENT = "documents"
    STATUS = "status"
    CHECKPOINT = "checkpoint"
    RECALL = "recall"


#: The kinds whose topic ends with them.
_BARE: Final = frozenset({Kind.STATUS, Kind.CHECKPOINT, Kind.RECALL})


@dataclass(frozen=True, slots=True)
class Origin:
    """What a topic of a cabinet tells: who sent, what kind, and for a document its digest."""

    node: str
    kind: Kind
    rest: str


def node_of(topic: str) -> str:
    """Whose topic it is, whatever else it says; empty when it is nobody's."""
    found = _FROM.fullmatch(topic)
    return found["node"] if found is not None else ""


def origin(topic: str) -> Origin | None:
    """Read a topic that headquarters listens to; None when it is not one."""
    found = _FROM.fullmatch(topic)
    if found is None or not is_node(found["node"]):
        return None
    read = Origin(found["node"], Kind(found["kind"]), found["rest"] or "")
    if (read.kind in _BARE) != (read.rest == ""):
        return None
    if read.kind is Kind.DOCUMENT and not is_digest(read.rest):
        return None
    return read
