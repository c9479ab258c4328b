"""Bad luck at the touchscreen: reloads, second screens, quick fingers, a silent server."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from playwright.sync_api import expect

from kiosk.services import patience
from kiosk.services.front import Step
from tests.e2e.cabinet import Cabinet, Stand, middle
from tests.services import LOOPBACK


def test_a_tap_on_valider_right_after_a_stroke_still_clicks(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-004")
    # Where Valider will be, measured before: between lifting the finger and the tap nothing may wait.
    confirm = stand.find("#confirm")
    for _ in range(2):
        stand.finger.sign(stand.find("#pad"))
    stand.finger.tap(confirm)
    stand.sees("done")
    assert cabinet.custody("T-004") == ["custody.taken"]


def test_a_dot_or_two_cannot_be_sent_as_a_signature(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-004")
    for place in (0.3, 0.6):
        stand.finger.sign(stand.find("#pad"), [(place, 0.5)])
    expect(stand.find("#confirm")).to_be_disabled()


def test_clearing_the_pad_disables_valider(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-004")
    stand.sign()
    expect(stand.find("#confirm")).to_be_enabled()
    stand.tap("#clear")
    expect(stand.find("#confirm")).to_be_disabled()


def test_a_page_reloaded_in_mid_signing_shows_the_same_statement_and_signs_once(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-004")
    stand.sign()
    shown = stand.find("[data-statement]").get_attribute("data-statement")
    stand.page.reload()
    stand.sees("signing")
    assert stand.find("[data-statement]").get_attribute("data-statement") == shown
    stand.sign()
    stand.validate()
    stand.sees("done")
    assert cabinet.custody("T-004") == ["custody.taken"]


def test_valider_on_two_open_screens_records_one_event(cabinet: Cabinet) -> None:
    stands = [cabinet.stand(), cabinet.stand()]
    cabinet.identify(stands[0])
    cabinet.lift("T-004")
    for stand in stands:
        stand.sees("signing")
        stand.sign()
        expect(stand.find("#confirm")).to_be_enabled()
    # Aimed at before either is touched: the second screen moves on as soon as the first has signed.
    aims = [middle(stand.find("#confirm")) for stand in stands]
    for stand, aim in zip(stands, aims, strict=True):
        stand.finger.touch(aim)
    for stand in stands:
        stand.sees("done")
    assert cabinet.custody("T-004") == ["custody.taken"]


def test_valider_touched_twice_records_one_event(cabinet: Cabinet) -> None:
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-004")
    stand.sign()
    stand.find("#confirm").evaluate("button => { button.click(); button.disabled = false; button.click(); }")
    stand.sees("done")
    assert cabinet.custody("T-004") == ["custody.taken"]


def test_somebody_who_waits_is_asked_and_one_touch_keeps_the_visit(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(patience.PATIENCE, Step.SIGNING, 1)  # shorter than a person would like
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-004")
    stand.reads("Toujours là")
    monkeypatch.undo()
    stand.tap('[data-press="still-here"]')
    expect(stand.find(".asking")).to_have_count(0)
    stand.sees("signing")


def test_the_question_whether_somebody_is_there_keeps_the_drawing(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(patience.PATIENCE, Step.SIGNING, 2)  # shorter than a person would like
    stand = cabinet.stand()
    cabinet.to_signing(stand, "T-004")
    stand.sign()
    stand.reads("Toujours là")
    monkeypatch.undo()
    stand.tap('[data-press="still-here"]')
    stand.validate()
    stand.sees("done")


class Wire:
    """The cable between a screen and its server, that can fall silent without breaking."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.create_server((LOOPBACK, 0))
        self.port = int(self._listener.getsockname()[1])
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def freeze(self) -> None:
        self._open.clear()

    def thaw(self) -> None:
        self._open.set()

    def close(self) -> None:
        self._open.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._sockets):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection((LOOPBACK, self._to))
                self._sockets += [client, server]
                for source, target in ((client, server), (server, client)):
                    thread = threading.Thread(target=self._carry, args=(source, target))
                    self._threads.append(thread)
                    thread.start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while some := source.recv(65536):
                self._open.wait()
                target.sendall(some)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def wire(port: int) -> Iterator[Wire]:
    made = Wire(port)
    try:
        yield made
    finally:
        made.close()


def test_a_server_that_falls_silent_shows_out_of_service_and_comes_back(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.screen.HEARTBEAT", 1.0)
    with wire(cabinet.port) as cable:
        stand: Stand = cabinet.stand(port=cable.port)
        cable.freeze()
        expect(stand.find("#offline")).to_be_visible(timeout=8000)
        stand.reads("Hors service")
        cable.thaw()
        expect(stand.find("#offline")).to_be_hidden(timeout=8000)
        stand.reads("Présentez votre badge")
        stand.page.context.close()


def test_a_screen_whose_server_is_quiet_but_alive_stays_in_service(
    cabinet: Cabinet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.screen.HEARTBEAT", 1.0)
    stand = cabinet.stand()
    stand.page.wait_for_timeout(4000)
    expect(stand.find("#offline")).to_be_hidden()
