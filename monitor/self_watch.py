"""What is wrong with the station itself: said above all beds of the page, and recorded as technical alerts."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from monitor.alerts.conditions import AlertEvent, AlertState, Kind, Priority
from monitor.sinks.forwarder import STOPPED, Status
from monitor.storage.journal import Health

log = logging.getLogger(__name__)

NOT_RECORDING, DAMAGED, SINK_STOPPED = "journal_unwritable", "journal_damaged", "sink_stopped"
"""The rules of these alerts; a sink's has its name after it."""

_PRIORITIES = {NOT_RECORDING: Priority.HIGH, DAMAGED: Priority.HIGH}


class SelfWatch:
    """Compares what is wrong now with what was wrong a second ago. Its alerts have no bed: an empty name."""

    def __init__(self) -> None:
        self._standing: dict[str, str] = {}

    def look(
        self, journal: Health, damaged: Sequence[str], sinks: Sequence[Status], at: int
    ) -> tuple[str, list[AlertEvent]]:
        """The notice for the page (empty when all is well), and the alerts that came or went.

        `damaged` are the names of the journals that were set aside and still lie in the data folder: the alert stands
        until a person has moved them. `at` is UTC nanoseconds.
        """
        wrong = dict(_conditions(journal, damaged, sinks))
        changes = [_change(rule, AlertState.ON, text, at) for rule, text in wrong.items() if rule not in self._standing]
        changes += [
            _change(rule, AlertState.OFF, text, at) for rule, text in self._standing.items() if rule not in wrong
        ]
        self._standing = wrong
        lost = [f"{journal.dropped_rows} rows are lost"] if journal.dropped_rows else []
        return "; ".join([*wrong.values(), *lost]), changes


def _conditions(journal: Health, damaged: Sequence[str], sinks: Sequence[Status]) -> list[tuple[str, str]]:
    wrong = []
    if journal.error:
        text = f"NOT RECORDING: {journal.error}; {journal.waiting_rows} rows wait in memory"
        wrong.append((NOT_RECORDING, text))
    if damaged:
        names = ", ".join(damaged)
        text = f"DAMAGED JOURNAL set aside as {names}: recording goes on in a new one; see infusion-monitor doctor"
        wrong.append((DAMAGED, text))
    wrong += [
        (f"{SINK_STOPPED}_{sink.name}", f"{sink.name} takes nothing: {sink.detail}")
        for sink in sinks
        if sink.state == STOPPED
    ]
    return wrong


def _change(rule: str, state: AlertState, text: str, at: int) -> AlertEvent:
    if state is AlertState.ON:
        log.warning("station: %s", text)
    else:
        log.info("station: over: %s", text)
    return AlertEvent("", rule, Kind.TECHNICAL, _PRIORITIES.get(rule, Priority.LOW), state, at, text)
