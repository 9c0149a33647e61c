"""`verify` against real journals that somebody has changed with SQLite's own tools."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.errors import JournalUnusable
from drivers.events import Cause, Reading, Validity, measured, missing
from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.sessions.entries import Entry
from monitor.sessions.entries import Kind as SessionKind
from monitor.storage import blocks, chain
from monitor.storage.database import Database
from monitor.storage.rows import Batch, alert_row, audit_row, entry_row
from monitor.storage.verify import BEGINNING, Head, Verified, verify
from tests.monitor.program import Start, call, wait_for

START = 1_767_225_600 * NS
SECONDS = 25 * 60 - 3
"""So that each series has readings in four blocks, of which two are whole."""
SEALED = SECONDS - 7
LATE = 1_200


def alert(second: int, state: AlertState) -> AlertEvent:
    at = START + second * NS
    return AlertEvent(
        "chair-1", "spo2_low", Kind.PHYSIOLOGICAL, Priority.HIGH, state, at, "SpO2 85 %", "spo2", "ox", 85.0, 90.0
    )


def note(second: int) -> Entry:
    at = START + second * NS
    number = second // 100 + 1
    return Entry("s1", number, SessionKind.NOTE, at, at + NS, "Kim", "chair-1", {"text": "cold"}, f"request {second}")


def second_of(bed: str, second: int) -> Batch:
    at = START + second * NS
    readings: list[Reading] = [
        measured("spo2", 90.0 + second % 10, at, at + 1000 + second),
        measured("pulse_rate", 60.0 + second % 7, at, at + 1000),
    ]
    if second % 50 == 3:
        readings[0] = missing("spo2", at, at + 2000, Cause.SENSOR_OFF)
    if second % 50 == 4:
        readings[1] = Reading("pulse_rate", 61.5, Validity.QUESTIONABLE, at, at + 5, Cause.ARTIFACT.value)
    return Batch(bed, "ox", readings, [], None)


def fill(path: Path) -> None:
    database = Database(path)
    for second in range(SECONDS):
        rows = []
        if second % 100 in {10, 20}:
            rows.append(alert_row(alert(second, AlertState.ON if second % 100 == 10 else AlertState.OFF)))
        if second % 500 == 5:
            rows.append(audit_row(START + second * NS, "station", "journal migrated", "schema 1 to 2"))
        if second % 100 == 30:
            rows.append(entry_row(note(second)))
        batches = [second_of("chair-1", second), second_of("chair-2", second)]
        if second == LATE:
            # A message that comes long after it was sent: into a block that was made before.
            batches.append(
                Batch("chair-1", "ox", [measured("spo2", 88.0, START + NS // 2, START + LATE * NS)], [], None)
            )
        database.write(batches, rows)
        if second % 60 == 59 or second == SEALED - 1:
            database.seal(START + second * NS)
    database.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "journal.db"
    fill(path)
    return path


@pytest.fixture
def journal(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(made, tmp_path / "journal.db"))


@contextlib.contextmanager
def tampering(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for somebody who changes the journal: what refuses that is taken out, and put back afterwards."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield connection
        for _, sql in triggers:
            connection.execute(sql)


def change(path: Path, statement: str, *values: object) -> None:
    with tampering(path) as connection:
        assert connection.execute(statement, values).rowcount == 1


def faults(found: Verified) -> dict[str, str]:
    return {check.name: check.text for check in found.checks if not check.holds}


def test_a_journal_as_it_was_written_holds(journal: Path) -> None:
    found = verify(journal)
    assert faults(found) == {}
    assert [check.name for check in found.checks] == ["file", "form", "chain", "beside", "seals", "charts"]
    assert found.readings == SEALED * 4 + 1
    assert found.not_sealed == 7 * 4
    assert found.head is not None
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        assert tuple(found.head) == connection.execute("SELECT id, hash FROM chain ORDER BY id DESC").fetchone()


def test_an_empty_journal_holds_and_its_head_is_the_beginning(tmp_path: Path) -> None:
    Database(tmp_path / "journal.db").close()
    found = verify(tmp_path / "journal.db", BEGINNING)
    assert faults(found) == {}
    assert found.head == BEGINNING
    assert str(found.head) == "0:" + 64 * "0"


def test_the_changed_alert_is_named(journal: Path) -> None:
    change(journal, "UPDATE alerts SET value = 93 WHERE id = 5")
    assert faults(verify(journal)) == {
        "chain": "alerts row 5 (chair-1, spo2_low, 2026-01-01T00:03:30.000000Z) was changed after it was written"
    }


def test_the_missing_alert_is_named(journal: Path) -> None:
    change(journal, "DELETE FROM alerts WHERE id = 5")
    assert re.fullmatch(r"alerts row 5 is missing: row \d+ of the chain binds it", faults(verify(journal))["chain"])


def test_the_alert_that_was_slipped_in_is_named(journal: Path) -> None:
    change(
        journal,
        "INSERT INTO alerts SELECT 900, commit_no, bed, rule, kind, priority, state, at, text, vital, device, value,"
        " threshold, alert_group, why, actor, session FROM alerts WHERE id = 5",
    )
    assert faults(verify(journal)) == {
        "beside": "alerts row 900 (chair-1, spo2_low, 2026-01-01T00:03:30.000000Z) was added beside the chain"
    }


def test_an_alert_taken_out_together_with_its_link_leaves_a_gap(journal: Path) -> None:
    with tampering(journal) as connection:
        (link,) = connection.execute("DELETE FROM chain WHERE (source, row_id) = ('alerts', 5) RETURNING id").fetchone()
        connection.execute("DELETE FROM alerts WHERE id = 5")
    assert faults(verify(journal))["chain"].startswith(f"row {link} is missing of the chain")


def test_the_changed_entry_of_a_session_is_named(journal: Path) -> None:
    change(journal, 'UPDATE session_entries SET content = \'{"text":"warm"}\' WHERE id = 3')
    assert faults(verify(journal)) == {
        "chain": "session_entries row 3 (s1, 3, note, Kim, 2026-01-01T00:03:50.000000Z) "
        "was changed after it was written"
    }


def test_the_entry_of_a_session_that_was_slipped_in_is_named(journal: Path) -> None:
    change(
        journal,
        "INSERT INTO session_entries SELECT 900, commit_no, session, 90, kind, at, entered_at, 'Sam', bed, content, 'r'"
        " FROM session_entries WHERE id = 3",
    )
    assert faults(verify(journal)) == {
        "beside": "session_entries row 900 (s1, 90, note, Sam, 2026-01-01T00:03:50.000000Z) was added beside the chain"
    }


def test_the_first_of_several_is_named(journal: Path) -> None:
    with tampering(journal) as connection:
        connection.execute("UPDATE alerts SET text = 'SpO2 95 %' WHERE id >= 7")
    assert faults(verify(journal))["chain"].startswith("alerts row 7 (")


def test_a_changed_link_is_named(journal: Path) -> None:
    change(journal, "UPDATE chain SET hash = zeroblob(32) WHERE id = 5")
    assert faults(verify(journal))["chain"].endswith(
        "or its hash in row 5 of the chain, was changed after it was written"
    )


@pytest.mark.parametrize("source", ["readings; DROP TABLE alerts", "sinks"])
def test_a_link_to_what_cannot_be_chained(journal: Path, source: str) -> None:
    change(journal, "UPDATE chain SET source = ? WHERE id = 5", source)
    assert faults(verify(journal))["chain"] == "row 5 of the chain was changed: it binds no row that it could"


def test_text_that_is_none_is_found_and_printed(journal: Path) -> None:
    change(journal, f"UPDATE alerts SET bed = CAST(x'1bff41' AS TEXT), at = {-(2**63)} WHERE id = 5")
    assert faults(verify(journal)) == {
        "chain": "alerts row 5 (\ufffd\ufffdA, spo2_low, 1677-09-21T00:12:43.145224Z) was changed after it was written"
    }


def test_the_cut_off_end_is_found_by_the_head_that_was_noted(journal: Path) -> None:
    head = verify(journal).head
    assert head is not None
    assert faults(verify(journal, head)) == {}
    with tampering(journal) as connection:
        # The last row of the chain is a seal, and the readings of its minute go with it: as if it had never been.
        (seal,) = connection.execute("DELETE FROM chain WHERE id = ? RETURNING row_id", (head.id,)).fetchone()
        (first,) = connection.execute("DELETE FROM seals WHERE id = ? RETURNING first_commit", (seal,)).fetchone()
        connection.execute("DELETE FROM readings WHERE commit_no >= ?", (first,))
        repack(connection)
    assert faults(verify(journal)) == {}
    assert faults(verify(journal, head)) == {
        "head": f"the chain ends with row {head.id - 1} and the noted head is row {head.id}: "
        "its end was cut off, or this is another journal"
    }
    other = Head(head.id - 1, bytes(32))
    assert "has not the noted hash" in faults(verify(journal, other))["head"]


def repack(connection: sqlite3.Connection) -> None:
    """Blocks that fit the rows, as somebody makes them who knows the program."""
    from monitor.storage import sealing

    for series, begins_at in connection.execute("SELECT series, begins_at FROM blocks").fetchall():
        sealing.repack(connection, series, begins_at)


def test_the_minute_of_a_changed_reading_and_the_reading_are_named(journal: Path) -> None:
    at = START + 100 * NS
    change(journal, "UPDATE readings SET value = 71 WHERE series = 1 AND observed_at = ?", at)
    assert faults(verify(journal)) == {
        "seals": "seals row 2 (commits 61 to 120, 2026-01-01T00:01:59.000000Z): "
        "one or more of its 240 readings were changed",
        "charts": "spo2 of chair-1 (ox) in the ten minutes from 2026-01-01T00:00:00.000000Z: the reading of "
        "2026-01-01T00:01:40.000000Z is 71.0 (validity 0, received 2026-01-01T00:01:40.000001Z) by its row, and "
        "90.0 (validity 0, received 2026-01-01T00:01:40.000001Z) in the block",
    }


def test_a_changed_reading_whose_block_was_made_to_fit_is_found_by_the_seal(journal: Path) -> None:
    with tampering(journal) as connection:
        connection.execute("UPDATE readings SET value = 71 WHERE series = 1 AND observed_at = ?", (START + 100 * NS,))
        repack(connection)
    assert list(faults(verify(journal))) == ["seals"]


def test_a_missing_reading_is_named(journal: Path) -> None:
    change(journal, "DELETE FROM readings WHERE series = 1 AND observed_at = ?", START + 100 * NS)
    found = faults(verify(journal))
    assert found["seals"].endswith("1 of 240 readings are missing")
    assert found["charts"].endswith("holds 1 readings that have no row, the first of 2026-01-01T00:01:40.000000Z")


def test_an_added_reading_is_named(journal: Path) -> None:
    change(journal, "INSERT INTO readings VALUES (1, ?, 5, 71, 0, '', 100)", START + 100 * NS + 1)
    found = faults(verify(journal))
    assert found["seals"].endswith("1 readings were added to the 240 that were sealed")
    assert "the block has no reading of 2026-01-01T00:01:40.000000Z, which is 71.0" in found["charts"]


@pytest.mark.parametrize(
    ("commit_no", "text"), [(0, "of no commit are there"), (9_999, f"commits after {SECONDS}, the last")]
)
def test_a_reading_of_no_commit_is_found(journal: Path, commit_no: int, text: str) -> None:
    change(journal, "INSERT INTO readings VALUES (1, 77, 77, 71, 0, '', ?)", commit_no)
    assert text in faults(verify(journal))["seals"]


def test_a_count_of_commits_that_was_put_back_is_found(journal: Path) -> None:
    change(journal, "UPDATE last_commit SET commit_no = 3")
    assert "the count of commits is 3" in faults(verify(journal))["seals"]


def test_a_changed_seal_is_found(journal: Path) -> None:
    change(journal, "UPDATE seals SET digest = zeroblob(32) WHERE id = 3")
    found = faults(verify(journal))
    assert found["chain"].startswith("seals row 3 (2026-01-01T00:02:59.000000Z) was changed")
    assert found["seals"].startswith("seals row 3 (commits 121 to 180")


def test_seals_that_leave_commits_out_are_found(journal: Path) -> None:
    change(journal, "UPDATE seals SET first_commit = first_commit + 1 WHERE id = 3")
    found = faults(verify(journal))
    assert found["seals"] == "seals row 3 covers commits 122 to 180: the one before ends with 120"
    assert found["charts"].endswith("was not checked, since the seals are not whole")


def packed_again(path: Path, number: int) -> tuple[bytes, int]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        begins_at, packed = connection.execute(
            "SELECT begins_at, packed FROM blocks ORDER BY series, begins_at LIMIT 1 OFFSET ?", (number,)
        ).fetchone()
    readings = blocks.unpack(packed, begins_at)
    values = readings.values.copy()
    values[17] = 55.0
    return blocks.pack(readings._replace(values=values), begins_at), begins_at


def test_a_changed_block_is_found_though_its_summary_fits(journal: Path) -> None:
    packed, begins_at = packed_again(journal, 0)
    slots = blocks.summarise(blocks.unpack(packed, begins_at), begins_at)
    with tampering(journal) as connection:
        connection.execute("UPDATE blocks SET packed = ? WHERE series = 1 AND begins_at = ?", (packed, begins_at))
        connection.execute("UPDATE summaries SET slots = ? WHERE series = 1 AND begins_at = ?", (slots, begins_at))
    found = faults(verify(journal))
    assert list(found) == ["charts"]
    assert "55.0 (validity 0" in found["charts"]


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("UPDATE blocks SET packed = x'0102' WHERE series = 2 AND begins_at = ?", "the block was changed (a damaged"),
        ("DELETE FROM blocks WHERE series = 2 AND begins_at = ?", "the block is missing"),
        ("DELETE FROM summaries WHERE series = 2 AND begins_at = ?", "the summary is missing"),
        ("UPDATE summaries SET slots = zeroblob(640) WHERE series = 2 AND begins_at = ?", "is not that of the block"),
        ("INSERT INTO summaries VALUES (4, ? + 99, x'00')", "a summary without a block"),
        ("INSERT INTO blocks SELECT 9, begins_at, packed FROM blocks WHERE series = 2 AND begins_at = ?", "missing"),
    ],
)
def test_what_charts_are_drawn_from_is_looked_at(journal: Path, statement: str, text: str) -> None:
    change(journal, statement, START + blocks.BLOCK)
    found = faults(verify(journal))
    assert list(found) == ["charts"]
    assert text in found["charts"]


@pytest.mark.parametrize("causes", [[["list"]], "word", 5, [], {"": 0}])
def test_a_block_with_causes_that_are_none_is_found(journal: Path, causes: object) -> None:
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        begins_at, packed = connection.execute("SELECT begins_at, packed FROM blocks").fetchone()
    readings = blocks.unpack(packed, begins_at)
    whole = blocks.pack(readings._replace(causes=causes), begins_at)
    change(journal, "UPDATE blocks SET packed = ? WHERE series = 1 AND begins_at = ?", whole, begins_at)
    assert list(faults(verify(journal))) == ["charts"]


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("DROP TRIGGER alerts_stand", "the trigger alerts_stand was taken out"),
        ("DROP INDEX readings_by_commit", "the index readings_by_commit was taken out"),
        (
            "CREATE TRIGGER quiet AFTER INSERT ON alerts BEGIN UPDATE alerts SET text = ''; END",
            "the trigger quiet is not of this program",
        ),
    ],
)
def test_the_form_is_looked_at(journal: Path, statement: str, text: str) -> None:
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        connection.execute(statement)
    assert faults(verify(journal))["form"] == text


def test_an_index_of_its_own_or_what_analyze_leaves_is_no_fault(journal: Path) -> None:
    with contextlib.closing(sqlite3.connect(journal)) as connection:
        connection.execute("CREATE INDEX mine ON alerts (bed)")
        connection.execute("ANALYZE")
    assert faults(verify(journal)) == {}


def test_retention_is_no_fault_and_what_it_left_by_mistake_is(journal: Path) -> None:
    database = Database(journal)
    assert database.remove(START + 900 * NS, (), START + SECONDS * NS)
    database.close()
    found = verify(journal)
    assert faults(found) == {}
    assert found.readings == (SEALED - 900) * 4 + 1
    assert "readings up to commit 900 were removed for their age" in found.checks[4].text
    change(journal, "INSERT INTO readings VALUES (1, 77, 77, 71, 0, '', 300)")
    assert "1 readings of commits up to 900, which retention removed" in faults(verify(journal))["seals"]


def test_readings_that_somebody_removed_as_if_for_their_age_are_found(journal: Path) -> None:
    with tampering(journal) as connection:
        connection.execute("DELETE FROM readings WHERE commit_no <= 120")
        connection.execute("INSERT INTO removals (removed_at, last_commit, readings) VALUES (?, 120, 480)", (START,))
        repack(connection)
    assert list(faults(verify(journal))) == ["beside"]


def test_damage_stops_the_rest(journal: Path) -> None:
    data = bytearray(journal.read_bytes())
    for page in range(4096 * 20, len(data), 4096 * 7):
        data[page : page + 200] = b"\xa5" * 200
    journal.write_bytes(data)
    found = verify(journal)
    assert list(faults(found)) == ["file", "rest"]
    assert found.head is None


def test_no_file_and_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable, match="there is no journal"):
        verify(tmp_path / "journal.db")
    (tmp_path / "other.db").write_bytes(b"no database at all" * 300)
    with pytest.raises(JournalUnusable, match="cannot be read"):
        verify(tmp_path / "other.db")


TABLES = {**dict.fromkeys(chain.CHAINED, "id"), "chain": "id", "readings": "series, observed_at"}
VALUES = {
    "INTEGER": st.integers(-(2**63), 2**63 - 1),
    "REAL": st.none() | st.floats(allow_nan=False),
    "TEXT": st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    "BLOB": st.binary(max_size=40),
}


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_a_chained_row_or_a_sealed_reading_is_found(
    made: Path, tmp_path: Path, data: st.DataObject
) -> None:
    path = Path(shutil.copy(made, tmp_path / "journal.db"))
    with tampering(path) as connection:
        connection.execute("INSERT INTO alerts SELECT * FROM alerts WHERE false")
        tables = [table for table in TABLES if connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]]
        table = data.draw(st.sampled_from(tables))
        last = connection.execute("SELECT max(last_commit) FROM seals").fetchone()[0]
        which = f"WHERE commit_no <= {last}" if table == "readings" else ""
        count = connection.execute(f"SELECT count(*) FROM {table} {which}").fetchone()[0]
        place = data.draw(st.integers(0, count - 1))
        cursor = connection.execute(f"SELECT * FROM {table} {which} ORDER BY {TABLES[table]} LIMIT 1 OFFSET {place}")
        row = cursor.fetchone()
        names = [column[0] for column in cursor.description]
        kinds = {name: kind for _, name, kind, *_ in connection.execute(f"PRAGMA table_info({table})")}
        keys = TABLES[table].split(", ")
        where = " AND ".join(f"{key} = {row[names.index(key)]}" for key in keys)
        match data.draw(st.sampled_from(["change", "delete", "insert"])):
            case "change":
                name = data.draw(st.sampled_from(names))
                value = data.draw(VALUES[kinds[name]].filter(lambda it: it != row[names.index(name)]))
                with contextlib.suppress(sqlite3.IntegrityError):
                    connection.execute(f"UPDATE {table} SET {name} = ? WHERE {where}", (value,))
            case "delete":
                connection.execute(f"DELETE FROM {table} WHERE {where}")
            case "insert":
                new = list(row)
                new[names.index(keys[-1])] = data.draw(VALUES["INTEGER"])
                with contextlib.suppress(sqlite3.IntegrityError):
                    connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(new))})", new)
        changed = connection.execute("SELECT changes()").fetchone()[0] == 1
    assert verify(path).holds is not changed


def test_beside_a_running_station_and_after_it(tmp_path: Path, start_station: Start) -> None:
    data = tmp_path / "data"
    station = start_station(data)
    wait_for(lambda: b"fresh" in station.get("/api/snapshot"))
    done = call("verify", "--data-dir", data)
    assert (done.returncode, done.stderr) == (0, "")
    assert "readings of the last minute are not sealed yet" in done.stdout
    assert station.stop()[0] == 0
    done = call("verify", "--data-dir", data, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["holds"], found["not_sealed"]) == (0, True, 0)
    again = call("verify", data / "journal.db", "--head", found["head"])
    assert again.returncode == 0
    assert f"head   {found['head']}" in again.stdout


def test_what_does_not_hold_is_printed_and_ends_with_1(journal: Path) -> None:
    change(journal, "UPDATE alerts SET priority = 'low' WHERE id = 5")
    done = call("verify", journal)
    assert (done.returncode, done.stderr) == (1, "")
    assert "FAULT  alerts row 5 (chair-1, spo2_low, 2026-01-01T00:03:30.000000Z) was changed" in done.stdout
    assert "head" not in done.stdout
    found = json.loads(call("verify", journal, "--json").stdout)
    assert [check["name"] for check in found["checks"] if not check["holds"]] == ["chain"]


def test_a_head_that_is_none_is_refused(journal: Path) -> None:
    done = call("verify", journal, "--head", "12:abc")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("--head 12:abc: expected a number")
