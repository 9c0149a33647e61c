"""The journal as charts read it: every reading as columns, or the lowest and the highest of each step of a wide view.

Both come from the blocks and summaries of sealed commits (`sealing`), and from the rows of the few commits since.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.storage import blocks
from monitor.storage.blocks import BLOCK, SLOT, SLOT_TYPE, SLOTS, Readings, ReadingTuple
from monitor.storage.sealing import last_sealed

_SERIES = "SELECT id, bed, device, vital FROM series WHERE :bed IS NULL OR bed = :bed ORDER BY bed, device, vital"
_BLOCKS = "SELECT begins_at, packed FROM blocks WHERE series = ? AND begins_at > ? AND begins_at < ?"
_SUMMARIES = "SELECT begins_at, slots FROM summaries WHERE series = ? AND begins_at > ? AND begins_at < ?"
# The index of the commits holds series and observed_at as well: rows that are not asked for are not looked up.
_SINCE_THE_SEAL = """
    SELECT series, observed_at, received_at, value, validity, cause FROM readings INDEXED BY readings_by_commit
    WHERE commit_no > ? AND observed_at >= ? AND observed_at < ?"""


class Trace(NamedTuple):
    """Every reading of one series in a span."""

    bed: str
    device: str
    vital: str
    readings: Readings


class Band(NamedTuple):
    """What one series did in each step of a span; steps without readings are left out. All columns are of n."""

    bed: str
    device: str
    vital: str
    begins_at: NDArray[np.int64]
    """UTC nanoseconds, int64[n], rising."""
    step: int
    """How long each step is, nanoseconds."""
    lowest: NDArray[np.float64]
    """In the vital's unit, of all readings that have a value, questionable ones among them; NaN where none has."""
    highest: NDArray[np.float64]
    total: NDArray[np.int64]
    """How many readings, int64[n], of which:"""
    questionable: NDArray[np.int64]
    invalid: NDArray[np.int64]


def traces(connection: sqlite3.Connection, bed: str, since: int, until: int) -> list[Trace]:
    """Every reading of the bed with `since` <= observed_at < `until`, a trace for each series that has any."""
    with _one_moment(connection):
        tail = _tail(connection, since, until)
        made = []
        for series, bed_, device, vital in connection.execute(_SERIES, {"bed": bed}).fetchall():
            packed = connection.execute(_BLOCKS, (series, since - BLOCK, until))
            parts = [blocks.unpack(block, begins_at) for begins_at, block in packed]
            readings = blocks.joined([*parts, blocks.columns(tail[series])])
            readings = blocks.between(readings, since, until)
            if len(readings.observed_at):
                made.append(Trace(bed_, device, vital, readings))
        return made


def bands(connection: sqlite3.Connection, bed: str | None, since: int, until: int, width: int) -> list[Band]:
    """The span in at most `width` steps, a band for each series that has any reading there.

    Steps are of one length, a multiple of half a minute, and begin at multiples of it.
    """
    # One step of the width is kept for the ends, which cut through steps.
    step = SLOT * max(1, -(-(until - since) // (SLOT * max(1, width - 1))))
    with _one_moment(connection):
        # Half minutes count as a whole, whether a summary has them or rows.
        tail = _tail(connection, since - since % SLOT, until + -until % SLOT)
        made = []
        for series, *names in connection.execute(_SERIES, {"bed": bed}).fetchall():
            rows = connection.execute(_SUMMARIES, (series, since - BLOCK, until)).fetchall()
            starts, entries = _entries(rows, tail[series])
            wanted = (entries["count"] > 0) & (starts + SLOT > since) & (starts < until)
            if wanted.any():
                made.append(_banded(names, starts[wanted], entries[wanted], step))
        return made


def _entries(rows: list[tuple[int, bytes]], tail: list[ReadingTuple]) -> tuple[NDArray[np.int64], NDArray[np.void]]:
    """Summaries of sealed and of other readings: when each entry begins, and the entries; not in order."""
    by_block: defaultdict[int, list[ReadingTuple]] = defaultdict(list)
    for reading in tail:
        by_block[reading[0] - reading[0] % BLOCK].append(reading)
    rows = rows + [(begins_at, blocks.summarise(blocks.columns(it), begins_at)) for begins_at, it in by_block.items()]
    begins = np.array([begins_at for begins_at, _ in rows], np.int64)
    starts = (begins[:, np.newaxis] + np.arange(SLOTS) * SLOT).reshape(-1)
    return starts, np.frombuffer(b"".join(slots for _, slots in rows), SLOT_TYPE)


def _banded(names: list[str], starts: NDArray[np.int64], entries: NDArray[np.void], step: int) -> Band:
    order = np.argsort(starts, kind="stable")
    entries = entries[order]
    begins_at, first = np.unique(starts[order] - starts[order] % step, return_index=True)

    def summed(column: str) -> NDArray[np.int64]:
        return np.add.reduceat(entries[column].astype(np.int64), first)

    bed, device, vital = names
    return Band(
        bed,
        device,
        vital,
        begins_at,
        step,
        np.fmin.reduceat(entries["lowest"], first),
        np.fmax.reduceat(entries["highest"], first),
        summed("count"),
        summed("questionable"),
        summed("invalid"),
    )


def _tail(connection: sqlite3.Connection, since: int, until: int) -> defaultdict[int, list[ReadingTuple]]:
    """By series, the rows of that span that no seal covers yet."""
    tail: defaultdict[int, list[ReadingTuple]] = defaultdict(list)
    question = (last_sealed(connection), since, until)
    for series, observed_at, received_at, value, validity, cause in connection.execute(_SINCE_THE_SEAL, question):
        tail[series].append((observed_at, received_at, value, validity, cause))
    return tail


@contextlib.contextmanager
def _one_moment(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")
