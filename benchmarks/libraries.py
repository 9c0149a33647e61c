"""The journal's statements through the standard library's sqlite3, and through apsw, on the same files' form and disk.

The two take turns within every round, and the table compares medians. What is compared is a library with the SQLite
that it brings: apsw's own is another version than the interpreter's.
"""

from __future__ import annotations

import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from benchmarks import day
from benchmarks.table import Table
from drivers.clock import NS
from monitor.storage import charts
from monitor.storage.backlog import _READINGS, ROWS
from monitor.storage.connection import JOURNAL_FILE
from monitor.storage.database import _INSERT_READING, _NEXT_COMMIT, Database

_ROUNDS = 9
_HOURS = 2
_BED = day.BEDS[3]
_BARE = """
    SELECT observed_at, received_at, value, validity, cause FROM readings
    WHERE series = ? AND observed_at >= ? AND observed_at < ? ORDER BY observed_at"""
_SERIES = "SELECT id FROM series WHERE bed = ? ORDER BY id"

_Connection = Any
"""sqlite3's or apsw's: each has `execute` and `executemany`, and their cursors are read alike."""


class _Library(NamedTuple):
    name: str
    sqlite: str
    """The version of SQLite that it uses."""
    write: Callable[[Path], _Connection]
    read: Callable[[Path], _Connection]


_LIBRARIES = (
    _Library(
        "sqlite3",
        sqlite3.sqlite_version,
        lambda path: sqlite3.connect(path, isolation_level=None),
        lambda path: sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None),
    ),
    _Library(
        "apsw",
        apsw.sqlite_lib_version(),
        lambda path: apsw.Connection(str(path)),
        lambda path: apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY),
    ),
)


def measure() -> Table:
    """Every job by both libraries in every round."""
    table = Table(
        "Libraries: sqlite3 (SQLite {}) and apsw (SQLite {}) on the journal's schema".format(
            *(library.sqlite for library in _LIBRARIES)
        ),
        "none: which one is used, and why, is in docs/decisions",
        ("job", "", "sqlite3", "apsw", "apsw/sqlite3 speed", "spread"),
        notes=[
            f"Medians of {_ROUNDS} rounds, both in turn; spread: of a library's rounds, the larger of both.",
            "Written in WAL with synchronous=FULL, each commit counted as the journal does. A chart is 2 h of",
            f"{len(day.VITALS)} vitals: blocks unpacked, or rows as tuples. {ROWS:,} rows are a forwarder's portion.",
            "Of a difference it is not told here how much is the library's, and how much that of the newer SQLite.",
        ],
    )
    folder = day.journal(_HOURS)
    with tempfile.TemporaryDirectory() as place:
        _compare(table, "write 30 rows a commit", "rows/s", lambda it: _written(it, Path(place), 30, 1_000))
        _compare(table, "write 3,000 rows a commit", "rows/s", lambda it: _written(it, Path(place), 3_000, 40))
    _compare(table, "chart from packed blocks", "charts/s", lambda it: _often(it, folder, _packed, 20))
    _compare(table, "chart from bare readings", "charts/s", lambda it: _often(it, folder, _bare, 5))
    _compare(table, f"{ROWS:,} rows from the cursor", "rows/s", lambda it: ROWS * _often(it, folder, _portion, 20))
    return table


def _compare(table: Table, job: str, unit: str, rate: Callable[[_Library], float]) -> None:
    for library in _LIBRARIES:
        rate(library)
    rates: dict[str, list[float]] = {library.name: [] for library in _LIBRARIES}
    for number in range(_ROUNDS):
        # Who goes first changes, too.
        for library in _LIBRARIES[:: -1 if number % 2 else 1]:
            rates[library.name].append(rate(library))
    one, other = (statistics.median(rates[library.name]) for library in _LIBRARIES)
    spread = max((max(its) - min(its)) / statistics.median(its) for its in rates.values())
    table.rows.append((job, unit, f"{one:,.0f}", f"{other:,.0f}", f"{other / one:.2f}", f"{spread:.0%}"))
    table.raw.append({"job": job, "unit": unit, **rates, "ratio": other / one})


def _written(library: _Library, place: Path, rows: int, commits: int) -> float:
    """Rows a second into a new journal."""
    with tempfile.TemporaryDirectory(dir=place) as folder:
        path = Path(folder) / JOURNAL_FILE
        Database(path).close()
        moments = [_rows(number, rows) for number in range(commits)]
        with closing(library.write(path)) as connection:
            connection.execute("PRAGMA synchronous = FULL").fetchall()
            started = time.perf_counter()
            for moment in moments:
                connection.execute("BEGIN IMMEDIATE")
                [(commit_no,)] = connection.execute(_NEXT_COMMIT).fetchall()
                connection.executemany(_INSERT_READING, [(*row, commit_no) for row in moment])
                connection.execute("COMMIT")
            seconds = time.perf_counter() - started
            [(mode, count)] = connection.execute(
                "SELECT journal_mode, count(*) FROM pragma_journal_mode, readings"
            ).fetchall()
    if (mode, count) != ("wal", rows * commits):
        raise RuntimeError(f"{library.name} has {count} rows in mode {mode}")
    return rows * commits / seconds


def _rows(number: int, count: int) -> list[tuple[int, int, int, float, int, str]]:
    """A commit's readings, the one of each series a second after the one before."""
    at = day.START + number * NS
    return [
        (series, at + series, at + series + 3_000_000, 60.0 + (series + number) % 40, 0, "") for series in range(count)
    ]


def _often(library: _Library, folder: Path, read: Callable[[_Connection], int], times: int) -> float:
    """How often a second it can be read, on a connection that is open."""
    with closing(library.read(folder / JOURNAL_FILE)) as connection:
        expected = read(connection)
        started = time.perf_counter()
        for _ in range(times):
            if read(connection) != expected or not expected:
                raise RuntimeError(f"{library.name} does not read the same every time")
        return times / (time.perf_counter() - started)


def _packed(connection: _Connection) -> int:
    traces = charts.traces(connection, _BED, *_span())
    return sum(len(trace.readings.observed_at) for trace in traces)


def _bare(connection: _Connection) -> int:
    ids = [series for (series,) in connection.execute(_SERIES, (_BED,)).fetchall()]
    return sum(len(connection.execute(_BARE, (series, *_span())).fetchall()) for series in ids)


def _portion(connection: _Connection) -> int:
    cursor = connection.execute(_READINGS, (1_000, 2_000))
    return sum(1 for _, _ in zip(range(ROWS), cursor, strict=False))


def _span() -> tuple[int, int]:
    return day.START, day.START + _HOURS * 3600 * NS
