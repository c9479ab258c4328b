"""Names of things. Each is a string with one meaning, so that mypy keeps them apart."""

from __future__ import annotations

from typing import NewType

ItemId = NewType("ItemId", str)
"""The access means' unique identifier in the register (§1)."""

PersonId = NewType("PersonId", str)
"""A pseudonymous identifier; the name stands in a profile document."""

ClientId = NewType("ClientId", str)
SiteId = NewType("SiteId", str)
HookId = NewType("HookId", str)

TagId = NewType("TagId", str)
"""HMAC-SHA-256 of a badge's or tag's UID, 64 lower-case hex digits. The UID itself is never stored."""

Digest = NewType("Digest", str)
"""SHA-256 over a document's salt and content, 64 lower-case hex digits."""

CommandId = NewType("CommandId", str)
"""One act. Recording the same command twice changes nothing."""

VisitId = NewType("VisitId", str)

StreamId = NewType("StreamId", str)
"""One of a cabinet's journals."""

Size = NewType("Size", str)
"""How many entries a journal has, in decimal."""

Root = NewType("Root", str)
"""The root of the Merkle tree over a journal, 64 lower-case hex digits."""

Timestamp = NewType("Timestamp", str)
"""RFC 3339, UTC, milliseconds: `2026-11-23T06:00:00.000Z`. Sorts as text."""
