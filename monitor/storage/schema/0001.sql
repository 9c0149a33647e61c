-- Applied once, in one transaction, by Journal.open; PRAGMA user_version then says 1.
-- All times are UTC nanoseconds.

-- The number of the last group commit: one row, counted up inside each commit, so that a number is never given twice,
-- not even when retention has removed every row that carried it.
CREATE TABLE last_commit (commit_no INTEGER NOT NULL) STRICT;
INSERT INTO last_commit (commit_no) VALUES (0);

CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    bed TEXT NOT NULL,
    device TEXT NOT NULL,
    vital TEXT NOT NULL,
    UNIQUE (bed, device, vital)
) STRICT;

-- Clustered by series and time: a chart reads neighbouring pages, and a redelivered message finds its rows there.
CREATE TABLE readings (
    series INTEGER NOT NULL REFERENCES series (id),
    observed_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    value REAL,              -- in the vital's unit; NULL where there is none
    validity INTEGER NOT NULL,
    cause TEXT NOT NULL,
    commit_no INTEGER NOT NULL,
    PRIMARY KEY (series, observed_at)
) STRICT, WITHOUT ROWID;

-- A sink reads on from the last commit that it has: a late row with an old observed_at is found by its commit.
CREATE INDEX readings_by_commit ON readings (commit_no);

-- What became of a device: its own status and alarms, and the state of its link.
CREATE TABLE device_events (
    id INTEGER PRIMARY KEY,
    commit_no INTEGER NOT NULL,
    bed TEXT NOT NULL,
    device TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('status', 'alarm', 'link')),
    code TEXT NOT NULL,      -- the device's code; empty for a link
    state TEXT NOT NULL,     -- 'on' or 'off'; for a link its LinkState
    text TEXT NOT NULL,
    at INTEGER NOT NULL,
    UNIQUE (at, bed, device, kind, code, state, text)
) STRICT;
CREATE INDEX device_events_by_commit ON device_events (commit_no);

CREATE TABLE alerts (
    id INTEGER PRIMARY KEY,
    commit_no INTEGER NOT NULL,
    bed TEXT NOT NULL,
    rule TEXT NOT NULL,
    kind TEXT NOT NULL,
    priority TEXT NOT NULL,
    state TEXT NOT NULL,
    at INTEGER NOT NULL,
    text TEXT NOT NULL,
    vital TEXT NOT NULL,
    device TEXT NOT NULL,
    value REAL,
    threshold REAL           -- AlertEvent.limit, which is a word of SQL
) STRICT;
CREATE INDEX alerts_by_time ON alerts (at);
CREATE INDEX alerts_by_commit ON alerts (commit_no);

CREATE TRIGGER device_events_keep BEFORE DELETE ON device_events
BEGIN SELECT RAISE(ABORT, 'device_events is append-only'); END;
CREATE TRIGGER device_events_stand BEFORE UPDATE ON device_events
BEGIN SELECT RAISE(ABORT, 'device_events is append-only'); END;
CREATE TRIGGER alerts_keep BEFORE DELETE ON alerts
BEGIN SELECT RAISE(ABORT, 'alerts is append-only'); END;
CREATE TRIGGER alerts_stand BEFORE UPDATE ON alerts
BEGIN SELECT RAISE(ABORT, 'alerts is append-only'); END;
