"""SQLAlchemy on SQLite and PostgreSQL: the journal, its fold, and the local tables."""
