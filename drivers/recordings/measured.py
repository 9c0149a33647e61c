"""From what a file has of each vital to the columns of a recording, for every format that has times of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS
from drivers.errors import BadCapture
from drivers.events import Cause, Validity
from drivers.recordings.recording import Recording, Series, Wave, moments
from drivers.vitals import VITALS

KNOWN_SINCE = 100_000_000 * NS
"""UTC nanoseconds, in 1973: what is dated before that counts from a beginning that the file does not tell."""
REPEATED_WITHIN = 120 * NS
"""Nanoseconds: the same pressures again so soon after they were last told are the same reading of the cuff. No monitor
measures that often, as a rule, and those that repeat their last result do it at least once a minute."""
_ONE_DETERMINATION = NS // 2
"""Nanoseconds within which the three pressures of one reading of the cuff are told."""
_WORDS = {validity.name.lower(): validity for validity in Validity}
_TOLD = re.compile(r"(valid|questionable|invalid)(?:[,:] ([a-z_]+(?:,[a-z_]+)*))?")
_CUFF = ("nibp_sys", "nibp_dia", "nibp_mean")
_CAUSES = ("", str(Cause.IMPLAUSIBLE), str(Cause.PROVISIONAL), f"{Cause.PROVISIONAL},{Cause.IMPLAUSIBLE}")
"""By number: 1 is implausible, 2 is provisional."""


class Doubts(NamedTuple):
    """What a file that this program wrote says of each of n readings."""

    validity: NDArray[np.uint8]
    """`Validity` as a number, uint8[n]."""
    cause: NDArray[np.intp]
    """Place in `causes`, intp[n]."""
    causes: tuple[str, ...]


class Measured(NamedTuple):
    """All values of one vital, in the order in which the file has them."""

    at: NDArray[np.int64]
    """Nanoseconds, int64[n]: UTC, or since the file's beginning."""
    value: NDArray[np.float64]
    """In the vital's unit, float64[n]; NaN where there is none."""
    doubts: Doubts | None = None
    """Where a file has them, each of its values is a reading, and so is one that is invalid."""


def recording(
    path: Path,
    vitals: Mapping[str, Measured],
    waves: Sequence[Wave] = (),
    ignored: Sequence[str] = (),
) -> Recording:
    """The recording of what was measured. Raises BadCapture where that is nothing."""
    found = {vital: _in_order(vitals[vital]) for vital in VITALS if vital in vitals}
    found = {vital: one for vital, one in found.items() if len(one.at)}
    waves = [wave for wave in waves if len(wave.samples)]
    if not found and not waves:
        names = f": {', '.join(ignored[:20])}" if ignored else ""
        raise BadCapture(f"{path}: has no value of a vital that is known{names}")
    began = min([int(one.at[0]) for one in found.values()] + [int(wave.begins.min()) for wave in waves])
    ended = max([int(one.at[-1]) for one in found.values()] + [wave.until for wave in waves])
    origin = began // NS * NS
    cuff = _cuff({vital: found[vital] for vital in _CUFF if vital in found and found[vital].doubts is None})
    series = {vital: _series(vital, *cuff.get(vital, (one, None)), origin) for vital, one in found.items()}
    ends = moments(np.array([began - origin, ended - origin]) / NS).tolist()
    made = Recording(str(path), series, ends[0], ends[1], origin, tuple(ignored), tuple(waves))
    return made if began >= KNOWN_SINCE else made.shifted(-origin)


def doubts(vital: str, value: NDArray[np.float64], told: Mapping[int, str]) -> Doubts:
    """Of readings, by their places, what a file of this program says: `questionable`, or `invalid, sensor_off`.

    What it says nothing of is valid where it is plausible. float64[n], NaN where there is no value: that is invalid.
    """
    low, high = VITALS[vital].plausible
    validity = np.where((value < low) | (value > high), Validity.QUESTIONABLE, Validity.VALID).astype(np.uint8)
    cause = (validity == Validity.QUESTIONABLE).astype(np.intp)
    table = {"": 0, str(Cause.IMPLAUSIBLE): 1, str(Cause.NO_DATA): 2}
    for place, text in told.items():
        if match := _TOLD.fullmatch(text):
            validity[place] = _WORDS[match[1]]
            cause[place] = table.setdefault(match[2] or "", len(table))
    none = np.isnan(value)
    cause[none & (validity != Validity.INVALID)] = 2
    validity[none] = Validity.INVALID
    return Doubts(validity, cause, tuple(table))


def _in_order(measured: Measured) -> Measured:
    known, doubts = np.isfinite(measured.value), measured.doubts
    if doubts is not None:
        known |= doubts.validity == Validity.INVALID
    there = np.flatnonzero(known)
    there = there[np.argsort(measured.at[there], kind="stable")]
    if doubts is not None:
        doubts = Doubts(doubts.validity[there], doubts.cause[there], doubts.causes)
    return Measured(measured.at[there], measured.value[there], doubts)


def _series(vital: str, measured: Measured, provisional: NDArray[np.bool_] | None, origin: int) -> Series:
    t = moments((measured.at - origin) / NS)
    if measured.doubts is not None:
        columns = (measured.value, *measured.doubts, measured.at, measured.at)
        return Series(t, *columns, VITALS[vital].episodic)
    low, high = VITALS[vital].plausible
    cause = ((measured.value < low) | (measured.value > high)).astype(np.intp)
    if provisional is not None:
        cause += 2 * provisional
    validity = np.where(cause == 0, Validity.VALID, Validity.QUESTIONABLE).astype(np.uint8)
    return Series(t, measured.value, validity, cause, _CAUSES, measured.at, measured.at, VITALS[vital].episodic)


def _cuff(pressures: Mapping[str, Measured]) -> dict[str, tuple[Measured, NDArray[np.bool_] | None]]:
    """Each reading of the cuff once; of systolics, which are provisional: alone, in a file that has the others too."""
    if not pressures:
        return {}
    times = np.unique(np.concatenate([one.at for one in pressures.values()]))
    # Values that come faster than that are of a grid, where one reading has one time.
    grid = any((np.diff(one.at) <= _ONE_DETERMINATION).any() for one in pressures.values())
    told = np.cumsum(np.diff(times, prepend=times[:1]) > (0 if grid else _ONE_DETERMINATION))
    rows = np.full((int(told[-1]) + 1, len(pressures)), np.nan)
    places = {vital: told[np.searchsorted(times, one.at)] for vital, one in pressures.items()}
    for column, (vital, one) in enumerate(pressures.items()):
        rows[places[vital], column] = one.value
    first = times[np.searchsorted(told, np.arange(len(rows)))]
    # No pressure is below 0: there it can stand for none, which is equal to none.
    filled = np.nan_to_num(rows, nan=-1.0)
    same = (filled[1:] == filled[:-1]).all(axis=1) & (np.diff(first) <= REPEATED_WITHIN)
    new: NDArray[np.bool_] = np.concatenate([[True], ~same])
    alone: NDArray[np.bool_] | None = None
    if "nibp_sys" in pressures and len(pressures) > 1:
        # The systolic is the first column.
        alone = np.isnan(rows[:, 1:]).all(axis=1)
    found: dict[str, tuple[Measured, NDArray[np.bool_] | None]] = {}
    for vital, one in pressures.items():
        here = new[places[vital]]
        kept = Measured(one.at[here], one.value[here])
        found[vital] = (kept, alone[places[vital][here]] if vital == "nibp_sys" and alone is not None else None)
    return found
