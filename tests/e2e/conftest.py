"""What the browser tests may ask for: `cabinet`, a whole demonstration of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from kiosk.demo import demonstration
from tests.e2e.cabinet import Cabinet, opened
from tests.services import free_port


@pytest.fixture
def cabinet(tmp_path: Path, browser: Browser) -> Iterator[Cabinet]:
    """The real desk, store, readers, broker and headquarters, with simulated hands."""
    with demonstration(tmp_path / "cabinet", free_port()) as running, opened(running, browser) as found:
        yield found
