import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys

import pytest

from drivers.clock import NS
from drivers.errors import JournalUnusable
from drivers.events import measured
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority, Why
from monitor.sessions.entries import Kind as SessionKind
from monitor.storage import chain, migration
from monitor.storage.backlog import Backlog
from monitor.storage.blocks import BLOCK
from monitor.storage.database import Database
from monitor.storage.history import History
from monitor.storage.journal import Journal
from monitor.storage.migration import SCHEMA_VERSION, SCHEMAS
from monitor.storage.session_entries import SessionEntries
from monitor.storage.set_aside import damaged_files
from monitor.storage.standing import standing
from monitor.storage.verify import verify
from tests.monitor.storage.helpers import (
    PROJECT,
    START,
    ask,
    assert_charts_hold_the_rows,
    assert_whole,
    chain_of,
    change,
    entry,
    record,
)

OLDER = range(1, SCHEMA_VERSION)

# What a program of schema 1 could have left; later schemas only add to it.
FIRST_DATA = {
    "last_commit": [(12,)],
    "series": [(1, "a", "oximeter", "spo2"), (2, "a", "oximeter", "pulse_rate"), (3, "b 2", "münster", "nibp_sys")],
    "readings": [
        *(
            (1, START + second * NS, START + second * NS + 5, 90.0 + second % 9, 0, "", 1 + second // 100)
            for second in range(1100)
        ),
        (2, START - 3 * BLOCK, START, 71.5, 1, "artifact,low_perfusion", 3),
        (2, START - 3 * BLOCK + 1, START, None, 2, "sensor_off", 3),
        (3, -5, 0, -0.5, 1, "implausible", 12),
    ],
    "device_events": [
        (1, 1, "a", "oximeter", "status", "battery", "on", "battery low", 12),
        (2, 1, "a", "oximeter", "alarm", "E04", "off", "cuff leak", 13),
        (3, 5, "a", "oximeter", "link", "", "lost", "unplugged", 14),
    ],
    "alerts": [
        (1, 2, "a", "spo2_low", "physiological", "high", "on", START, "SpO₂ 86 < 90", "spo2", "", 86.0, 90.0),
        (2, 2, "a", "device_lost_oximeter", "technical", "low", "on", START + 1, "lost", "", "oximeter", None, None),
        (3, 12, "a", "spo2_low", "physiological", "high", "off", START + 2, "SpO₂ 95", "spo2", "", 95.0, 90.0),
    ],
}

# And what one of schema 2 could have left beside it.
SECOND_DATA = {
    "audit": [(1, START, "station", "damaged journal set aside", "journal-damaged-1.db: malformed", 12)],
    "removals": [(1, START + 3, 0, 0)],
    "sinks": [("influxdb", 0, "waiting", "no answer", START, 7)],
    "dead_letters": [(1, "influxdb", START, "vitals spo2=nan 1", "no number", None)],
}


def journal_of(folder, version):
    """A journal as a program of that schema left it."""
    with contextlib.closing(sqlite3.connect(folder / "journal.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for number in range(1, version + 1):
            connection.executescript(SCHEMAS[number])
            if number in migration._AFTER:
                migration._AFTER[number](connection)
            connection.execute(f"PRAGMA user_version = {number}")
            if number == 1:
                connection.execute("DELETE FROM last_commit")
                for table, rows in FIRST_DATA.items():
                    places = ", ".join("?" * len(rows[0]))
                    connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
            if number == 2:
                for table, rows in SECOND_DATA.items():
                    places = ", ".join("?" * len(rows[0]))
                    connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
                    if table in chain.CHAINED:
                        chain.append(connection, table, 1)


def rows_of(folder):
    """Every row of the tables of the first schema."""
    return {
        table: sorted((row[: len(rows[0])] for row in ask(folder, f"SELECT * FROM {table}")), key=lambda row: row[:2])
        for table, rows in FIRST_DATA.items()
        if table != "last_commit"  # it goes on
    }


@pytest.mark.parametrize("version", OLDER)
async def test_journal_of_an_older_program_is_brought_up_to_date_with_every_row(tmp_path, version, opened):
    journal_of(tmp_path, version)
    before = rows_of(tmp_path)
    assert before == {table: sorted(FIRST_DATA[table]) for table in before}
    with pytest.raises(JournalUnusable, match="start the station once"):
        History(tmp_path)

    journal = opened(tmp_path)
    assert ask(tmp_path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert rows_of(tmp_path) == before
    assert chain_of(tmp_path)[:6] == [(source, number) for source in ("series", "alerts") for number in (1, 2, 3)]
    assert_charts_hold_the_rows(tmp_path, "a", "b 2")

    committed = asyncio.Event()
    journal.record("a", "oximeter", [measured("spo2", 97.0, START - NS, START)], committed.set)
    await committed.wait()
    assert ask(tmp_path, "SELECT actor, action, detail FROM audit WHERE commit_no > 12") == [
        ("station", "journal migrated", f"schema {version} to {SCHEMA_VERSION}")
    ]
    await journal.close()

    after = rows_of(tmp_path)
    assert [row for row in after["readings"] if row[-1] <= 12] == before["readings"]
    assert after["readings"][-1][-1] <= 12 < max(row[-1] for row in after["readings"])
    for table in ("series", "device_events", "alerts"):
        assert after[table] == before[table]
    assert next(History(tmp_path).alerts(since=START)) == AlertEvent(
        "a", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ON, START, "SpO₂ 86 < 90", "spo2", "", 86.0, 90.0
    )
    assert_charts_hold_the_rows(tmp_path, "a", "b 2")
    found = assert_whole(tmp_path)
    assert (found.readings, found.not_sealed) == (len(before["readings"]) + 1, 0)


@pytest.mark.parametrize("version", OLDER)
async def test_sink_gets_what_was_there_before(tmp_path, version):
    journal_of(tmp_path, version)
    await record(tmp_path)
    with contextlib.closing(Backlog(tmp_path)) as backlog:
        portion = backlog.next(backlog.sink("influxdb").through)
        assert len(portion.readings) == len(FIRST_DATA["readings"])
        assert len(portion.alerts) == 3
        assert portion.newest == 13  # the commit that says that it was migrated


@pytest.mark.parametrize("version", range(2, SCHEMA_VERSION))
async def test_what_came_with_schema_2_is_kept(tmp_path, version, opened):
    journal_of(tmp_path, version)
    before = ask(tmp_path, "SELECT * FROM chain ORDER BY id")
    assert len(before) == 8
    await opened(tmp_path).close()
    assert ask(tmp_path, "SELECT * FROM chain ORDER BY id")[:8] == before
    for table, rows in SECOND_DATA.items():
        kept = ask(tmp_path, f"SELECT * FROM {table}")[: len(rows)]
        assert [row[: len(rows[0])] for row in kept] == rows
    with contextlib.closing(Backlog(tmp_path)) as backlog:
        assert backlog.sink("influxdb") == SECOND_DATA["sinks"][0]
        assert [letter.line for letter in backlog.dead_letters("influxdb")] == ["vitals spo2=nan 1"]
    assert_whole(tmp_path)


@pytest.mark.parametrize("version", OLDER)
async def test_journal_of_an_older_program_takes_sessions(tmp_path, version, opened):
    journal_of(tmp_path, version)
    journal = opened(tmp_path)
    assert SessionEntries(tmp_path).maybe_open() == []
    opening = entry(1, SessionKind.OPENED, reference="P-17", planned_minutes=40, profile="default")
    journal.record_entries([opening])
    await journal.close()
    assert SessionEntries(tmp_path).maybe_open() == [[opening]]
    assert ("session_entries", 1) in chain_of(tmp_path)
    assert_whole(tmp_path)


THIRD_ALERTS = [
    (4, 13, "a", "spo2_low", "physiological", "high", "on", START + 3, "SpO₂ 85 < 90", "spo2", "ox", 85.0, 90.0),
    (5, 13, "", "clock_jumped", "technical", "low", "on", START + 4, "", "", "", None, None),
]


def journal_with(folder, schema, table, rows):
    """Rows that were bound when their table had fewer columns; the chain as it then was."""
    journal_of(folder, schema)
    places = ", ".join("?" * len(rows[0]))
    with contextlib.closing(sqlite3.connect(folder / "journal.db", isolation_level=None)) as connection:
        for row in rows:
            connection.execute(f"INSERT INTO {table} VALUES ({places})", row)
            chain.append(connection, table, row[0])
    return ask(folder, "SELECT * FROM chain ORDER BY id")


async def test_hashes_of_alerts_that_were_chained_before_schema_4_still_hold(tmp_path, opened):
    before = journal_with(tmp_path, 3, "alerts", THIRD_ALERTS)
    assert [row[1:3] for row in before[-2:]] == [("alerts", 4), ("alerts", 5)]
    journal = opened(tmp_path)
    by_a_person = AlertEvent(
        *("a", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ACKNOWLEDGED, START + 5, "SpO₂ 85 < 90"),
        *("spo2", "ox", 85.0, 90.0, "spo2", Why.OPERATOR, "Kim Möller", "2026-11-25-a"),
    )
    bare = AlertEvent("b 2", "nibp_high", Kind.PHYSIOLOGICAL, Priority.LOW, AlertState.ON, START + 6, "high")
    journal.record_alerts([by_a_person, bare])
    await journal.close()
    assert ask(tmp_path, "SELECT * FROM chain ORDER BY id")[: len(before)] == before
    assert_whole(tmp_path)

    *older, last, new = History(tmp_path).alerts(since=START + 3)
    assert [event[11:] for event in (*older, last, new)] == [("",) * 4, ("",) * 4, by_a_person[11:], ("",) * 4]
    assert (last, new) == (by_a_person, bare)
    assert ask(tmp_path, "SELECT alert_group, why, actor, session FROM alerts WHERE id IN (4, 7)") == [(None,) * 4] * 2
    # What was on before, at whatever schema, stands.
    assert [(event.rule, since) for event, since in standing(tmp_path)] == [
        ("device_lost_oximeter", START + 1),
        ("clock_jumped", START + 4),
        ("spo2_low", START + 3),
        ("nibp_high", START + 6),
    ]


@pytest.mark.parametrize("column", ["alert_group", "why", "actor", "session"])
@pytest.mark.parametrize(("row", "becomes"), [(6, "'someone else'"), (6, "NULL"), (4, "'Kim Möller'"), (4, "''")])
async def test_what_schema_4_added_is_bound_by_the_chain(tmp_path, opened, column, row, becomes):
    journal_with(tmp_path, 3, "alerts", THIRD_ALERTS)
    journal = opened(tmp_path)
    journal.record_alerts(
        [
            AlertEvent(
                *("a", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, AlertState.ACKNOWLEDGED, START + 5, "low"),
                *("spo2", "ox", 85.0, 90.0, "spo2", Why.OPERATOR, "Kim Möller", "2026-11-25-a"),
            )
        ]
    )
    await journal.close()
    assert_whole(tmp_path)
    [(trigger,)] = ask(tmp_path, "SELECT sql FROM sqlite_master WHERE name = 'alerts_stand'")
    change(
        tmp_path,
        f"DROP TRIGGER alerts_stand; UPDATE alerts SET {column} = {becomes} WHERE id = {row}; {trigger};",
    )
    assert [check.text for check in verify(tmp_path / "journal.db").checks if not check.holds] == [
        f"alerts row {row} (a, spo2_low, 2026-01-01T00:00:00.000000Z) was changed after it was written"
    ]


FOURTH_AUDIT = [
    (2, START + 1, "station", "damaged journal set aside", "journal-damaged-2.db: malformed", 12),
    (3, START + 2, "Kim Möller", "looked", "", 13),
]


async def test_hashes_of_audit_rows_that_were_chained_before_schema_5_still_hold(tmp_path, opened):
    before = journal_with(tmp_path, 4, "audit", FOURTH_AUDIT)
    assert [row[1:3] for row in before[-2:]] == [("audit", 2), ("audit", 3)]
    journal = opened(tmp_path)
    journal.record_audit("anna", "role changed", "ben (Ben)", origin="10.0.0.7", old="nurse", new="admin")
    journal.record_audit("anna", "logged out", "anna (Anna Berg)")
    await journal.close()
    assert ask(tmp_path, "SELECT * FROM chain ORDER BY id")[: len(before)] == before
    assert_whole(tmp_path)
    assert [row[1:] for row in History(tmp_path).audit()] == [
        (*SECOND_DATA["audit"][0][2:5], "", "", ""),
        *((*row[2:5], "", "", "") for row in FOURTH_AUDIT),
        ("station", "journal migrated", f"schema 4 to {SCHEMA_VERSION}", "", "", ""),
        ("anna", "role changed", "ben (Ben)", "10.0.0.7", "nurse", "admin"),
        ("anna", "logged out", "anna (Anna Berg)", "", "", ""),
    ]
    assert ask(tmp_path, "SELECT DISTINCT origin, old, new FROM audit WHERE id <> 5") == [(None, None, None)]


async def test_what_schema_5_added_is_bound_by_the_chain(tmp_path, opened):
    journal_with(tmp_path, 4, "audit", FOURTH_AUDIT)
    journal = opened(tmp_path)
    said = {"origin": "10.0.0.7", "old": "nurse", "new": "admin"}
    journal.record_audit("anna", "role changed", "ben (Ben)", **said)
    await journal.close()
    assert_whole(tmp_path)
    [(trigger,)] = ask(tmp_path, "SELECT sql FROM sqlite_master WHERE name = 'audit_stand'")

    def write(column, row, value):
        change(tmp_path, f"DROP TRIGGER audit_stand; UPDATE audit SET {column} = {value} WHERE id = {row}; {trigger};")

    for column, value in said.items():
        for row, was, becomes in [
            (5, f"'{value}'", "'something else'"),
            (5, f"'{value}'", "NULL"),
            (3, "NULL", "'x'"),
            (3, "NULL", "''"),
        ]:
            write(column, row, becomes)
            [found] = [check.text for check in verify(tmp_path / "journal.db").checks if not check.holds]
            assert found.startswith(f"audit row {row} (")
            assert found.endswith("was changed after it was written")
            write(column, row, was)
    assert_whole(tmp_path)


async def test_migrated_once(tmp_path):
    journal_of(tmp_path, OLDER[-1])
    for _ in range(3):
        await record(tmp_path)
    assert ask(tmp_path, "SELECT count(*) FROM audit WHERE action = 'journal migrated'") == [(1,)]
    assert_whole(tmp_path)


async def test_new_journal_was_not_migrated(tmp_path):
    await record(tmp_path)
    assert ask(tmp_path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert ask(tmp_path, "SELECT * FROM audit") == []


def as_it_is(folder):
    """The whole content, its form and its version, as a foreign program sees it."""
    with contextlib.closing(sqlite3.connect(folder / "journal.db")) as connection:
        return connection.execute("PRAGMA user_version").fetchone(), list(connection.iterdump())


@pytest.mark.parametrize("number", [number for number in SCHEMAS if number > 1])
@pytest.mark.parametrize("after", [True, False])
async def test_migration_that_fails_leaves_the_old_journal_and_works_next_time(tmp_path, monkeypatch, number, after):
    journal_of(tmp_path, number - 1)
    before = as_it_is(tmp_path)

    def fails(connection):
        if after and number in real:
            real[number](connection)
        raise RuntimeError("the power went")

    real = dict(migration._AFTER)
    with monkeypatch.context() as patched:
        patched.setitem(migration._AFTER, number, fails)
        journal = Journal(tmp_path)
        for _ in range(2):  # the lock was given back
            with pytest.raises(RuntimeError, match="the power went"):
                journal.open()
    assert as_it_is(tmp_path) == before
    await record(tmp_path)
    assert ask(tmp_path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert rows_of(tmp_path)["readings"] == sorted(FIRST_DATA["readings"])
    assert_whole(tmp_path)


MIGRATE_AND_DIE = """
import os, pathlib, sys
from monitor.storage import migration
from monitor.storage.database import Database

real = dict(migration._AFTER)

def dies(connection):
    if number in real:
        real[number](connection)
    os.kill(os.getpid(), 9)

number = int(sys.argv[2])
migration._AFTER[number] = dies
Database(pathlib.Path(sys.argv[1]) / "journal.db")
"""


@pytest.mark.parametrize("number", SCHEMAS)
async def test_killed_while_migrating(tmp_path, number):
    if number > 1:
        journal_of(tmp_path, number - 1)
    before = as_it_is(tmp_path)
    run = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", MIGRATE_AND_DIE, tmp_path, str(number)], cwd=PROJECT, check=False
    )
    assert run.returncode == -signal.SIGKILL
    assert as_it_is(tmp_path) == before
    await record(tmp_path)
    if number > 1:
        assert rows_of(tmp_path)["readings"] == sorted(FIRST_DATA["readings"])
    assert_whole(tmp_path)


def test_statement_that_fails_leaves_the_old_journal(tmp_path, monkeypatch):
    journal_of(tmp_path, OLDER[-1])
    before = as_it_is(tmp_path)
    broken = SCHEMAS[SCHEMA_VERSION] + "INSERT INTO nowhere VALUES (1);"
    with monkeypatch.context() as patched:
        patched.setitem(SCHEMAS, SCHEMA_VERSION, broken)
        with pytest.raises(JournalUnusable, match="cannot be opened: no such table: nowhere"):
            Database(tmp_path / "journal.db")
    assert as_it_is(tmp_path) == before
    Database(tmp_path / "journal.db").close()
    assert ask(tmp_path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]


@pytest.mark.parametrize("newer", [SCHEMA_VERSION + 1, 99])
async def test_newer_schema_is_refused_and_left_alone(tmp_path, newer):
    await record(tmp_path, measured("spo2", 97.0, START, START))
    with contextlib.closing(sqlite3.connect(tmp_path / "journal.db")) as connection:
        connection.execute(f"PRAGMA user_version = {newer}")
    before = (tmp_path / "journal.db").read_bytes()
    journal = Journal(tmp_path)
    for _ in range(2):  # the lock was given back
        with pytest.raises(JournalUnusable, match=rf"newer program \(schema {newer}, this one knows {SCHEMA_VERSION}"):
            journal.open()
    with pytest.raises(JournalUnusable, match=rf"newer program \(schema {newer}\)"):
        History(tmp_path)
    assert (tmp_path / "journal.db").read_bytes() == before
    assert not damaged_files(tmp_path)


def test_schemas_are_numbered_without_a_gap():
    assert sorted(SCHEMAS) == list(range(1, SCHEMA_VERSION + 1))
    assert migration._AFTER.keys() <= SCHEMAS.keys()
