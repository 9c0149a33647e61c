"""Times as people write them on the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from drivers.clock import NS, SystemClock
from drivers.errors import ConfigError
from monitor.storage.history import EARLIEST, LATEST

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(text: str, option: str) -> int:
    """UTC nanoseconds of a time or of a duration ago, at the ends of what the journal can hold for one beyond them.

    A time without a zone is local time. Raises `ConfigError`, which names the option.
    """
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text):
        ago = min(float(match[1]) * _UNITS[match[2]] * NS, 2.0**65)
        return _within(SystemClock.now_ns() - int(ago))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            [f"{option} {text}: expected a time like 2026-11-25T09:00:00Z, or 30s, 10m, 2h, 1d"]
        ) from None
    return _within((_with_zone(found) - _EPOCH) // timedelta(microseconds=1) * 1000)


def _with_zone(moment: datetime) -> datetime:
    if moment.tzinfo is not None:
        return moment
    try:
        return moment.astimezone()
    except (OverflowError, ValueError, OSError):
        # At the ends of the calendar local time may fall off it; the hours of a zone do not matter there.
        return moment.replace(tzinfo=UTC)


def _within(at_ns: int) -> int:
    return max(EARLIEST, min(LATEST, at_ns))
