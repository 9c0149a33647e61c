"""What became of devices, as the journal tells: their links, what they said of themselves, and their own alarms."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import NamedTuple

from drivers.errors import JournalUnusable
from monitor.storage.connection import JOURNAL_FILE, connect

COLUMNS = "bed, device, kind, code, state, text, at"
"""What of `device_events` makes an event, in the order of its fields."""

# One range of the index of their times.
_BETWEEN = f"SELECT {COLUMNS} FROM device_events WHERE bed = ? AND at >= ? AND at < ? ORDER BY at, id"  # noqa: S608 - names of columns


class DeviceEvent(NamedTuple):
    """Something of a device changed."""

    bed: str
    device: str
    kind: str
    """`link`, `status` or `alarm`."""
    code: str
    """The device's own; empty for a link."""
    state: str
    """`on` or `off`; of a link its `LinkState`."""
    text: str
    at: int
    """UTC nanoseconds."""


def between(data_dir: Path, bed: str, since: int, until: int) -> list[DeviceEvent]:
    """What became of the bed's devices with `since` <= at < `until` (UTC nanoseconds), in order of time.

    Raises JournalUnusable.
    """
    path = data_dir / JOURNAL_FILE
    try:
        with contextlib.closing(connect(path)) as connection:
            return [DeviceEvent(*row) for row in connection.execute(_BETWEEN, (bed, since, until))]
    except (OSError, sqlite3.Error) as error:
        raise JournalUnusable(f"the journal {path} cannot be read: {error}") from error
