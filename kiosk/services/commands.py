"""Names for acts."""

from __future__ import annotations

import secrets
import time
import uuid

from kiosk.domain.identifiers import CommandId

_MS = 1_000_000


def new_command() -> CommandId:
    """A fresh UUIDv7 (RFC 9562): it sorts by time, so the journal's index grows at its end. Nothing else depends on that."""
    milliseconds = (time.time_ns() // _MS) & ((1 << 48) - 1)
    value = milliseconds << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return CommandId(str(uuid.UUID(int=value)))


def following(cause: str, what: str) -> CommandId:
    """The one command that `what` about `cause` (a visit, say) has; doing it again after a crash is the same command."""
    return CommandId(str(uuid.uuid5(uuid.NAMESPACE_URL, f"urn:trousseau:{cause}:{what}")))
