"""`alerts/{bed}` and `station/alerts`: what a clinic's own systems are told of alerts, and `station`: whether it lives.

`alerts/{bed}` is retained: what stands on the bed now. `alerts/{bed}/events` is not: each change as it happens.
`station` is said to be `online` after all the rest, so that who reads it can rely on what is retained. The broker
itself makes it `gone` when the link ends in any way but in order: at once when the program dies, and no later than
`GONE_AFTER` when its machine or the network does. A station that was ended in order is `stopped`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from drivers.clock import Clock, iso
from drivers.transports.mqtt import KEEPALIVE
from monitor.alerts.actions import line, told
from monitor.alerts.conditions import AlertEvent, Kind, Priority
from monitor.alerts.signals import SignalState, shown
from monitor.notify.mqtt import Message, Publisher

NAME = "mqtt"
"""Of the notifier; nothing else at the station may be called so."""
GONE_AFTER = 1.5 * KEEPALIVE
"""Seconds without a sign of life after which the broker takes a client for gone (MQTT 3.1.1, section 3.1.2.10)."""
STATUS = "station"


class Publish(Protocol):
    """`Publisher.publish`."""

    def __call__(self, topic: str, payload: bytes, *, retain: bool = True) -> None:
        """Say that on that topic."""


class AlertTopics:
    """Speaks for these beds and for the station itself.

    `present` gives what stands by bed, the station's own under an empty name; where it leaves one out, nothing stands
    there.
    """

    will = Message(STATUS, b'{"status":"gone"}')
    """What the broker says when the station does not say anything any more."""

    def __init__(self, beds: Sequence[str], present: Callable[[], Mapping[str, SignalState]], clock: Clock) -> None:
        self._beds = (*beds, "")
        self._standing = present
        self._clock = clock

    def present(self) -> Mapping[str, bytes]:
        """Every topic with what is so now."""
        standing = self._standing()
        states = {topic_of(bed): self._state(bed, standing) for bed in self._beds}
        return {**states, STATUS: self._status("online")}

    def last_words(self) -> Mapping[str, bytes]:
        """What is said at an orderly end."""
        return {STATUS: self._status("stopped")}

    def tell(self, events: Sequence[AlertEvent], publish: Publish) -> None:
        """Publish these changes, and what stands then on each of their beds: `present` has them already."""
        for event in events:
            if event.priority is not Priority.NONE or event.kind is Kind.OTHER:
                publish(f"{topic_of(event.bed)}/events", _json(told(event)), retain=False)
        standing = self._standing()
        for bed in dict.fromkeys(event.bed for event in events):
            publish(topic_of(bed), self._state(bed, standing))

    def _state(self, bed: str, standing: Mapping[str, SignalState]) -> bytes:
        state = standing.get(bed, SignalState())
        return _json(
            {
                "bed": bed,
                "at": iso(self._clock.now_ns()),
                "audio": state.audio.state,
                "alarm": state.alarm.state,
                "alerts": list(map(line, shown(state))),
            }
        )

    def _status(self, word: str) -> bytes:
        return _json({"status": word, "at": iso(self._clock.now_ns())})


class MqttNotifier:
    """Tells the clinic's broker of alerts through `publisher`, which says the rest of what `topics` has by itself."""

    name = NAME

    def __init__(self, publisher: Publisher, topics: AlertTopics) -> None:
        self._publisher = publisher
        self._topics = topics

    @property
    def state(self) -> str:
        """That of the publisher."""
        return self._publisher.state

    @property
    def detail(self) -> str:
        """That of the publisher."""
        return self._publisher.detail

    @property
    def health(self) -> str:
        """See `Publisher.health`."""
        return self._publisher.health

    def notify(self, events: Sequence[AlertEvent]) -> None:
        """See `Notifier.notify`; without a link, what stands is told at the next one, and the changes are not."""
        self._topics.tell(events, self._publisher.publish)

    async def run(self) -> None:
        """See `Notifier.run`."""
        await self._publisher.run()


def topic_of(bed: str) -> str:
    """Where it is said what stands on that bed; an empty name is the station's."""
    return f"alerts/{bed}" if bed else f"{STATUS}/alerts"


def _json(what: Mapping[str, Any]) -> bytes:
    return json.dumps(what, separators=(",", ":"), ensure_ascii=False).encode()
