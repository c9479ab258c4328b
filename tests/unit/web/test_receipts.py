"""The demonstration's receipts, over HTTP."""

from typing import Any, cast

import pytest
from flask.testing import FlaskClient

from kiosk.bootstrap import Cabinet
from kiosk.domain.errors import NoSuchEntry
from kiosk.ledger.entry import unseal
from tests.attack.logs import LOG_KEY, WITNESS_KEY, a_log, receipt, witnessed
from web import Demo, Services, create_app

ENTRIES = a_log(9)
KEYS = f"{LOG_KEY.verifier}\n{WITNESS_KEY.verifier}\n"
LAST = unseal(ENTRIES[-1]).id


class Held:
    """Implements `Receipts`: headquarters holds nine entries."""

    def receipt(self, entry: str) -> bytes:
        """The receipt of one of them."""
        ids = [unseal(body).id for body in ENTRIES]
        if entry not in ids:
            raise NoSuchEntry(id=entry)
        return receipt(ENTRIES, ids.index(entry), witnessed(ENTRIES)).encode()


@pytest.fixture
def browser(built: Cabinet) -> FlaskClient:
    """The browser of a demonstration."""
    assert built.simulation is not None
    demo = Demo(built.simulation, cast(Any, None), Held(), KEYS)
    client = create_app(Services(built.counter, built.store.register, "key", demo)).test_client()
    assert client.get("/?k=key").status_code == 302
    return client


@pytest.mark.parametrize(("query", "words"), [("", "Intact, et vu par le siège"), ("?lang=en", "seen by headquarters")])
def test_the_page_of_an_entry_is_shown_under_the_same_policy_as_every_other(
    browser: FlaskClient, query: str, words: str
) -> None:
    answer = browser.get(f"/demo/receipts/{LAST}{query}")
    assert answer.status_code == 200
    assert words in answer.text
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "<style" not in answer.text
    assert f"/demo/receipts/{LAST}.tlog-proof" in answer.text


def test_the_proof_is_a_file_to_keep(browser: FlaskClient) -> None:
    answer = browser.get(f"/demo/receipts/{LAST}.tlog-proof")
    assert answer.data == Held().receipt(LAST)
    assert answer.headers["Content-Disposition"] == f"attachment; filename={LAST.replace(':', '-')}.tlog-proof"


@pytest.mark.parametrize("entry", ["armoire-7:x:1", f"{LAST}0", 'a"\\b', "<b>", ".tlog-proof"])
@pytest.mark.parametrize("suffix", ["", ".tlog-proof"])
def test_an_entry_that_is_not_there_is_told_with_what_to_do(browser: FlaskClient, entry: str, suffix: str) -> None:
    answer = browser.get(f"/demo/receipts/{entry}{suffix}")
    assert (answer.status_code, answer.get_json()["error"]) == (404, "NoSuchEntry")
    assert "attendez un instant" in answer.get_json()["message"]


def test_without_the_screens_key_no_receipt_is_given(browser: FlaskClient) -> None:
    assert browser.application.test_client().get(f"/demo/receipts/{LAST}").status_code == 403


def test_a_cabinet_that_is_not_a_demonstration_gives_no_receipts(client: FlaskClient) -> None:
    assert client.get(f"/demo/receipts/{LAST}").status_code == 404
