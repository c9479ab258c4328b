"""Who may ask at all: the cabinet's own screen, by its key, under its own name. And what every answer forbids.

The listener is on loopback, but any page that the machine's browser opens can send requests there. So:

- the Host must name this machine, or a foreign name that was made to resolve here would share our origin (DNS rebinding);
- the screen's key, once in the address, then in a cookie, keeps out every other program and page of the machine;
- a POST is JSON from our own origin, which another page's form or script cannot send without being asked first.
"""

from __future__ import annotations

import re
from hashlib import sha256
from hmac import compare_digest

from flask import Flask, Response, redirect, request
from werkzeug.exceptions import BadRequest, Forbidden
from werkzeug.wrappers import Response as AnyResponse

from web.services import services

OUR_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?", re.ASCII | re.IGNORECASE)

#: The whole body of a request; a signature takes a few kilobytes.
LARGEST_BODY = 256 * 1024

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "font-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
}

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class ForeignHost(BadRequest):
    """The request calls this machine by a name that is not its own."""


class WrongKey(Forbidden):
    """The request does not come from the cabinet's own screen."""


class ForeignOrigin(Forbidden):
    """Another site's page sent this request."""


def protect(app: Flask) -> None:
    """Check every request of `app` and close every answer."""
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.before_request(_check_host)
    app.before_request(_check_origin)
    app.before_request(_check_key)
    app.after_request(_close)


def cookie_name(screen_key: str) -> str:
    """The cookie's name: cookies do not tell ports apart, and two cabinets may run on one machine."""
    return f"trousseau-{sha256(screen_key.encode()).hexdigest()[:8]}"


def _check_host() -> None:
    if not OUR_HOST.fullmatch(request.headers.get("Host", "")):
        raise ForeignHost


def _check_origin() -> None:
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{request.headers['Host']}":
        raise ForeignOrigin


def _check_key() -> AnyResponse | None:
    # Style sheets and fonts hold nothing of anybody's, and the page that explains a refusal needs them.
    if request.endpoint == "static":
        return None
    expected = services().screen_key
    given = request.args.get("k") if request.method == "GET" else None
    if given is not None:
        return _let_in(given, expected)
    if not _same(request.cookies.get(cookie_name(expected), ""), expected):
        raise WrongKey
    return None


def _let_in(given: str, expected: str) -> AnyResponse:
    if not _same(given, expected):
        raise WrongKey
    # Away from the address at once: it would stay in the history and in a picture of the screen.
    answer = redirect(request.path)
    answer.set_cookie(cookie_name(expected), expected, httponly=True, samesite="Strict", path="/")
    return answer


def _same(given: str, expected: str) -> bool:
    return compare_digest(given.encode(), expected.encode())


def _close(answer: Response) -> Response:
    policy = POLICY | {"frame-src": "'none'", "frame-ancestors": "'none'"}
    if request.endpoint == "screen.page" and services().demo is not None:
        policy["frame-ancestors"] = "'self'"
    if request.endpoint == "demo.page":
        policy["frame-src"] = "'self'"
    answer.headers["Content-Security-Policy"] = "; ".join(f"{name} {value}" for name, value in policy.items())
    answer.headers.update(ALWAYS)
    if request.endpoint != "static":
        answer.headers["Cache-Control"] = "no-store"
    return answer
