"""The screens of a real cabinet: its desk, its store and its simulated hardware, without listener or broker."""

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kiosk.bootstrap import SIMULATION, Cabinet, cabinet, initialise


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cabinet]:
    """A cabinet whose desk serves; nobody is at it."""
    folder = tmp_path_factory.mktemp("cabinet") / "data"
    settings = initialise(folder, "cabinet-1", pins="mock")
    (folder / SIMULATION).write_text("name,kind,label,uid,medium,hook\n", encoding="utf-8")
    with cabinet(settings) as made:
        made.counter.start()
        try:
            yield made
        finally:
            made.counter.stop()


@pytest.fixture
def app(built: Cabinet) -> Flask:
    """The cabinet's application."""
    assert isinstance(built.app, Flask)
    return built.app


@pytest.fixture
def client(app: Flask, built: Cabinet) -> FlaskClient:
    """The cabinet's own browser, with the screen's key."""
    browser = app.test_client()
    assert browser.get(f"/?k={built.screen_key}").status_code == 302
    return browser
