"""Time as text: RFC 3339, UTC, milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime

from kiosk.domain.identifiers import Timestamp


def timestamp(moment: datetime) -> Timestamp:
    """An aware moment as text.

    Raises:
        ValueError: the moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone is no moment")
    return Timestamp(moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"))


def moment(text: Timestamp) -> datetime:
    """The moment that a text means, aware, UTC."""
    return datetime.fromisoformat(text)
