"""The demonstration's receipts: what headquarters can prove of an entry, as a page for a client and as a file."""

from __future__ import annotations

from datetime import UTC, datetime

from flask import Blueprint, Response, url_for

from kiosk.ledger.receipt import SUFFIX
from kiosk.ledger.verify import Keyring, verify_receipt
from web import services as registry
from web.fragments import other_language
from web.proof import Checked, Surroundings, page
from web.texts import wanted_language

receipts = Blueprint("receipts", __name__, url_prefix="/demo/receipts")


@receipts.get("/<entry>")
def paper(entry: str) -> str:
    """The page for a client about an entry, by its id; `?lang=en` for English.

    Raises:
        NoSuchEntry: headquarters has not signed for an entry of this id.
    """
    demo = registry.demo()
    keyring, language = Keyring.parse(demo.keys), wanted_language()
    verdict = verify_receipt(demo.receipts.receipt(entry), keyring)
    surroundings = Surroundings(
        style=url_for("static", filename="proof.css"),
        download=url_for(".proof", entry=entry),
        other=url_for(".paper", entry=entry, lang=other_language(language).value),
    )
    return page([Checked(file_name(entry), verdict)], keyring, language, datetime.now(UTC), surroundings)


@receipts.get(f"/<entry>{SUFFIX}")
def proof(entry: str) -> Response:
    """The proof itself, to keep and to check anywhere.

    Raises:
        NoSuchEntry: headquarters has not signed for an entry of this id.
    """
    answer = Response(registry.demo().receipts.receipt(entry), mimetype="application/octet-stream")
    answer.headers.set("Content-Disposition", "attachment", filename=file_name(entry))
    return answer


def file_name(entry: str) -> str:
    """What a receipt is saved as: an id's colons are no good in a file's name."""
    return entry.replace(":", "-") + SUFFIX
