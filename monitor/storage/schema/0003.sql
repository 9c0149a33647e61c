-- The infusion sessions: what was entered, each entry once.

-- A session is the fold of its entries (monitor/sessions/entries.py). Append-only and chained: a correction is an entry more.
CREATE TABLE session_entries (
    id INTEGER PRIMARY KEY,
    commit_no INTEGER NOT NULL,
    session TEXT NOT NULL,
    number INTEGER NOT NULL,     -- within the session, from 1
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,         -- when it happened
    entered_at INTEGER NOT NULL,
    author TEXT NOT NULL,
    bed TEXT NOT NULL,           -- where the session was then; empty where it had none
    content TEXT NOT NULL,       -- JSON
    request TEXT NOT NULL UNIQUE,
    UNIQUE (session, number)
) STRICT;
CREATE INDEX session_entries_by_commit ON session_entries (commit_no);

-- Which sessions may be open, and which had an entry lately, is read from this alone.
CREATE INDEX session_entries_by_kind ON session_entries (session, kind, number, entered_at);

-- A sink puts entries of one bed and one time apart.
CREATE INDEX session_entries_by_time ON session_entries (bed, at);

CREATE TRIGGER session_entries_keep BEFORE DELETE ON session_entries
BEGIN SELECT RAISE(ABORT, 'session_entries is append-only'); END;
CREATE TRIGGER session_entries_stand BEFORE UPDATE ON session_entries
BEGIN SELECT RAISE(ABORT, 'session_entries is append-only'); END;
