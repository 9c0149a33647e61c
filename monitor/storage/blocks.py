"""Readings packed for reading: ten minutes of one series in a block, and its lowest and highest by the half minute.

A chart of two hours is 12 blocks a vital instead of 7,200 rows; a wide view reads the summaries alone. Nothing is
averaged: a block holds every reading as it came, a summary the lowest, the highest and how many of each validity.

A block is a zlib stream of: how many readings (a little-endian 32-bit number); `observed_at` after the block's
beginning, each as the difference from the one before; `received_at` - `observed_at`; the values (NaN where there is
none); then for each reading its validity (a byte) and the place of its cause in a table (two); then that table, as
JSON. Numbers of 64 bits are stored byte by byte of the same weight, which packs them better.
"""

from __future__ import annotations

import functools
import json
import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.events import Validity

BLOCK = 600 * NS
"""What a block covers, nanoseconds."""
SLOT = 30 * NS
"""What an entry of a summary covers, nanoseconds."""
SLOTS = BLOCK // SLOT
FURTHEST = 2**62
"""Nanoseconds from 1970, either way, within which a reading can be stored (1823 to 2116): sums of its time and of a
block or a chart's step never leave 64 bits."""

SLOT_TYPE = np.dtype(
    [("count", "<u4"), ("questionable", "<u4"), ("invalid", "<u4"), ("lowest", "<f8"), ("highest", "<f8")]
)
"""`lowest` and `highest` of all that have a value, questionable ones among them; NaN where none has."""

_HEAD = struct.Struct("<I")
_LEVEL = 1

ReadingTuple = tuple[int, int, float | None, int, str]
"""observed_at, received_at, value, validity, cause."""


class Readings(NamedTuple):
    """Readings of one series as columns of n, in order of `observed_at`."""

    observed_at: NDArray[np.int64]
    """UTC nanoseconds, int64[n]."""
    received_at: NDArray[np.int64]
    values: NDArray[np.float64]
    """In the vital's unit; NaN where there is none."""
    validity: NDArray[np.uint8]
    """`Validity` as a number, uint8[n]."""
    cause: NDArray[np.uint16]
    """Place in `causes`, uint16[n]."""
    causes: tuple[str, ...]
    """The table of causes: the first is always the empty one."""


NONE = Readings(
    np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0, np.uint8), np.empty(0, np.uint16), ("",)
)


def columns(rows: Sequence[ReadingTuple]) -> Readings:
    """The rows, in any order, as columns."""
    if not rows:
        return NONE
    observed_at, received_at, values, validity, causes = zip(*rows, strict=True)
    table = {"": 0}
    places = [table.setdefault(cause, len(table)) for cause in causes]
    return _in_order(
        Readings(
            np.array(observed_at, np.int64),
            np.array(received_at, np.int64),
            np.array(values, np.float64),
            np.array(validity, np.uint8),
            np.array(places, np.uint16),
            tuple(table),
        )
    )


def joined(parts: Sequence[Readings]) -> Readings:
    """All of them as one, in order of time."""
    parts = [part for part in parts if len(part.observed_at)]
    if len(parts) < 2:
        return parts[0] if parts else NONE
    table = {"": 0}
    for part in parts:
        for cause in part.causes:
            table.setdefault(cause, len(table))
    places = [
        part.cause if len(table) == 1 else np.array([table[it] for it in part.causes], np.uint16)[part.cause]
        for part in parts
    ]
    return _in_order(
        Readings(
            np.concatenate([part.observed_at for part in parts]),
            np.concatenate([part.received_at for part in parts]),
            np.concatenate([part.values for part in parts]),
            np.concatenate([part.validity for part in parts]),
            np.concatenate(places),
            tuple(table),
        )
    )


def between(readings: Readings, since: int, until: int) -> Readings:
    """Those with `since` <= observed_at < `until`."""
    first, last = np.searchsorted(readings.observed_at, [since, until])
    return chosen(readings, slice(first, last))


def pack(readings: Readings, begins_at: int) -> bytes:
    """The block that begins at `begins_at` (UTC nanoseconds) with these readings."""
    steps = np.diff(readings.observed_at, prepend=np.int64(begins_at))
    table = json.dumps(readings.causes).encode()
    return zlib.compress(
        b"".join(
            (
                _HEAD.pack(len(steps)),
                _by_weight(steps),
                _by_weight(readings.received_at - readings.observed_at),
                _by_weight(readings.values),
                readings.validity.tobytes(),
                readings.cause.astype("<u2").tobytes(),
                table,
            )
        ),
        _LEVEL,
    )


def unpack(packed: bytes, begins_at: int) -> Readings:
    """What `pack` packed. Raises ValueError for anything else."""
    try:
        data = zlib.decompress(packed)
        (count,) = _HEAD.unpack_from(data)
        bytes_ = np.frombuffer(data, np.uint8)
        at = _HEAD.size + 24 * count
        numbers = np.ascontiguousarray(bytes_[_HEAD.size : at].reshape(3, 8, count).transpose(0, 2, 1)).view(np.int64)
        steps, late, values = numbers.reshape(3, count)
        observed_at = begins_at + np.cumsum(steps)
        received_at = observed_at + late
        validity = bytes_[at : at + count]
        cause = np.frombuffer(data, "<u2", count, at + count).astype(np.uint16)
        causes = _table(data[at + 3 * count :])
    except (zlib.error, struct.error, ValueError, RecursionError) as error:
        raise ValueError(f"a damaged block: {error}") from error
    if np.any(cause >= len(causes)):
        raise ValueError("a damaged block: a cause is not in its table")
    return Readings(observed_at, received_at, values.view(np.float64), validity, cause, causes)


def summarise(readings: Readings, begins_at: int) -> bytes:
    """The summary of that block: `SLOT_TYPE`[SLOTS] as bytes."""
    slots = np.zeros(SLOTS, SLOT_TYPE)
    slots["lowest"] = slots["highest"] = np.nan
    place = (readings.observed_at - begins_at) // SLOT
    slots["count"] = np.bincount(place, minlength=SLOTS)
    slots["questionable"] = np.bincount(place[readings.validity == Validity.QUESTIONABLE], minlength=SLOTS)
    slots["invalid"] = np.bincount(place[readings.validity == Validity.INVALID], minlength=SLOTS)
    # fmin and fmax take the number where the other is none.
    np.fmin.at(slots["lowest"], place, readings.values)
    np.fmax.at(slots["highest"], place, readings.values)
    return slots.tobytes()


@functools.lru_cache(maxsize=256)
def _table(text: bytes) -> tuple[str, ...]:
    # The same few tables stand in nearly all blocks.
    found = json.loads(text)
    if not isinstance(found, list) or found[:1] != [""] or not all(isinstance(cause, str) for cause in found):
        raise ValueError("its table of causes is none")
    return tuple(found)


def _in_order(readings: Readings) -> Readings:
    if np.all(readings.observed_at[1:] >= readings.observed_at[:-1]):
        return readings
    order = np.argsort(readings.observed_at, kind="stable")
    return chosen(readings, order)


def chosen(readings: Readings, which: slice | NDArray[np.int64] | NDArray[np.bool_]) -> Readings:
    """Those that `which` picks of each column."""
    return Readings(
        readings.observed_at[which],
        readings.received_at[which],
        readings.values[which],
        readings.validity[which],
        readings.cause[which],
        readings.causes,
    )


def _by_weight(numbers: NDArray[np.int64] | NDArray[np.float64]) -> bytes:
    return numbers.view(np.uint8).reshape(len(numbers), 8).T.tobytes()
