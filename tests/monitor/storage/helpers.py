"""What the tests of the store share: real journals on a real disk, and a plain second opinion on what they hold."""

import asyncio
import contextlib
import hashlib
import json
import math
import sqlite3
import struct
from pathlib import Path

from drivers.events import Validity, measured
from monitor.sessions.entries import Entry, Kind
from monitor.storage.database import Database
from monitor.storage.history import History
from monitor.storage.journal import Journal
from monitor.storage.rows import Batch
from monitor.storage.verify import verify

PROJECT = Path(__file__).parents[3]
NEVER = 1e6
"""Seconds that no test lives to see."""
START = 1_767_225_600_000_000_000
"""Some beginning of a block and of every wider step that the tests use, UTC nanoseconds."""
CHAINED = ("series", "alerts", "audit", "seals", "removals", "session_entries")


def spo2(*times):
    return [measured("spo2", 90.0 + at % 10, at, at) for at in times]


def entry(number, kind=Kind.NOTE, *, session="s1", at=START, bed="a", request="", **content):
    """An entry of a session; a note unless it is said otherwise."""
    content = content or {"text": "patient is cold"}
    request = request or f"{session}-{number}"
    return Entry(session, number, kind, at, START + number, "Kim Möller", bed, content, request)


@contextlib.contextmanager
def database(folder):
    """The writing connection, without the writer's thread: commits, seals and removals just when a test wants them."""
    writer = Database(folder / "journal.db")
    try:
        yield writer
    finally:
        writer.close()


def commit(writer, readings=(), *, bed="a", device="oximeter", runs=(), rows=()):
    """One commit with these of one device."""
    return writer.write([Batch(bed, device, list(readings), list(runs), None)], rows)


def seal_all(writer, at=START):
    while writer.seal(at):
        pass


async def record(folder, *events, bed="a", **arguments):
    """A whole life of a journal: writer, written to, closed."""
    journal = Journal(folder, **arguments)
    journal.open()
    journal.record(bed, "oximeter", events)
    await journal.close()


def ask(folder, question, *values):
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'journal.db'}?mode=ro", uri=True)) as connection:
        return connection.execute(question, values).fetchall()


def change(folder, statements):
    """Write to the file behind the program's back."""
    with contextlib.closing(sqlite3.connect(folder / "journal.db", isolation_level=None)) as connection:
        connection.executescript(statements)


def inode(folder):
    """What tells the journal in that folder from one that takes its place."""
    return (folder / "journal.db").stat().st_ino


def times_in(folder):
    return [row.observed_at for row in History(folder).readings()]


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


def bits(value):
    """A value so that equal means identical: what has none is one of its own, and -0.0 is not 0.0."""
    return None if value is None or math.isnan(value) else struct.pack("<d", value)


def rows_of(readings):
    """Columns as rows again: observed_at, received_at, bits of the value, validity, cause."""
    return [
        (observed_at, received_at, bits(value), validity, readings.causes[cause])
        for observed_at, received_at, value, validity, cause in zip(
            *(column.tolist() for column in readings[:5]), strict=True
        )
    ]


def traces_of(folder, bed, since, until):
    """By series, the rows of `History.chart`."""
    return {(trace.device, trace.vital): rows_of(trace.readings) for trace in History(folder).chart(bed, since, until)}


def traces_expected(folder, bed, since, until):
    """The same from the rows one by one."""
    expected = {}
    for row in History(folder).readings(bed=bed, since=since, until=until):
        assert isinstance(row.validity, Validity)
        reading = (row.observed_at, row.received_at, bits(row.value), row.validity.value, row.cause)
        expected.setdefault((row.device, row.vital), []).append(reading)
    return expected


def assert_charts_hold_the_rows(folder, *beds):
    """That every reading of these beds is in its block, and nothing else is."""
    for bed in beds:
        assert traces_of(folder, bed, -(2**63), 2**63 - 1) == traces_expected(folder, bed, None, None)


def chain_of(folder):
    """The chained rows in order, each as (source, id), after checking every hash by the rule of its own."""
    before = bytes(32)
    bound = []
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'journal.db'}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        # All of it as it is at one moment: a station may be writing.
        connection.execute("BEGIN")
        for number, link in enumerate(connection.execute("SELECT * FROM chain ORDER BY id"), start=1):
            [row] = connection.execute(f"SELECT * FROM {link['source']} WHERE id = ?", (link["row_id"],))
            content = {
                key: row[key].hex() if isinstance(row[key], bytes) else row[key]
                for key in row.keys()  # noqa: SIM118 - a row's own iteration gives its values
                if row[key] is not None
            }
            text = json.dumps([link["source"], content], sort_keys=True, separators=(",", ":"))
            before = hashlib.sha256(before + text.encode()).digest()
            assert (link["id"], link["hash"]) == (number, before)
            bound.append((link["source"], link["row_id"]))
        for source in CHAINED:
            there = [row["id"] for row in connection.execute(f"SELECT id FROM {source} ORDER BY id")]
            assert [row_id for its_source, row_id in bound if its_source == source] == there
    return bound


def assert_whole(folder):
    """That file, chain, seals and blocks are as they must be, and that `verify` says so too."""
    chain_of(folder)
    found = verify(folder / "journal.db")
    assert found.holds, found.checks
    return found
