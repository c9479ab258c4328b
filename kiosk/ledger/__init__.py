"""The proof. Read `entry` (one event, one byte string), `merkle` (the tree over them), `note` and `checkpoint` (who signs for the
tree, who has seen it), `receipt` and `export` (the files), then `chain`, `journal` and `verify` (what anybody can check).

Only `journal` and `verify` touch files. Of other people's packages `cryptography` is the only one that is needed.
"""
