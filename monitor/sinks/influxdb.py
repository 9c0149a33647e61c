"""The sink for InfluxDB 2: portions become lines, lines posts of at most 5,000, and each answer its consequence.

| answer | what it means | what is done |
|---|---|---|
| 204 | all of it is written | go on |
| 400 | nothing of it is written, for one malformed line | halve, until the malformed lines stand alone |
| 413 | the post is too large | halve; a line that is too large alone is refused |
| 422 outside retention policy | the others are written | count these as too old |
| 422 field type conflict | the others are written | refuse the lines with that field, send the rest again |
| 422 otherwise | unknown; some may be written | halve, as with 400 |
| any other | it is not about the lines | `influxdb_post` raises SinkBusy or SinkRefused |

To halve is always safe, since a line that is written twice is written once. After a type conflict the rest is sent
again because the server tells of one fault only: it keeps silent about lines that are too old, and about a conflict
in another of its shards, as long as there is this one. It does not say which lines it dropped either. All lines that
carry the field are kept as refused, which loses none and holds some that were taken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import chain, islice
from typing import TYPE_CHECKING

from drivers.clock import Clock, SystemClock
from drivers.errors import SinkRefused
from monitor.config import InfluxdbConfig
from monitor.sinks.line_protocol import (
    alert_lines,
    device_lines,
    escaped,
    session_lines,
    vitals_lines,
    waveform_lines,
)
from monitor.sinks.sink import Sent
from monitor.storage.backlog import Portion

if TYPE_CHECKING:
    from monitor.sinks.influxdb_post import Connection

LINES = 5_000
"""Lines that a post has at most."""
PATIENCE = 30.0
"""Seconds that a post may take."""

_CONFLICT = re.compile(r"field type conflict: input field (\"(?:[^\"\\]|\\.)*\") on measurement (\"(?:[^\"\\]|\\.)*\")")
_TOO_OLD = re.compile(r"dropped (\d+) points? outside retention policy")


class InfluxdbSink:
    """Forwards to the bucket of that configuration. All calls come from one event loop, one at a time.

    The token and the files are read when the connection is made, and again after the server has refused: who mends a
    token file need not restart the station.
    """

    name = "influxdb"

    def __init__(
        self, config: InfluxdbConfig, site: str, *, clock: Clock | None = None, patience: float = PATIENCE
    ) -> None:
        self._config = config
        self._site = site
        self._clock = clock or SystemClock()
        self._patience = patience
        self._connection: Connection | None = None

    async def send(self, portion: Portion) -> Sent:
        """Send all of the portion."""
        vitals = vitals_lines(self._site, portion.readings)
        sent = await self.send_lines(
            chain(
                alert_lines(self._site, portion.alerts, portion.alert_places),
                session_lines(self._site, portion.entries, portion.entry_places),
                device_lines(self._site, portion.device_events, portion.device_places),
                vitals.lines,
                waveform_lines(self._site, portion.waveforms),
            )
        )
        return Sent(vitals.refused + sent.refused, sent.too_old)

    async def send_lines(self, lines: Iterable[str]) -> Sent:
        """Send lines in posts; they are taken from `lines` as they are sent."""
        refused: list[tuple[str, str]] = []
        too_old = 0
        lines = iter(lines)
        while post := list(islice(lines, LINES)):
            sent = await self._deliver(post)
            refused += sent.refused
            too_old += sent.too_old
        return Sent(refused, too_old)

    async def close(self) -> None:
        """Close the connection; the next call opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _deliver(self, lines: list[str]) -> Sent:
        refused: list[tuple[str, str]] = []
        too_old = 0
        left = [lines]
        while left:
            part = left.pop()
            fault = await self._post(part)
            if fault is None:
                continue
            if dropped := _TOO_OLD.search(fault):
                too_old += int(dropped[1])
                continue
            carriers, rest = _with_conflict(part, fault)
            if carriers:
                refused += [(line, fault) for line in carriers]
                left += [rest] if rest else []
            elif len(part) == 1:
                refused.append((part[0], fault))
            else:
                middle = len(part) // 2
                left += [part[middle:], part[:middle]]
        return Sent(refused, too_old)

    async def _post(self, lines: list[str]) -> str | None:
        """None when the server took them, otherwise its fault with the lines."""
        if self._connection is None:
            # The client takes half a second to import, which a command that sends nothing should not have to wait for.
            from monitor.sinks.influxdb_post import Connection  # noqa: PLC0415 - half a second, once

            self._connection = Connection(self._config, self._patience)
        # Text that is no UTF-8 (half of a surrogate pair) never gets into the journal; it must not stop everything.
        body = "\n".join(lines).encode("utf-8", "replace")
        try:
            return await self._connection.post(body, self._clock.now_ns())
        except SinkRefused:
            await self.close()
            raise


def _with_conflict(lines: list[str], fault: str) -> tuple[list[str], list[str]]:
    """The lines that carry the field of a type conflict, and the others; none and all where `fault` is another one."""
    conflict = _CONFLICT.search(fault)
    if conflict is None:
        return [], lines
    field, measurement = (escaped(json.loads(name)) for name in conflict.groups())
    beginning, first, later = f"{measurement},", f" {field}=", f",{field}="
    # A text that looks like the field makes one line too many; a tag of that name is in every line or in none.
    carries = [line.startswith(beginning) and (first in line or later in line) for line in lines]
    return (
        [line for line, carrying in zip(lines, carries, strict=True) if carrying],
        [line for line, carrying in zip(lines, carries, strict=True) if not carrying],
    )
