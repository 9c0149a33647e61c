"""What a way to tell somebody of alerts has to be, and the one that tells all of them.

A notifier is one file and one line of `registry`. It takes events on the event loop and does everything else in `run`:
it never waits there, never raises there, and what becomes of it changes nothing for the others. That it fails is
itself an alert of the station, which reads `health`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from monitor.alerts.conditions import AlertEvent

FAILED = "notifier_failed"
"""The rule of that alert; the notifier's name stands after it."""

_log = logging.getLogger(__name__)


class Notifier(Protocol):
    """Tells somebody outside the station of alerts."""

    @property
    def name(self) -> str:
        """Unique at the station."""

    @property
    def state(self) -> str:
        """In one word, how it stands."""

    @property
    def detail(self) -> str:
        """Why it stands so, for people; never a secret."""

    @property
    def health(self) -> str:
        """Why people are not told this way; empty while they are, and for the first moments of a failure."""

    def notify(self, events: Sequence[AlertEvent]) -> None:
        """Tell these changes. To be called on the event loop; never waits."""

    async def run(self) -> None:
        """Do so until cancelled."""


class Notifiers:
    """All of them, each on its own."""

    def __init__(self, notifiers: Iterable[Notifier]) -> None:
        self._notifiers = tuple(notifiers)
        self._broken: set[str] = set()

    def notify(self, events: Sequence[AlertEvent]) -> None:
        """Have each one tell these changes. To be called on the event loop; never waits and never raises."""
        for notifier in self._notifiers:
            # What it would have to tell is that it tells nothing. A receiver that refuses just that, and nothing else,
            # would have it come and go for ever.
            about_others = [event for event in events if event.rule != failed_rule(notifier.name)]
            if not about_others:
                continue
            try:
                notifier.notify(about_others)
            except Exception:  # noqa: BLE001 - one that is broken must not keep the others from telling
                if notifier.name not in self._broken:
                    _log.exception("notifier %s: events are lost", notifier.name)
                self._broken.add(notifier.name)
            else:
                self._broken.discard(notifier.name)

    @property
    def health(self) -> Mapping[str, str]:
        """Of each by its name why it tells nobody; empty where it does."""
        lost = "events were lost by a fault of the program; see the log"
        return {it.name: lost if it.name in self._broken else it.health for it in self._notifiers}

    async def run(self) -> None:
        """Run all until cancelled."""
        async with asyncio.TaskGroup() as group:
            for notifier in self._notifiers:
                group.create_task(notifier.run(), name=f"notifier {notifier.name}")


def failed_rule(name: str) -> str:
    """The rule of the alert that this notifier has failed."""
    return f"{FAILED}_{name}"
