-- Compressed blocks for charts, waveforms, the hash chain, and what sinks have.

-- Who did what to the record: the station itself, later also people. Append-only and chained.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,     -- 'station', or a person's login
    action TEXT NOT NULL,
    detail TEXT NOT NULL,
    commit_no INTEGER NOT NULL
) STRICT;

-- The readings of one minute of recording: all of the commits from first_commit to last_commit. Chained.
CREATE TABLE seals (
    id INTEGER PRIMARY KEY,
    first_commit INTEGER NOT NULL,
    last_commit INTEGER NOT NULL,
    sealed_at INTEGER NOT NULL,
    readings INTEGER NOT NULL,
    digest BLOB NOT NULL     -- SHA-256, see storage/sealing.py
) STRICT;
CREATE UNIQUE INDEX seals_by_commit ON seals (last_commit);

-- What retention has removed: the readings and waveforms of all commits up to last_commit. Chained.
CREATE TABLE removals (
    id INTEGER PRIMARY KEY,
    removed_at INTEGER NOT NULL,
    last_commit INTEGER NOT NULL,
    readings INTEGER NOT NULL
) STRICT;

-- Each row of series, alerts, audit, seals and removals, in the order of writing: hash = SHA-256 of the hash before and the row.
CREATE TABLE chain (
    id INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    row_id INTEGER NOT NULL,
    hash BLOB NOT NULL,
    UNIQUE (source, row_id)
) STRICT;

-- The readings of all sealed commits once more, packed for reading: ten minutes of one series, from begins_at on.
CREATE TABLE blocks (
    series INTEGER NOT NULL REFERENCES series (id),
    begins_at INTEGER NOT NULL,
    packed BLOB NOT NULL,    -- see storage/blocks.py
    PRIMARY KEY (series, begins_at)
) STRICT, WITHOUT ROWID;

-- Lowest, highest and counts of each half minute of a block; apart from it, since a wide view reads nothing else.
CREATE TABLE summaries (
    series INTEGER NOT NULL REFERENCES series (id),
    begins_at INTEGER NOT NULL,
    slots BLOB NOT NULL,     -- see storage/blocks.py
    PRIMARY KEY (series, begins_at)
) STRICT, WITHOUT ROWID;

-- Runs of samples: one row a run at first, one row a minute after sealing, with the greatest commit_no of its runs.
CREATE TABLE waveforms (
    id INTEGER PRIMARY KEY,
    commit_no INTEGER NOT NULL,
    bed TEXT NOT NULL,
    device TEXT NOT NULL,
    name TEXT NOT NULL,
    rate REAL NOT NULL,      -- samples per second
    begins_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    packed BLOB NOT NULL     -- see storage/waveforms.py
) STRICT;
CREATE INDEX waveforms_by_time ON waveforms (bed, name, ends_at, begins_at);
CREATE INDEX waveforms_by_commit ON waveforms (commit_no);

-- How far each sink is, and how it is doing.
CREATE TABLE sinks (
    name TEXT PRIMARY KEY,
    through INTEGER NOT NULL,    -- all of the commits up to this one are there
    state TEXT NOT NULL,         -- 'forwarding', 'waiting' or 'stopped'
    detail TEXT NOT NULL,        -- why it waits or stopped, for people
    at INTEGER NOT NULL,         -- when it last said so
    too_old INTEGER NOT NULL     -- lines that it refused for their age, in all
) STRICT, WITHOUT ROWID;

-- Lines that a sink refuses for what they are.
CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY,
    sink TEXT NOT NULL,
    at INTEGER NOT NULL,
    line TEXT NOT NULL,
    reason TEXT NOT NULL,
    sent_at INTEGER              -- when it was taken after all
) STRICT;
CREATE INDEX dead_letters_waiting ON dead_letters (sink) WHERE sent_at IS NULL;

CREATE TRIGGER audit_keep BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER audit_stand BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;
CREATE TRIGGER seals_keep BEFORE DELETE ON seals BEGIN SELECT RAISE(ABORT, 'seals is append-only'); END;
CREATE TRIGGER seals_stand BEFORE UPDATE ON seals BEGIN SELECT RAISE(ABORT, 'seals is append-only'); END;
CREATE TRIGGER removals_keep BEFORE DELETE ON removals BEGIN SELECT RAISE(ABORT, 'removals is append-only'); END;
CREATE TRIGGER removals_stand BEFORE UPDATE ON removals BEGIN SELECT RAISE(ABORT, 'removals is append-only'); END;
CREATE TRIGGER chain_keep BEFORE DELETE ON chain BEGIN SELECT RAISE(ABORT, 'chain is append-only'); END;
CREATE TRIGGER chain_stand BEFORE UPDATE ON chain BEGIN SELECT RAISE(ABORT, 'chain is append-only'); END;
