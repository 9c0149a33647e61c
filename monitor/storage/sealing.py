"""Once a minute: what was committed since is digested, and packed into the blocks that charts are read from.

The digest of a seal is SHA-256 over its readings in the order (commit_no, series, observed_at): their numbers column by
column as little-endian 64-bit ones, then validity and cause as JSON. The seal itself is a row of the hash chain.
Blocks and summaries hold exactly the readings of sealed commits: who reads adds the few of the commits after.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from drivers.events import Waveform
from monitor.storage import blocks, chain, waveforms
from monitor.storage.blocks import BLOCK, ReadingTuple

ROWS_A_SEAL = 20_000
"""About how many readings a seal covers at most: the writer makes one between two commits."""

_log = logging.getLogger(__name__)

SealedRow = tuple[int, int, int, int, float | None, int, str]
"""commit_no, series, observed_at, received_at, value, validity, cause."""

_READING_SINCE = "SELECT commit_no FROM readings WHERE commit_no >= ? ORDER BY commit_no LIMIT 1 OFFSET ?"
OF_COMMITS = """
    SELECT commit_no, series, observed_at, received_at, value, validity, cause
    FROM readings INDEXED BY readings_by_commit
    WHERE commit_no BETWEEN ? AND ? ORDER BY commit_no, series, observed_at"""
"""The readings of a seal in the order of its digest, which is that of the index."""
_BLOCK = "SELECT packed FROM blocks WHERE series = ? AND begins_at = ?"
_PUT_BLOCK = "INSERT INTO blocks VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET packed = excluded.packed"
_PUT_SUMMARY = "INSERT INTO summaries VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET slots = excluded.slots"
_INSERT_SEAL = "INSERT INTO seals (first_commit, last_commit, sealed_at, readings, digest) VALUES (?, ?, ?, ?, ?)"
_RUNS = """
    SELECT id, commit_no, bed, device, name, rate, packed FROM waveforms
    WHERE commit_no BETWEEN ? AND ? ORDER BY id"""
INSERT_WAVEFORM = """
    INSERT INTO waveforms (bed, device, name, rate, begins_at, ends_at, packed, commit_no)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""


def last_sealed(connection: sqlite3.Connection) -> int:
    """The last commit that a seal covers; 0 where there is none."""
    last: int = connection.execute("SELECT coalesce(max(last_commit), 0) FROM seals").fetchone()[0]
    return last


def seal(connection: sqlite3.Connection, at: int) -> bool:
    """Seal commits that are not yet sealed, in the caller's transaction; whether some are left for another seal."""
    first = last_sealed(connection) + 1
    last: int = connection.execute("SELECT commit_no FROM last_commit").fetchone()[0]
    beyond = connection.execute(_READING_SINCE, (first, ROWS_A_SEAL)).fetchone()
    if beyond is not None:
        # The commit with the row that would be one too many is left for the next seal, unless it is the first.
        first_with_any = connection.execute(_READING_SINCE, (first, 0)).fetchone()
        last = max(first_with_any[0], beyond[0] - 1)
    rows = connection.execute(OF_COMMITS, (first, last)).fetchall()
    runs = connection.execute(_RUNS, (first, last)).fetchall()
    if rows or runs:
        _pack_readings(connection, rows)
        _pack_waveforms(connection, runs)
        sealed = connection.execute(_INSERT_SEAL, (first, last, at, len(rows), digest(rows)))
        assert sealed.lastrowid is not None  # noqa: S101 - for the type checker: an INSERT has one
        chain.append(connection, "seals", sealed.lastrowid)
    return beyond is not None


def digest(rows: Sequence[SealedRow]) -> bytes:
    """SHA-256 of these readings, as the module's text says."""
    made = hashlib.sha256()
    if rows:
        commit_no, series, observed_at, received_at, values, *words = zip(*rows, strict=True)
        for numbers in (commit_no, series, observed_at, received_at):
            made.update(np.array(numbers, "<i8").tobytes())
        made.update(np.array(values, "<f8").tobytes())
        made.update(json.dumps(words, separators=(",", ":")).encode())
    return made.digest()


def repack(connection: sqlite3.Connection, series: int, begins_at: int) -> None:
    """Make a block anew from the sealed rows that are there; without any it goes."""
    rows = sealed_readings(connection, series, begins_at)
    if rows:
        _put(connection, series, begins_at, blocks.columns(rows))
    else:
        for table in ("blocks", "summaries"):
            connection.execute(f"DELETE FROM {table} WHERE series = ? AND begins_at = ?", (series, begins_at))  # noqa: S608 - two words


def sealed_readings(connection: sqlite3.Connection, series: int, begins_at: int) -> list[ReadingTuple]:
    """What that block must hold."""
    rows: list[ReadingTuple] = connection.execute(
        "SELECT observed_at, received_at, value, validity, cause FROM readings"
        " WHERE series = ? AND observed_at >= ? AND observed_at < ? AND commit_no <= ? ORDER BY observed_at",
        (series, begins_at, min(begins_at + BLOCK, 2**63 - 1), last_sealed(connection)),
    ).fetchall()
    return rows


def _pack_readings(connection: sqlite3.Connection, rows: Iterable[SealedRow]) -> None:
    new: defaultdict[tuple[int, int], list[ReadingTuple]] = defaultdict(list)
    for _, series, observed_at, received_at, value, validity, cause in rows:
        reading = (observed_at, received_at, value, validity, cause)
        new[series, observed_at - observed_at % BLOCK].append(reading)
    for (series, begins_at), readings in new.items():
        packed = blocks.columns(readings)
        if there := connection.execute(_BLOCK, (series, begins_at)).fetchone():
            packed = blocks.joined([_unpacked(connection, series, begins_at, there[0]), packed])
        _put(connection, series, begins_at, packed)


def _unpacked(connection: sqlite3.Connection, series: int, begins_at: int, block: bytes) -> blocks.Readings:
    try:
        return blocks.unpack(block, begins_at)
    except ValueError as error:
        _log.error("series %d at %d: %s; it is made anew from its rows", series, begins_at, error)
        return blocks.columns(sealed_readings(connection, series, begins_at))


def _put(connection: sqlite3.Connection, series: int, begins_at: int, readings: blocks.Readings) -> None:
    connection.execute(_PUT_BLOCK, (series, begins_at, blocks.pack(readings, begins_at)))
    connection.execute(_PUT_SUMMARY, (series, begins_at, blocks.summarise(readings, begins_at)))


def _pack_waveforms(
    connection: sqlite3.Connection, rows: Iterable[tuple[int, int, str, str, str, float, bytes]]
) -> None:
    together: defaultdict[tuple[str, str, str, float, int], list[Waveform]] = defaultdict(list)
    newest: defaultdict[tuple[str, str, str, float, int], int] = defaultdict(int)
    for row_id, commit_no, bed, device, name, rate, packed in rows:
        try:
            runs = waveforms.unpack(packed, name, rate)
        except ValueError as error:
            _log.error("waveforms row %d, %s of %s at %s: %s; it is left as it is", row_id, name, device, bed, error)
            continue
        for run in runs:
            key = (bed, device, name, rate, run.observed_at // BLOCK)
            together[key].append(run)
            newest[key] = max(newest[key], commit_no)
        connection.execute("DELETE FROM waveforms WHERE id = ?", (row_id,))
    for key, runs in together.items():
        connection.execute(INSERT_WAVEFORM, (*waveform_values(key[0], key[1], waveforms.merged(runs)), newest[key]))


def waveform_values(bed: str, device: str, runs: Sequence[Waveform]) -> tuple[str, str, str, float, int, int, bytes]:
    """The values of a row of `waveforms` but for its commit's number; all runs are of one name and rate."""
    return (
        bed,
        device,
        runs[0].name,
        runs[0].rate,
        min(run.observed_at for run in runs),
        max(waveforms.ends_at(run) for run in runs),
        waveforms.pack(runs),
    )
