"""`sessions/{bed}`: what a clinic's own systems are told of the session on each bed, with nothing personal in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drivers.clock import Clock
from monitor.sessions import view
from monitor.sessions.desk import Desk
from monitor.sessions.entries import Entry, Kind
from monitor.sessions.session import Session

_PERSONAL = frozenset({Kind.CHECK, Kind.NOTE, Kind.EVENT, Kind.DOSE, Kind.SCORE, Kind.LIMIT})
"""What concerns the chart, or the alerts, alone."""


class SessionTopics:
    """Speaks for `desk` about those beds."""

    def __init__(self, desk: Desk, beds: Sequence[str], clock: Clock) -> None:
        self._desk = desk
        self._beds = beds
        self._clock = clock

    def present(self) -> Mapping[str, bytes]:
        """Every topic with what is so now."""
        return dict(self._message(bed, self._desk.on_bed(bed), "present") for bed in self._beds)

    def tell(self, publish: Callable[[str, bytes], None]) -> None:
        """Have `publish` called with topic and message at each step from now on."""

        def entered(session: Session, entry: Entry) -> None:
            if entry.kind in _PERSONAL:
                return
            event = entry.content["step"] if entry.kind is Kind.STEP else entry.kind.value
            # What is corrected of a session that is closed says nothing of who is on its bed now.
            if bed := session.last_bed if entry.kind is Kind.CLOSED else session.bed:
                publish(*self._message(bed, session, event))
            if entry.kind is Kind.MOVED and entry.content["from"]:
                publish(*self._message(entry.content["from"], None, event))

        self._desk.add_listener(entered)

    def _message(self, bed: str, session: Session | None, event: str) -> tuple[str, bytes]:
        told: dict[str, Any] = view.announcement(bed, session, event, self._clock.now_ns())
        return f"sessions/{bed}", json.dumps(told, separators=(",", ":")).encode()
