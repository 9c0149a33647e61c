"""The alarm system of the station: the board of alerts with all that feeds it and all that tells of it.

What feeds it: devices (`receive`, `link_changed`), the sessions and their limits, the questions of the desk, the
station's look at itself, and before all that what stood when the station ended. What tells of it: the page, the
journal, the notifiers; none of them is waited for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from drivers.clock import NS, Clock
from monitor import restart
from monitor.alerts.board import STATION, AlertBoard, Learned
from monitor.alerts.conditions import AlertEvent, Why
from monitor.alerts.conditions import Kind as Condition
from monitor.alerts.in_force import Force, innermost
from monitor.alerts.profile import ProfileConfig
from monitor.alerts.rules import Profile
from monitor.alerts.signals import SignalState
from monitor.config import StationConfig
from monitor.live import LiveHub
from monitor.notify.notifier import Notifiers
from monitor.self_watch import UNSEEN, UNSEEN_AFTER, DiskWatch, SelfWatch
from monitor.sessions import criteria
from monitor.sessions.desk import FORGOTTEN, Desk
from monitor.sessions.entries import Entry, Kind
from monitor.sessions.session import Session
from monitor.sessions.visit import visit_of
from monitor.sinks.forwarder import Status
from monitor.storage.journal import Journal

_BY_OTHERS = frozenset({FORGOTTEN})
"""Rules on beds whose conditions the engine does not detect."""

_log = logging.getLogger(__name__)


class AlarmSystem:
    """The alerts of one station."""

    def __init__(
        self, config: StationConfig, desk: Desk, hub: LiveHub, journal: Journal, data_dir: Path, clock: Clock
    ) -> None:
        self._settings = config.sessions
        self._desk = desk
        self._hub = hub
        self._journal = journal
        self._data_dir = data_dir
        self._clock = clock
        self._own = own = config.alerts.all[config.alerts.profile].compiled()
        self._same_arm = {bed.id: bed.same_arm for bed in config.beds}
        self._devices = {bed.id: frozenset(device.id for device in bed.devices) for bed in config.beds}
        self._of_beds = config.device_ids
        self.board = AlertBoard({bed: self._on_bed(bed, own) for bed in self._same_arm}, own, clock)
        self._watch = SelfWatch() if config.influxdb is None else SelfWatch(config.influxdb.behind_after)
        self.disk = DiskWatch(data_dir, clock)
        self._unseen_since: float | None = None
        self._limits_shown: dict[str, Force] = {}
        desk.add_listener(self._entered)
        self.board.add_listener(self._show)
        self.board.add_listener(lambda _bed, events: journal.record_alerts(events))
        journal.begins_with_alerts = self.board.told_last

    def told_by(self, notifiers: Notifiers) -> None:
        """Have these tell of alerts too."""
        self.board.add_listener(lambda _bed, events: notifiers.notify(events))

    def standing(self) -> Mapping[str, SignalState]:
        """What stands on each bed, and under `STATION` of the station itself."""
        return {bed: self.board.signals_of(bed) for bed in (*self._same_arm, STATION)}

    async def take_up(self) -> None:
        """Go on where the station ended; the journal and the desk are open, and no device has given anything yet."""
        now, moment = self._clock.now_ns(), self._clock.monotonic()
        before = await asyncio.to_thread(
            restart.read, self._data_dir, self._of_beds, self._desk.all_open(), now, self._relative
        )
        for name, baseline in before.baselines.items():
            self.board.knows(name, Learned(baseline))
        for session in self._desk.open_sessions():
            self._visit(session.bed)
        for bed, device, reading in before.readings:
            # Where the clock was set back they seem to come from the future.
            self.board.replay(bed, device, [reading], moment - max(0, now - reading.received_at) / NS)
            if reading.episodic:
                # What else was measured is no longer the present.
                self._hub.recall(bed, device, reading, moment - max(0, now - reading.observed_at) / NS)
        stood = [one.event for one in before.standing]
        self._watch.restore([event for event in stood if event.bed == STATION])
        self._desk.asked(stood)
        # Nobody could end what a device said that is there no more; what is of the patient, another device may give.
        gone = [
            one
            for one in before.standing
            if one.event.kind is Condition.TECHNICAL
            and one.event.device
            and one.event.bed in self._devices
            and one.event.device not in self._devices[one.event.bed]
        ]
        self.board.over([one.event for one in gone], Why.RESTART, "the device is not there any more")
        self.board.restore([one for one in before.standing if one not in gone], _BY_OTHERS)
        if self.board.unseen() and any(event.rule == UNSEEN for event in stood):
            self._unseen_since = moment - UNSEEN_AFTER
        for bed in self.standing():
            self._show(bed, ())
        self._show_limits()

    def tick(self, sinks: Sequence[Status], notifiers: Mapping[str, str]) -> None:
        """A second has passed. `notifiers` has by name why one does not get through, empty where it does."""
        self.board.tick()
        self._show_limits()
        for event in self._desk.tick():
            self.board.detected(event.bed, [event])
        notice, changes = self._watch.look(
            journal=self._journal.health,
            damaged=self._journal.damaged,
            sinks=sinks,
            space=self.disk.space,
            notifiers=notifiers,
            unseen_for=self._unseen_for(),
            now=self._clock.uptime(),
            at=self._clock.now_ns(),
        )
        self._hub.station_notice(notice)
        self.board.detected(STATION, changes)

    def _unseen_for(self) -> float:
        """Seconds for which an alert has stood that no page shows."""
        if self._hub.viewers or not self.board.unseen():
            self._unseen_since = None
            return 0.0
        now = self._clock.monotonic()
        self._unseen_since = now if self._unseen_since is None else self._unseen_since
        return now - self._unseen_since

    def _show(self, bed: str, _events: Sequence[AlertEvent]) -> None:
        if bed in self._same_arm or bed == STATION:
            self._hub.alerts_changed(bed, self.board.signals_of(bed))

    def _show_limits(self) -> None:
        """Show the limits of each bed where others are in force: in another phase, or by its length alone."""
        for bed in self._same_arm:
            force = self.board.force_of(bed)
            if force is not self._limits_shown.get(bed):
                self._limits_shown[bed] = force
                self._hub.limits_changed(bed, innermost(force))

    def _entered(self, session: Session, entry: Entry) -> None:
        """A session has another entry: its phase, its bed or its limits may have changed."""
        if entry.kind is Kind.MOVED and (left := entry.content["from"]) in self._same_arm:
            self._visit(left)
        if session.last_bed in self._same_arm:
            self._visit(session.last_bed)

    def _visit(self, bed: str) -> None:
        """Tell the board what session is on a bed now."""
        session = self._desk.on_bed(bed)
        if session is None:
            self._hub.session_changed(bed, None)
            self.board.visit_changed(bed, None)
        else:
            self._hub.session_changed(bed, session, criteria.cuff_every(session, self._settings))
            visit = visit_of(session, self._settings, self._clock.now_ns(), self._clock.monotonic())
            self.board.visit_changed(bed, visit, self._profile(session))
        self._show_limits()

    def _profile(self, session: Session) -> Profile | None:
        """The profile that is in force for a session: it was stored with it, whatever the configuration says now."""
        if not session.rules:
            return None
        try:
            profile = ProfileConfig.model_validate(session.rules).compiled()
        except ValidationError as error:
            _log.error("the profile of session %s cannot be read, the station's own is in force: %s", session.id, error)
            return None
        return self._on_bed(session.bed, profile.with_limits(session.limits))

    def _relative(self, session: Session) -> frozenset[str]:
        """The vitals of which a limit is relative to the session's baseline."""
        return (self._profile(session) or self._own).relative

    def _on_bed(self, bed: str, profile: Profile) -> Profile:
        # A session may be on a bed that the station has no more.
        return replace(profile, same_arm=self._same_arm.get(bed, False))
