import pytest
from flask import Flask
from flask.testing import FlaskClient

from kiosk.bootstrap import Cabinet
from web.guard import OUR_HOST, cookie_name


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "localhost:1", "LocalHost", "[::1]", "[::1]:65535"])
def test_the_machines_own_names_are_ours(host: str) -> None:
    assert OUR_HOST.fullmatch(host)


@pytest.mark.parametrize(
    "host",
    ["", "127.0.0.1.example.org", "example.org", "127.0.0.2", "localhost.", "localhost:", "::1", "127.0.0.1:８０"],
)
def test_other_names_are_not(host: str) -> None:
    assert not OUR_HOST.fullmatch(host)


def test_without_the_key_a_page_explains_how_to_open_the_screen(app: Flask) -> None:
    answer = app.test_client().get("/", headers={"Accept": "text/html"})
    assert answer.status_code == 403
    assert "kiosk run" in answer.text
    assert "<h1>" in answer.text


def test_without_the_key_a_script_gets_json(app: Flask) -> None:
    answer = app.test_client().post("/press/cancel", json={})
    assert (answer.status_code, answer.get_json()["error"]) == (403, "WrongKey")


def test_two_cabinets_on_one_machine_keep_their_cookies_apart(built: Cabinet) -> None:
    assert cookie_name(built.screen_key) != cookie_name("another")
    assert built.screen_key not in cookie_name(built.screen_key)


def test_a_cabinet_that_is_not_a_demonstration_has_no_virtual_hands_and_cannot_be_framed(client: FlaskClient) -> None:
    assert client.get("/demo").status_code == 404
    assert "frame-ancestors 'none'" in client.get("/").headers["Content-Security-Policy"]


def test_pages_are_never_kept_and_never_unsafe(client: FlaskClient) -> None:
    headers = client.get("/").headers
    assert headers["Cache-Control"] == "no-store"
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_no_template_needs_what_the_policy_forbids(app: Flask) -> None:
    environment = app.jinja_env
    assert environment.loader is not None
    for name in environment.list_templates(extensions=["html"]):
        source = environment.loader.get_source(environment, name)[0]
        for forbidden in (" style=", "<style", "onclick=", "javascript:", "https://", "|safe", "| safe"):
            assert forbidden not in source, name
