"""A device whose clock is behind, told apart from messages that were held up.

Readings that carry the device's own time are believed, since a message may come a day late. But a device whose clock
is twenty seconds behind would then look twenty seconds old for ever, and alert nobody. The difference shows in the
lag between the device's time and the receipt: of a backlog it shrinks quickly, of a wrong clock it stays the same.
"""

from __future__ import annotations

TOLERATED = 3.0
"""Seconds of lag that a network may cost."""
SPREAD = 2.0
"""Seconds by which the lag of a wrong clock may vary: stamps of whole seconds, and some delay."""
PROOF = 10.0
"""Seconds for which the lag must stay the same before the clock is judged wrong."""


class ClockLag:
    """The lag of one device's clock."""

    def __init__(self) -> None:
        self.behind = 0.0
        """Seconds by which the clock is judged to be behind; 0 while it is believed."""
        self._steady = 0.0
        self._since: float | None = None

    def observe(self, lag: float, now: float) -> bool:
        """Take the lag of a reading, in seconds, at the monotonic time `now`; True when the judgement changed."""
        before = self.behind
        if lag <= TOLERATED:
            self._since = None
            self.behind = 0.0
        elif self._since is None or abs(lag - self._steady) > SPREAD:
            self._since = now
            self._steady = lag
            self.behind = 0.0
        elif now - self._since >= PROOF and not self.behind:
            self.behind = self._steady
        return self.behind != before
