"""A furnished cabinet for each test; see `tests.building`."""

from tests.building import front, furnished, house

__all__ = ["front", "furnished", "house"]
