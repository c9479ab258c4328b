import pytest
from flask import Flask
from flask.testing import FlaskClient

from kiosk.domain import errors
from kiosk.domain.errors import Refusal, TrousseauError
from web.errors import status_of
from web.texts import say_error


def every(root: type[TrousseauError]) -> list[type[TrousseauError]]:
    return [error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, root)]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.NotVisiting, 403),
        (errors.BadSignature, 422),
        (errors.EmptySignature, 422),
        (errors.HeldByAnother, 409),
        (errors.WrongPin, 409),
        (errors.OutOfService, 503),
        (errors.StorageFailed, 503),
        (errors.BadSettings, 500),
    ],
)
def test_each_kind_of_error_has_its_status(error: type[TrousseauError], status: int) -> None:
    assert status_of(error()) == status


@pytest.mark.parametrize("error", every(Refusal), ids=lambda error: error.__name__)
def test_no_refusal_is_told_as_a_fault_of_the_server(error: type[Refusal]) -> None:
    assert 400 <= status_of(error()) < 500


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("error", every(TrousseauError), ids=lambda error: error.__name__)
def test_every_error_says_what_happened_and_what_to_do_even_without_its_values(
    app: Flask, error: type[TrousseauError], language: str
) -> None:
    with app.test_request_context(f"/?lang={language}"):
        text = say_error(error.__name__)
    assert len([sentence for sentence in text.replace("?", ".").split(". ") if sentence]) >= 2
    assert "%(" not in text


def test_an_error_names_what_it_knows(app: Flask) -> None:
    with app.test_request_context("/?lang=fr"):
        text = say_error("HeldByAnother", {"item": "T-011", "holder": "Julien Morel"})
        unknown = say_error("HeldByAnother", {"holder": None})
    assert text.startswith("Le registre attribue T-011 à Julien Morel.")
    assert unknown.startswith("Le registre attribue ce moyen d’accès à une autre personne.")


def test_a_lock_out_is_told_in_the_time_of_the_wall_clock(app: Flask) -> None:
    with app.test_request_context("/?lang=fr"):
        assert "bloqué jusqu’à 07:15" in say_error("PinLocked", {"until": "2026-11-23T06:15:00.000Z"})


def test_an_error_of_a_later_version_has_a_sentence_all_the_same(app: Flask) -> None:
    with app.test_request_context("/?lang=fr"):
        assert "rien n’a changé" in say_error("NotInventedYet")


def test_a_refused_press_is_answered_in_json_with_its_name(client: FlaskClient) -> None:
    answer = client.post("/press/cancel", json={}, headers={"X-Visit": "old", "Accept-Language": "en"})
    assert answer.status_code == 403
    assert answer.get_json() == {
        "error": "NotVisiting",
        "message": "This visit is over. Present your badge again.",
    }


def test_an_unforeseen_error_tells_nothing_of_the_inside(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("secret")

    monkeypatch.setitem(app.view_functions, "screen.page", fail)
    answer = client.get("/", headers={"Accept": "text/html"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "secret" in caplog.text
