"""What people ask of alerts, a form for each verb of command line, page and API; and what stands, as JSON.

An empty name in place of a bed is the station itself, as in every event of an alert.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from drivers.clock import iso
from drivers.errors import AlertActionRefused
from monitor.alerts.board import STATION, AlertBoard
from monitor.alerts.conditions import URGENCY, AlertEvent, AlertState
from monitor.alerts.signals import (
    Acknowledge,
    Action,
    Activation,
    Pause,
    Signal,
    SignalState,
    SwitchOff,
    SwitchOn,
    group_of,
    shown,
)
from monitor.forms import Line

What = Literal["audio", "alarm"]
"""AUDIO or ALARM: what sounds, or all signals."""


Seen = Annotated[float | None, Field(strict=True, ge=0, allow_inf_nan=False)]
"""The `moment` of the snapshot by which somebody decided: what came on since then is not silenced."""


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    bed: Annotated[str, Field(max_length=200)]
    """It has to be said, also for the station itself: what is forgotten must silence nothing."""
    by: Line
    """Who does it."""


class AcknowledgeRequest(_Request):
    """Say that somebody has seen these alerts, or without `rules` and `groups` all that stand on the bed."""

    verb: Literal["acknowledge"] = "acknowledge"
    rules: Annotated[tuple[Line, ...], Field(min_length=1)] | None = None
    groups: Annotated[tuple[Line, ...], Field(min_length=1)] | None = None
    """All rules of these lines."""
    seen: Seen = None


class PauseRequest(_Request):
    """Have no audio, or no signals at all, for a time."""

    verb: Literal["pause"] = "pause"
    what: What
    seconds: Annotated[float, Field(strict=True, allow_inf_nan=False)] | None = None
    """As long as the profile says without it."""
    seen: Seen = None


class OffRequest(_Request):
    """Have no audio, or no signals at all, until somebody switches them on."""

    verb: Literal["off"] = "off"
    what: What


class OnRequest(_Request):
    """End a pause, or switch on what was off."""

    verb: Literal["on"] = "on"
    what: What


AlertRequest = AcknowledgeRequest | PauseRequest | OffRequest | OnRequest
ALERT_REQUEST: TypeAdapter[AlertRequest] = TypeAdapter(Annotated[AlertRequest, Field(discriminator="verb")])
"""Reads any of them from JSON."""


def do(board: AlertBoard, request: AlertRequest) -> list[AlertEvent]:
    """Do what is asked, and give what is told of it: nothing, where it was so before.

    Raises AlertActionRefused, also where there is no such bed.
    """
    if request.bed != STATION and request.bed not in board.beds:
        raise AlertActionRefused(f"there is no bed {request.bed!r}; there are: {', '.join(board.beds)}")
    return board.operate(request.bed, _action(request))


def _action(request: AlertRequest) -> Action:
    match request:
        case AcknowledgeRequest():
            return Acknowledge(request.by, request.rules or (), request.groups or (), _moment(request.seen))
        case PauseRequest():
            return Pause(request.by, request.what, request.seconds, _moment(request.seen))
        case OffRequest():
            return SwitchOff(request.by, request.what)
        case OnRequest():
            return SwitchOn(request.by, request.what)


def _moment(seen: float | None) -> float:
    """Who does not say when they looked has seen all."""
    return math.inf if seen is None else seen


def told(event: AlertEvent) -> dict[str, Any]:
    """A change of an alert."""
    return {**event._asdict(), "at": iso(event.at)}


def line(signal: Signal) -> dict[str, Any]:
    """What stands, as one line for people."""
    event = signal.event
    return {
        "rule": event.rule,
        "group": group_of(signal),
        "kind": event.kind.value,
        "priority": event.priority.value,
        "state": event.state.value,
        "since": iso(signal.begun),
        "text": event.text,
        "value": event.value,
        "limit": event.limit,
        "vital": event.vital,
        "device": event.device,
    }


def standing(bed: str, signals: SignalState, now: float) -> dict[str, Any]:
    """What stands on a bed at monotonic seconds `now`: the most urgent first, but those of one group together."""
    groups = {group_of(signal): place for place, signal in enumerate(shown(signals))}
    # Within a group each is known by its rule, which is how it is acknowledged: so all of them are here.
    in_order = sorted(
        signals.alerts.values(),
        key=lambda signal: (groups[group_of(signal)], -URGENCY[signal.event.priority], signal.begun),
    )
    return {
        "bed": bed,
        "alerts": [
            {**told(signal.event), "since": iso(signal.begun), "present": signal.present} for signal in in_order
        ],
        "audio": activation(signals.audio, now),
        "alarm": activation(signals.alarm, now),
    }


def activation(of: Activation, now: float) -> dict[str, Any]:
    """Whether audio, or alarm signals as a whole, are given at monotonic seconds `now`, and who has changed that."""
    paused = of.state is AlertState.PAUSED
    return {
        "state": of.state.value,
        "for_s": max(0.0, round(of.until - now, 1)) if paused else None,
        "since": None if of.state is AlertState.ON else iso(of.begun),
        "by": of.actor,
    }
