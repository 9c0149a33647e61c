"""What else the machine was doing: a latency is only as good as the cores were free."""

from __future__ import annotations

import time

import psutil


class Bystanders:
    """Counts, from its making on, the work of all processes that are not this one or its children."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._busy, self._own = _busy(), _own()

    @property
    def percent(self) -> float:
        """Their share so far, in percent of one core."""
        others = (_busy() - self._busy) - (_own() - self._own)
        return max(0.0, 100 * others / (time.monotonic() - self._began))


def _busy() -> float:
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


def _own() -> float:
    me = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (me, *me.children(recursive=True)))
