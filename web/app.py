"""The application: blueprints, languages, guards; nothing is created at import."""

from __future__ import annotations

from flask import Flask
from flask_babel import Babel, get_locale

from kiosk.domain.people import Language
from web import errors, guard, qr, streams, texts
from web import services as service_registry
from web.demo import demo
from web.inventory import inventory
from web.presses import presses
from web.receipts import receipts
from web.screen import screen
from web.services import Services


def create_app(services: Services) -> Flask:
    """Make the WSGI application of one cabinet.

    Serve it on loopback only, with at least 16 threads: `web.streams.MOST_STREAMS` of them may be kept by streams.
    """
    app = Flask(__name__)
    service_registry.install(app, services)
    streams.install(app)
    guard.protect(app)
    errors.install(app)
    _speak(app)
    for blueprint in (screen, presses, inventory):
        app.register_blueprint(blueprint)
    if services.demo is not None:
        app.register_blueprint(demo)
        app.register_blueprint(receipts)
    return app


def _speak(app: Flask) -> None:
    Babel(
        app,
        default_locale=Language.FR.value,
        default_timezone=texts.TIME_ZONE,
        locale_selector=lambda: texts.wanted_language().value,
    )
    app.jinja_env.filters.update(local_time=texts.local_time, clock_time=texts.clock_time)
    app.jinja_env.globals.update(
        get_locale=get_locale,
        in_language=texts.in_language,
        qr=qr.symbol,
        say=texts.say,
        say_error=texts.say_error,
        say_event=texts.say_event,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
