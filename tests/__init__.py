"""Everything that is checked; `tests/services.py` starts the real parts the checks talk to."""
