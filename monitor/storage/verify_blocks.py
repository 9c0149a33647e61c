"""Whether the blocks that charts are drawn from hold the journal's readings, and nothing else.

Each reading is looked up in the block that has to hold it. A block that has as many readings as were found in it, no
two of them of one time, holds exactly those.
"""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from drivers.clock import iso
from monitor.storage import blocks, sealing
from monitor.storage.blocks import BLOCK, Readings
from monitor.storage.sealing import SealedRow

_ROWS_AT_ONCE = 100_000
"""Rows that are looked up together; those of one call are never parted."""
_UNPACKED = 1_000_000
"""Readings in blocks that are kept unpacked: rows of one time come near each other."""

_BLOCKS = "SELECT series, begins_at FROM blocks ORDER BY series, begins_at"
_BLOCK = """
    SELECT packed, slots FROM blocks LEFT JOIN summaries USING (series, begins_at)
    WHERE series = ? AND begins_at = ?"""
_LONE_SUMMARY = "SELECT series, begins_at FROM summaries EXCEPT SELECT series, begins_at FROM blocks LIMIT 1"

_ROW = np.dtype(
    [
        ("series", "<i8"),
        ("observed_at", "<i8"),
        ("received_at", "<i8"),
        ("value", "<f8"),
        ("validity", "<i8"),
        ("cause", "<i8"),
    ]
)
"""A reading's row; NaN where it has no value, and the place of its cause in a table."""

_Key = tuple[int, int]
"""A block: series, begins_at."""


class Unlike(Exception):
    """Something is not as it was written; the text says what, for people."""


def moment(at: object) -> str:
    """A time for people; the number itself where it is none, since who changes a row may put anything there."""
    try:
        return iso(int(str(at)))
    except (ValueError, OverflowError, OSError):
        return str(at)


class BlocksCheck:
    """Takes every sealed reading that there is, then says whether the blocks hold just these."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._unlike: Unlike | None = None
        self._waiting: list[NDArray[np.void]] = []
        self._causes: dict[str, int] = {"": 0}
        self._found: dict[_Key, int] = {}
        self._held: dict[_Key, int] = {}
        self._unpacked: OrderedDict[_Key, Readings] = OrderedDict()
        self._unpacked_readings = 0

    def look_up(self, rows: Sequence[SealedRow]) -> None:
        """Find each row in its block; the first that is not there as it is ends this."""
        if rows and self._unlike is None:
            self._waiting.append(self._columns(rows))
            if sum(map(len, self._waiting)) >= _ROWS_AT_ONCE:
                self._look_up_waiting()

    def outcome(self) -> str:
        """The text of what holds; raises Unlike with the first that does not."""
        self._look_up_waiting()
        if self._unlike is not None:
            raise self._unlike
        for key in self._connection.execute(_BLOCKS):
            if key not in self._held:
                self._load(key)
            if self._held[key] != self._found.get(key, 0):
                raise Unlike(f"{self._named(key)}: {self._without_row(key)}")
        for key in self._connection.execute(_LONE_SUMMARY):
            raise Unlike(f"{self._named(key)}: there is a summary without a block")
        return f"{len(self._held):,} blocks and summaries, which charts are drawn from, hold just these readings"

    def _columns(self, rows: Sequence[SealedRow]) -> NDArray[np.void]:
        columns = np.empty(len(rows), _ROW)
        _, *numbers, causes = zip(*rows, strict=True)
        for name, column in zip(_ROW.names or (), numbers, strict=False):
            columns[name] = column
        table = self._causes
        columns["cause"] = [table.setdefault(cause, len(table)) for cause in causes]
        return columns

    def _look_up_waiting(self) -> None:
        if self._waiting:
            rows = np.concatenate(self._waiting)
            self._waiting = []
            try:
                for key, part in _by_block(rows):
                    self._find(key, part)
            except Unlike as unlike:
                self._unlike = unlike

    def _find(self, key: _Key, part: NDArray[np.void]) -> None:
        block = self._unpacked.get(key) or self._load(key)
        if not len(block.observed_at):
            raise Unlike(f"{self._named(key)}: the block was changed, it is empty")
        places = np.minimum(np.searchsorted(block.observed_at, part["observed_at"]), len(block.observed_at) - 1)
        causes = np.array([self._causes.get(cause, -1) for cause in block.causes], np.int64)
        same = (
            (block.observed_at[places] == part["observed_at"])
            & (block.received_at[places] == part["received_at"])
            # Bit by bit, since a number that is none is not equal to itself.
            & (block.values[places].view(np.int64) == part["value"].view(np.int64))
            & (block.validity[places] == part["validity"])
            & (causes[block.cause[places]] == part["cause"])
        )
        if not same.all():
            odd = int(np.argmin(same))
            raise Unlike(f"{self._named(key)}: {self._difference(part[odd], block, int(places[odd]))}")
        self._found[key] = self._found.get(key, 0) + len(part)

    def _load(self, key: _Key) -> Readings:
        """Unpack a block and check it in itself and against its summary."""
        packed, slots = self._connection.execute(_BLOCK, key).fetchone() or (None, None)
        if packed is None:
            raise Unlike(f"{self._named(key)}: the block is missing")
        try:
            block = blocks.unpack(packed, key[1])
            if not _in_order(block, key[1]):
                raise Unlike(f"{self._named(key)}: the block was changed, it is not in order")
            summary = blocks.summarise(block, key[1])
        except (ValueError, TypeError, OverflowError) as error:
            raise Unlike(f"{self._named(key)}: the block was changed ({error})") from error
        if slots is None:
            raise Unlike(f"{self._named(key)}: the summary is missing")
        if slots != summary:
            raise Unlike(f"{self._named(key)}: the summary is not that of the block")
        self._held[key] = len(block.observed_at)
        self._unpacked[key] = block
        self._unpacked_readings += len(block.observed_at)
        while self._unpacked_readings > _UNPACKED and len(self._unpacked) > 1:
            _, oldest = self._unpacked.popitem(last=False)
            self._unpacked_readings -= len(oldest.observed_at)
        return block

    def _named(self, key: _Key) -> str:
        series = self._connection.execute("SELECT bed, device, vital FROM series WHERE id = ?", key[:1]).fetchone()
        which = "{2} of {0} ({1})".format(*series) if series else f"series {key[0]}, which there is none of,"
        return f"{which} in the ten minutes from {moment(key[1])}"

    def _difference(self, row: NDArray[np.void], block: Readings, place: int) -> str:
        _, at, received_at, value, validity, number = row.tolist()
        by_row = _told(value, validity, list(self._causes)[number], received_at)
        if int(block.observed_at[place]) != at:
            return f"the block has no reading of {moment(at)}, which is {by_row} by its row"
        cause = block.causes[block.cause[place]]
        held = _told(float(block.values[place]), int(block.validity[place]), cause, int(block.received_at[place]))
        return f"the reading of {moment(at)} is {by_row} by its row, and {held} in the block"

    def _without_row(self, key: _Key) -> str:
        rows = {row[0] for row in sealing.sealed_readings(self._connection, *key)}
        extra = [at for at in self._load(key).observed_at.tolist() if at not in rows]
        first = f", the first of {moment(extra[0])}" if extra else ""
        return f"the block holds {len(extra):,} readings that have no row{first}"


def _by_block(rows: NDArray[np.void]) -> Iterator[tuple[_Key, NDArray[np.void]]]:
    """The rows of each block; those of a block with late rows in several parts."""
    rows = rows[np.argsort(rows["series"], kind="stable")]
    begins_at = rows["observed_at"] - rows["observed_at"] % BLOCK
    changes = (np.diff(rows["series"]) != 0) | (np.diff(begins_at) != 0)
    firsts = [0, *(np.flatnonzero(changes) + 1).tolist()]
    for first, end in zip(firsts, [*firsts[1:], len(rows)], strict=True):
        yield (int(rows["series"][first]), int(begins_at[first])), rows[first:end]


def _in_order(block: Readings, begins_at: int) -> bool:
    """Whether the times rise and lie in the block, and every cause is one."""
    places = block.observed_at - begins_at
    return bool(
        np.all(np.diff(places) > 0)
        and np.all((places >= 0) & (places < BLOCK))
        and np.all(block.cause < len(block.causes))
        and all(isinstance(cause, str) for cause in block.causes)
    )


def _told(value: float, validity: int, cause: str, received_at: int) -> str:
    why = f" {cause}" if cause else ""
    return f"{value!r} (validity {validity}{why}, received {moment(received_at)})"
