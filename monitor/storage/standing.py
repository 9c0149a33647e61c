"""The alerts that stand, as the journal tells: what a station takes up again when it starts.

They are found without going through all that became of alerts over the years: one step in an index leads from the last
change of a rule to that of the one before, and from there back to where the rule was over, which is near.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import NamedTuple

from drivers.errors import JournalUnusable
from monitor.alerts.conditions import ALARM, AUDIO, AlertEvent, AlertState
from monitor.storage.connection import ALERT_COLUMNS, JOURNAL_FILE, alert_of, connect

# Signals that sound are what is normal: of them it is `on` that is no standing alert.
_OVER = f"iif(alerts.rule IN ('{AUDIO}', '{ALARM}'), '{AlertState.ON}', '{AlertState.OFF}')"
# Each step of the recursion is one search in the index, or two where a bed's rules end. DISTINCT or GROUP BY would read
# all of it, and so would bed and rule compared as a pair. The cross joins fix the order of work.
_STANDING = f"""
    WITH RECURSIVE last (id) AS (
        SELECT (SELECT id FROM alerts ORDER BY bed DESC, rule DESC, id DESC LIMIT 1)
        UNION ALL
        SELECT coalesce((
            SELECT other.id FROM alerts AS other WHERE other.bed = alerts.bed AND other.rule < alerts.rule
            ORDER BY other.rule DESC, other.id DESC LIMIT 1
        ), (
            SELECT other.id FROM alerts AS other WHERE other.bed < alerts.bed
            ORDER BY other.bed DESC, other.rule DESC, other.id DESC LIMIT 1
        )) FROM last CROSS JOIN alerts USING (id)
    )
    SELECT (
        SELECT began.at FROM alerts AS began
        WHERE (began.bed, began.rule) = (alerts.bed, alerts.rule) AND began.id > coalesce((
            SELECT ended.id FROM alerts AS ended
            WHERE (ended.bed, ended.rule) = (alerts.bed, alerts.rule) AND ended.state = {_OVER}
            ORDER BY ended.id DESC LIMIT 1
        ), 0)
        ORDER BY began.id LIMIT 1
    ), {ALERT_COLUMNS}
    FROM last CROSS JOIN alerts USING (id) WHERE state != {_OVER} ORDER BY alerts.id"""  # noqa: S608 - words of this program


class Standing(NamedTuple):
    """An alert that is not over."""

    event: AlertEvent
    """What was told of it last."""
    since: int
    """UTC nanoseconds `at` which the first was told since it was over the last time."""


def standing(data_dir: Path) -> list[Standing]:
    """The alerts of all beds whose last change is not `off`, in the order in which those changes were recorded.

    Of the signals of a bed (`AUDIO`, `ALARM`) it is `on` that is over. Raises JournalUnusable where there is no
    journal, or it cannot be read.
    """
    path = data_dir / JOURNAL_FILE
    try:
        with contextlib.closing(connect(path)) as connection:
            return [Standing(alert_of(row), since) for since, *row in connection.execute(_STANDING)]
    except (OSError, sqlite3.Error, ValueError) as error:
        raise JournalUnusable(f"the journal {path} cannot be read: {error}") from error
