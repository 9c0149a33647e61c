"""The whole life of each alert in a session: when it came on, who saw it, when it was over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from drivers.clock import NS
from monitor.alerts.conditions import ALARM, AUDIO, URGENCY, AlertEvent, AlertState, Kind, Priority, Why

_SIGNALS = frozenset({ALARM, AUDIO})


class AlertLife(NamedTuple):
    """One alert from its beginning to its end."""

    changes: tuple[AlertEvent, ...]
    """All that was told of it, in order of time; the first is what came on, or how it stood when the session began."""

    @property
    def rule(self) -> str:
        """Which condition."""
        return self.changes[0].rule

    @property
    def group(self) -> str:
        """Alerts of one group are one line for people."""
        return self.changes[0].group or self.rule

    @property
    def bed(self) -> str:
        """Where."""
        return self.changes[0].bed

    @property
    def kind(self) -> Kind:
        """Of the patient or of the equipment."""
        return self.changes[0].kind

    @property
    def priority(self) -> Priority:
        """The highest that it had."""
        return max((change.priority for change in self.changes), key=URGENCY.__getitem__)

    @property
    def text(self) -> str:
        """What people were told first."""
        return self.changes[0].text

    @property
    def began(self) -> int:
        """UTC nanoseconds."""
        return self.changes[0].at

    @property
    def present_until(self) -> int | None:
        """When the condition itself was over, latched or not; None where it was not."""
        return self._first(AlertState.LATCHED, AlertState.OFF)

    @property
    def ended(self) -> int | None:
        """When nothing was told of it any more; None where it stood to the end."""
        return self._first(AlertState.OFF)

    @property
    def acknowledged(self) -> AlertEvent | None:
        """The first time that somebody had seen it."""
        return next((change for change in self.changes if change.state is AlertState.ACKNOWLEDGED), None)

    @property
    def over_by(self) -> str:
        """Who ended a latched one; empty where nobody had to."""
        last = self.changes[-1]
        return last.actor if last.state is AlertState.OFF else ""

    def seconds(self, until: int) -> float:
        """For how long the condition was present, until that moment at most."""
        return max(0, min(self.present_until or until, until) - self.began) / NS

    def _first(self, *states: AlertState) -> int | None:
        return next((change.at for change in self.changes if change.state in states), None)


def lives(events: Iterable[AlertEvent]) -> list[AlertLife]:
    """The alerts that these changes tell of, by when they came on; what only parts of combinations did is left out."""
    return sorted(
        (life for life in map(AlertLife, _lives(events)) if life.priority is not Priority.NONE),
        key=lambda life: (life.began, life.rule),
    )


def _lives(events: Iterable[AlertEvent]) -> Iterator[tuple[AlertEvent, ...]]:
    standing: dict[tuple[str, str], list[AlertEvent]] = {}
    for event in events:
        if event.rule in _SIGNALS:
            continue
        key = event.bed, event.rule
        if key in standing:
            standing[key].append(event)
        elif event.state is not AlertState.OFF:
            standing[key] = [event]
        if event.state is AlertState.OFF and key in standing:
            yield tuple(standing.pop(key))
    yield from map(tuple, standing.values())


def silences(events: Sequence[AlertEvent]) -> list[AlertEvent]:
    """When the audio or all signals were paused, switched off or on again; what only reminded of it is left out."""
    return [event for event in events if event.rule in _SIGNALS and event.why != Why.REMINDER]
