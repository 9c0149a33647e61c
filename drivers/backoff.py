"""How long to wait before trying again what failed: longer each time, up to a bound. Who waits adds the jitter."""

from __future__ import annotations

_MOST_DOUBLINGS = 30
"""2 to the number of attempts is no float any more after 1,023 of them, and a device may be away for days."""


def grown(first: float, longest: float, failures: int) -> float:
    """Seconds: `first`, doubled for each of `failures`, and `longest` at most."""
    return min(longest, first * 2.0 ** min(failures, _MOST_DOUBLINGS))
