"""Single questions to the journal that a sink has about what it is sending; each is a few steps in an index."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from drivers.errors import JournalUnusable
from monitor.alerts.conditions import ALARM, AUDIO, AlertEvent, AlertState
from monitor.storage.connection import ALERT_COLUMNS, JOURNAL_FILE, alert_of, connect

_FIRST = """
    SELECT min(observed_at) FROM readings
    WHERE series = (SELECT id FROM series WHERE bed = ? AND device = ? AND vital = ?)
        AND observed_at >= ? AND observed_at < ?"""
_BEGAN = f"""
    SELECT {ALERT_COLUMNS} FROM alerts
    WHERE bed = :bed AND rule = :rule AND id <= :id AND id > coalesce((
        SELECT max(id) FROM alerts WHERE bed = :bed AND rule = :rule AND id < :id AND state = :over
    ), 0) ORDER BY id LIMIT 1"""  # noqa: S608 - names of columns


class Lookups:
    """A read-only connection to the journal in `data_dir`, for the time of a `with`; raises JournalUnusable."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / JOURNAL_FILE

    def __enter__(self) -> Self:
        with self._converted():
            self._connection = connect(self._path)
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._connection.close()

    def first_reading(self, bed: str, device: str, vital: str, since: int, until: int) -> int | None:
        """When the first reading of a series was made with `since` <= observed_at < `until` (UTC nanoseconds)."""
        with self._converted():
            first: int | None = self._connection.execute(_FIRST, (bed, device, vital, since, until)).fetchone()[0]
        return first

    def beginning(self, event: AlertEvent, row: int) -> AlertEvent:
        """What was told first of the alert of which the row of that id tells `event`; it may be the same."""
        over = AlertState.ON if event.rule in {ALARM, AUDIO} else AlertState.OFF
        asked = {"bed": event.bed, "rule": event.rule, "id": row, "over": over}
        with self._converted():
            began = self._connection.execute(_BEGAN, asked).fetchone()
            return event if began is None else alert_of(began)

    @contextlib.contextmanager
    def _converted(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error, ValueError) as error:
            raise JournalUnusable(f"the journal {self._path} cannot be read: {error}") from error
