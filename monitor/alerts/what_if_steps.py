"""The steps of conditions: what begins and ends with which reading or tick, and in which order the engine tells it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.alerts.conditions import AlertState, Priority
from monitor.alerts.what_if_columns import Floats, Key, Places, View, VitalColumns

_KEYS = np.dtype([("t", np.float64), ("kind", np.intp), ("which", np.intp), ("row", np.intp), ("place", np.intp)])


class Change(NamedTuple):
    """A condition begins or ends; as in `AlertEvent`."""

    rule: str
    state: AlertState
    at: int
    """UTC nanoseconds."""
    value: float | None
    limit: float | None
    priority: Priority


class Steps(NamedTuple):
    """Changes of one condition, in order of time."""

    keys: NDArray[np.void]
    """Of each the four parts of its `Key`, and the place of the rule in the profile."""
    changes: list[Change]


class Told(NamedTuple):
    """What every step of one condition has."""

    name: str
    priority: Priority
    place: int

    def step(
        self, key: Key, state: AlertState, at: int, value: float | None = None, limit: float | None = None
    ) -> Steps:
        """One of them."""
        change = Change(self.name, state, at, value, limit, self.priority)
        return Steps(np.array([(*key, self.place)], _KEYS), [change])

    def read(
        self,
        vital: VitalColumns,
        view: View,
        places: Places,
        states: Iterable[AlertState],
        limits: Iterable[float | None],
    ) -> Steps:
        """Those that come with these readings."""
        keys = np.empty(len(places), _KEYS)
        keys["t"], keys["kind"], keys["which"], keys["row"] = view.t[places], 1, vital.number, view.rows(places)
        return self._steps(keys, states, view.at[places].tolist(), view.value[places].tolist(), limits)

    def ticked(self, t: Floats, at: Iterable[int]) -> Steps:
        """Those with which it begins by the passing of time."""
        keys = np.zeros(len(t), _KEYS)
        keys["t"], keys["kind"] = t, 2
        return self._steps(keys, repeat(AlertState.ON), at, repeat(None), repeat(None))

    def _steps(
        self,
        keys: NDArray[np.void],
        states: Iterable[AlertState],
        at: Iterable[int],
        values: Iterable[float | None],
        limits: Iterable[float | None],
    ) -> Steps:
        keys["place"] = self.place
        columns = zip(repeat(self.name), states, at, values, limits, repeat(self.priority), strict=False)
        return Steps(keys, list(map(Change._make, columns)))


def in_order(found: Sequence[Steps]) -> list[Change]:
    """All of them, as the engine would give them one after the other."""
    if not found:
        return []
    keys = np.concatenate([several.keys for several in found], dtype=_KEYS)
    changes = list(chain.from_iterable(several.changes for several in found))
    order = np.lexsort([keys[part] for part in ("place", "row", "which", "kind", "t")])
    return [changes[place] for place in order.tolist()]
