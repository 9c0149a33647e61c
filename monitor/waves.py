"""The newest seconds of every waveform, for the page of a chair: a bed's own pleth as it comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from drivers.clock import NS
from drivers.events import Event, Waveform

KEPT = 10.0
"""Seconds since their receipt for which runs are kept."""
_MOST = 2_000
"""Runs of one waveform: two of every hundredth of a second, so that a device gone wild fills no memory."""


class _Run(NamedTuple):
    device: str
    waveform: Waveform
    moment: float
    """When it came, on the monotonic clock."""


class Waves:
    """A few seconds of every bed. Runs stay as they came: where they do not meet there is a gap."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], deque[_Run]] = {}

    def receive(self, bed: str, device: str, events: Sequence[Event], moment: float) -> None:
        """Take what a device of a bed gave at `moment`, monotonic seconds."""
        for event in events:
            if type(event) is Waveform:
                runs = self._runs.setdefault((bed, event.name), deque(maxlen=_MOST))
                runs.append(_Run(device, event, moment))
                _forget(runs, moment)

    def newest(self, bed: str, name: str, after: float, moment: float) -> list[Waveform]:
        """The runs of one waveform that begin after that time (UTC seconds), in the order in which they came.

        Those of the device and the rate of the newest one, since two are not one line. Where `after` is later than all
        of them, somebody has set the clock back: they are all new then.
        """
        runs = self._runs.get((bed, name), deque())
        _forget(runs, moment)
        if not runs:
            return []
        last = runs[-1]
        wanted = [it.waveform for it in runs if it.device == last.device and it.waveform.rate == last.waveform.rate]
        if after > max(it.observed_at for it in wanted) / NS:
            return wanted
        return [it for it in wanted if it.observed_at / NS > after]


def _forget(runs: deque[_Run], moment: float) -> None:
    while runs and moment - runs[0].moment > KEPT:
        runs.popleft()
