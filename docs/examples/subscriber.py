# Keeps every movement of every cabinet, once and in order. docs/subscribing.md tells why it is made so.
#
#     python subscriber.py DATABASE HOST PORT                  follow
#     python subscriber.py DATABASE HOST PORT NODE < EXPORT    take in headquarters' copy of a cabinet first

import hashlib
import json
import re
import sqlite3
import sys

from paho.mqtt.subscribe import callback

# The broker keeps for a named session what comes while we are away. With certificates, also
# "tls": {"ca_certs": "ca.crt", "certfile": "archive.crt", "keyfile": "archive.key"}
SESSION = {"topics": "trousseau/v1/from/+/events/#", "qos": 1, "client_id": "archive", "clean_session": False}
# Topic and id: both name the same cabinet (\1), for only the topic was checked by the broker.
PLACE = re.compile(r"\Atrousseau/v1/from/([a-z0-9-]{3,32})/events/\S* (\1:[0-9A-Za-z-]{1,64}):([1-9][0-9]{0,9})\Z")
NEXT = "SELECT number, custody, body FROM heard NATURAL JOIN expected WHERE journal = ?"

db = sqlite3.connect(sys.argv[1])
db.executescript("""CREATE TABLE IF NOT EXISTS expected (journal PRIMARY KEY, number, prev);
CREATE TABLE IF NOT EXISTS heard (journal, number, prev, custody, body, PRIMARY KEY (journal, number, prev, body));
CREATE TABLE IF NOT EXISTS movements (journal, number, body, PRIMARY KEY (journal, number));""")


def keep(topic: str, body: bytes) -> None:
    try:
        event = json.loads(body)
        [(_, journal, number)] = PLACE.findall(f"{topic} {event['id']}")
        row = (journal, int(number), bytes.fromhex(event["prev"]), event["type"].startswith("custody."), body)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return  # No entry, or not of that cabinet.
    with db:  # All of this or nothing; the broker is told only afterwards that we have it.
        db.execute("INSERT OR IGNORE INTO expected VALUES (?, 1, ?)", (journal, bytes(32)))
        db.execute("INSERT OR IGNORE INTO heard VALUES (?, ?, ?, ?, ?)", row)
        for number, custody, body in iter(lambda: db.execute(NEXT, [journal]).fetchone(), None):
            if custody:  # Here it is used: once, and after all that came before it.
                db.execute("INSERT INTO movements VALUES (?, ?, ?)", (journal, number, body))
            db.execute("REPLACE INTO expected VALUES (?, ?, ?)", (journal, number + 1, hashlib.sha256(body).digest()))


for line in sys.stdin.buffer if sys.argv[4:] else ():
    keep(f"trousseau/v1/from/{sys.argv[4]}/events/", line.rstrip(b"\n"))
callback(lambda _, __, m: keep(m.topic, m.payload), hostname=sys.argv[2], port=int(sys.argv[3]), **SESSION)
