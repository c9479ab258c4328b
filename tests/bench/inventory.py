"""The inventory's first page over HTTP, with a short journal and with a long one."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from kiosk.bootstrap import opened_store
from kiosk.clock import SystemClock
from kiosk.config import Settings
from kiosk.daemon import WebServer
from kiosk.services.front import Press, Watch
from tests.bench.journals import Journals
from tests.bench.measuring import Figure, Side, Tick, by_turns
from tests.services import LOOPBACK
from web import Services, create_app
from web.guard import cookie_name

ROUNDS: Final = 150
APART: Final = 1.2
_KEY: Final = "bench"


class _ManagersDesk:
    """A desk at which a manager stands at the inventory; the page asks it for nothing else."""

    def may_read_inventory(self, token: str) -> bool:
        return True

    def press(self, token: str, press: Press) -> None:
        raise NotImplementedError

    def watch(self) -> Watch:
        raise NotImplementedError


def measure(journals: Journals, tick: Tick) -> list[Figure]:
    """Ask both cabinets by turns."""
    with _asking(journals.small) as small, _asking(journals.big) as big:
        found = by_turns({"small": small, "big": big}, ROUNDS, tick)
    return [
        Figure(
            what="inventory page over HTTP, long against short journal",
            samples=found["big"],
            reference=found["small"],
            against="1,000 entries",
            bound=APART,
        )
    ]


@contextmanager
def _asking(settings: Settings) -> Iterator[Side]:
    with ExitStack() as stack:
        store = stack.enter_context(opened_store(settings, SystemClock()))
        server = WebServer(create_app(Services(_ManagersDesk(), store.register, _KEY)), 0)
        stack.callback(server.finish)
        server.start()
        stack.callback(server.stop)
        connection = http.client.HTTPConnection(LOOPBACK, server.port)
        stack.callback(connection.close)
        yield lambda: _ask(connection)


def _ask(connection: http.client.HTTPConnection) -> float:
    began = time.perf_counter()
    connection.request("GET", "/inventory", headers={"X-Visit": "bench", "Cookie": f"{cookie_name(_KEY)}={_KEY}"})
    answer = connection.getresponse()
    page = answer.read()
    taken = time.perf_counter() - began
    assert answer.status == http.client.OK, page
    assert b"T-001" in page
    return taken
