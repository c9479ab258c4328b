"""How every error becomes an answer: the one place that turns exceptions into HTTP."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from flask import Flask, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from kiosk.domain.errors import (
    BadSignature,
    EmptySignature,
    HardwareMissing,
    NoSuchEntry,
    NotVisiting,
    OutOfService,
    Refusal,
    StorageFailed,
    TrousseauError,
)
from web.texts import N_, say, say_error

_log = logging.getLogger(__name__)

#: By class; the nearest ancestor counts.
STATUSES: Mapping[type[TrousseauError], int] = {
    NotVisiting: 403,
    NoSuchEntry: 404,
    BadSignature: 422,
    EmptySignature: 422,
    Refusal: 409,
    OutOfService: 503,
    StorageFailed: 503,
    HardwareMissing: 503,
    TrousseauError: 500,
}

#: What is said of a request that never reached the desk.
HTTP_TEXTS: Mapping[str, str] = {
    "BadRequest": N_("http.BadRequest"),
    "ForeignHost": N_("http.ForeignHost"),
    "ForeignOrigin": N_("http.ForeignOrigin"),
    "InternalServerError": N_("http.InternalServerError"),
    "MethodNotAllowed": N_("http.MethodNotAllowed"),
    "NotFound": N_("http.NotFound"),
    "RequestEntityTooLarge": N_("http.RequestEntityTooLarge"),
    "TooManyStreams": N_("http.TooManyStreams"),
    "UnsupportedMediaType": N_("http.UnsupportedMediaType"),
    "WrongKey": N_("http.WrongKey"),
}


def install(app: Flask) -> None:
    """Let `app` answer every error with its status, its name and what to do next."""
    app.register_error_handler(TrousseauError, _of_the_house)
    app.register_error_handler(HTTPException, _of_the_request)
    app.register_error_handler(Exception, _unforeseen)


def status_of(error: TrousseauError) -> int:
    """The HTTP status of an error."""
    return next(STATUSES[ancestor] for ancestor in type(error).__mro__ if ancestor in STATUSES)


def _of_the_house(error: TrousseauError) -> ResponseReturnValue:
    return _answer(error.code, say_error(error.code, error.values), status_of(error))


def _of_the_request(error: HTTPException) -> ResponseReturnValue:
    name = type(error).__name__
    text = HTTP_TEXTS.get(name, HTTP_TEXTS["BadRequest"])
    return _answer(name, say(text), error.code or 500)


def _unforeseen(error: Exception) -> ResponseReturnValue:
    _log.error("unforeseen error while answering %s %s", request.method, request.path, exc_info=error)
    return _answer("InternalServerError", say(HTTP_TEXTS["InternalServerError"]), 500)


def _answer(name: str, message: str, status: int) -> ResponseReturnValue:
    # Only a browser that opens a page names HTML; scripts and streams get JSON.
    if request.method == "GET" and "text/html" in request.headers.get("Accept", ""):
        return render_template("error.html", message=message, status=status), status
    return jsonify(error=name, message=message), status
