"""The machine's clocks, filling the port `Clock`."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from kiosk.services.ports import Reading

#: Linux makes it anew at each boot.
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class SystemClock:
    """Wall time in UTC, and CLOCK_MONOTONIC under the kernel's boot id."""

    def __init__(self) -> None:
        self._boot = _BOOT_ID.read_text(encoding="ascii").strip()

    def now(self) -> Reading:
        """Read the clocks."""
        return Reading(datetime.now(UTC), time.monotonic_ns(), self._boot)
