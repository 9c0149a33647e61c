"""The columns of a bed's chart: the lowest and highest of each step, or each reading itself where they are few.

Nothing is averaged and nothing filled in: a step without a reading is not there, one with only invalid ones has no
numbers. What comes out is ready for JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.clock import NS, iso
from drivers.events import Validity, is_provisional
from drivers.vitals import VITALS, Vital
from monitor.buffer import Rings
from monitor.sessions.session import Session, state_after
from monitor.sessions.steps import Phase
from monitor.storage import blocks
from monitor.storage.blocks import Readings
from monitor.storage.charts import Trace

NARROWEST, WIDTH, WIDEST = 100, 800, 4000
"""Steps that a chart can have at most, and has where nobody asks for others."""
LONGEST = 86_400 * NS
"""The longest span of a chart, nanoseconds."""
_SPARE_DECIMALS = 2
"""Beyond those that a vital is shown with."""


def step_of(since: int, until: int, width: int) -> int:
    """How long each of at most `width` steps is, nanoseconds: whole seconds."""
    # One step of the width is kept for the ends, which cut through steps: these begin at multiples of their length, so
    # that the same readings make the same step when the span moves on.
    return NS * max(1, -(-(until - since) // (NS * (width - 1))))


def columns(traces: Iterable[Trace], step: int, width: int) -> dict[str, dict[str, Any]]:
    """By vital, in the order of the table: what is asked of `traces`, with at most `width` steps of `step` nanoseconds.

    A cuff's readings are never put together, and its provisional ones are left out.
    """
    by_vital: dict[str, list[Readings]] = {}
    for trace in traces:
        by_vital.setdefault(trace.vital, []).append(trace.readings)
    told = {}
    for key, vital in VITALS.items():
        readings = blocks.joined(by_vital.get(key, []))
        if vital.episodic:
            readings = _without_provisional(readings)
        if len(readings.observed_at):
            told[key] = _column(vital, readings, step, WIDEST if vital.episodic else width)
    return told


def remembered(rings: Rings, bed: str, since: int, until: int) -> list[Trace]:
    """What memory has of that span. It belongs to the event loop; what it gives belongs to the caller.

    Memory knows no causes: a provisional reading is one that is questionable.
    """
    traces = []
    for vital in VITALS:
        if ring := rings.get(bed, vital):
            times, values, validity = ring.window(since, until)
            causes = np.zeros(len(times), np.uint16)
            traces.append(
                Trace(bed, "", vital, Readings(times, times, values, validity.astype(np.uint8), causes, ("",)))
            )
    return traces


def completed(stored: Sequence[Trace], waiting: Sequence[Trace]) -> list[Trace]:
    """What is stored, and of each vital what memory has after the end of that."""
    ends: dict[str, int] = {}
    for trace in stored:
        ends[trace.vital] = max(ends.get(trace.vital, 0), int(trace.readings.observed_at[-1]))
    after = [
        it._replace(readings=blocks.between(it.readings, ends.get(it.vital, -blocks.FURTHEST) + 1, blocks.FURTHEST))
        for it in waiting
    ]
    return [*stored, *after]


def phases(sessions: Iterable[Session], bed: str, since: int, until: int) -> list[dict[str, Any]]:
    """All that the sessions did on the bed which were there at any time of that span, in order of time."""
    told: list[tuple[int, dict[str, Any]]] = []
    for session in sessions:
        stays = [stay for stay in session.stays if stay.bed == bed]
        if any(stay.since < until and _end(stay.until) > since for stay in stays):
            told += [part for stay in stays for part in _parts(session, stay.since, stay.until)]
    return [part for _, part in sorted(told, key=lambda it: it[0])]


def _parts(session: Session, since: int, until: int | None) -> Iterable[tuple[int, dict[str, Any]]]:
    """What the session did in one stay: when each part began, and the part."""
    for shown, after in zip(session.steps, (*session.steps[1:], None), strict=True):
        begins = max(since, shown.at)
        ends = min(_end(until), _end(None if after is None else after.at))
        state = state_after(shown)
        if begins < ends and state.phase is not Phase.CLOSED:
            yield (
                begins,
                {
                    "session": session.id,
                    "phase": state.phase.value,
                    "state": state.value,
                    "since": iso(begins),
                    "until": None if ends == blocks.FURTHEST else iso(ends),
                },
            )


def _end(until: int | None) -> int:
    return blocks.FURTHEST if until is None else until


def _without_provisional(readings: Readings) -> Readings:
    provisional = np.array(list(map(is_provisional, readings.causes)))
    return blocks.chosen(readings, ~provisional[readings.cause])


def _column(vital: Vital, readings: Readings, step: int, most: int) -> dict[str, Any]:
    at = readings.observed_at
    questionable = (readings.validity == Validity.QUESTIONABLE).astype(np.int64)
    invalid = (readings.validity == Validity.INVALID).astype(np.int64)
    known = (invalid == 0) & np.isfinite(readings.values)
    lowest = highest = np.where(known, readings.values, np.nan)
    if len(at) > most:
        at, first = np.unique(at - at % step, return_index=True)
        lowest, highest = np.fmin.reduceat(lowest, first), np.fmax.reduceat(highest, first)
        questionable, invalid = np.add.reduceat(questionable, first), np.add.reduceat(invalid, first)
    return {
        **about(vital),
        "t": np.round(at / NS, 3).tolist(),
        "low": _numbers(lowest, vital.decimals),
        "high": _numbers(highest, vital.decimals),
        "questionable": questionable.tolist(),
        "invalid": invalid.tolist(),
    }


def about(vital: Vital) -> Mapping[str, Any]:
    """How a vital is shown."""
    return {
        "label": vital.label,
        "unit": vital.unit_label,
        "colour": vital.colour,
        "decimals": vital.decimals,
        "episodic": vital.episodic,
    }


def _numbers(values: NDArray[np.float64], decimals: int) -> list[float | None]:
    return [None if math.isnan(it) else it for it in np.round(values, decimals + _SPARE_DECIMALS).tolist()]
