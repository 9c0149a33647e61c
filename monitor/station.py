"""The station: one running program, and the one place where the whole way of a reading is seen.

    transport --bytes--> codec --events--> device --> bed --> ring buffers
                                                       |--> alarm system --> alerts
                                                       |--> live hub --> page
                                                       |--> journal --> sinks (a thread each)

Nothing turns back. `Bed.receive` below is that fork: it runs on the event loop, in the call that read the bytes, and
the alarm system comes first, so that an alert waits for no disk, network or page.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from drivers import registry
from drivers.clock import Clock
from drivers.device import Device
from drivers.events import Event, LinkState, Reading
from drivers.transports.base import Acknowledge
from drivers.transports.factory import make_transport
from monitor import restart
from monitor.accounts.accounts import Accounts
from monitor.alarm_system import AlarmSystem
from monitor.buffer import Rings
from monitor.config import BedConfig, DeviceConfig, StationConfig
from monitor.live import BedView, DeviceView, LiveHub
from monitor.notify.alert_topics import AlertTopics, MqttNotifier
from monitor.notify.mqtt import Publisher
from monitor.notify.notifier import Notifier, Notifiers
from monitor.notify.registry import make_notifiers
from monitor.notify.session_topics import SessionTopics
from monitor.sessions.desk import Desk
from monitor.sinks.forwarder import Forwarder, Status, resend_file
from monitor.sinks.forwarder_thread import ForwarderThread
from monitor.sinks.registry import make_sinks
from monitor.storage.backlog import Backlog
from monitor.storage.journal import Journal
from monitor.trends import KEPT
from monitor.web import station_file
from monitor.web.front import Front
from monitor.web.parts import Parts, Recording

log = logging.getLogger(__name__)

TICK = 1.0
"""Seconds between two looks at what the passing of time alone changes."""
LAST_COMMIT = 1.0
"""Seconds that the last commit is waited for before the links are closed; the journal itself tries once more."""

Addresses = Mapping[tuple[str, str], str]
"""(bed, device) -> the address to use instead of the configuration's: where a simulated device is to be found."""


class Bed:
    """One bed: where what its devices give parts to everything that needs it."""

    def __init__(self, config: BedConfig, alarms: AlarmSystem, rings: Rings, hub: LiveHub, journal: Journal) -> None:
        self.id = config.id
        self._alarms = alarms
        self._rings = rings
        self._hub = hub
        self._journal = journal

    def receive(self, device: str, events: list[Event], acknowledge: Acknowledge | None) -> None:
        """A device gave events; `acknowledge` is called once they are committed."""
        self._alarms.board.receive(self.id, device, events)
        for event in events:
            if type(event) is Reading:
                self._rings.append(self.id, event)
        self._hub.receive(self.id, device, events)
        self._journal.record(self.id, device, events, acknowledge)

    def link_changed(self, device: str, state: LinkState, detail: str, at: int) -> None:
        """A device's link came up or went down."""
        self._alarms.board.link_changed(self.id, device, state, detail, at)
        self._hub.link_changed(self.id, device, state, detail, at)
        self._journal.record_link(self.id, device, state, detail, at)


class Station:
    """Beds, devices, journal and page, from one configuration."""

    def __init__(
        self,
        config: StationConfig,
        clock: Clock,
        *,
        data_dir: Path,
        port: int | None = None,
        addresses: Addresses | None = None,
    ) -> None:
        """Raises `ConfigError` where the broker's password, or a notifier's secret, is not to be had."""
        self._clock = clock
        self.rings = Rings()
        self._device_ids = config.device_ids
        self.hub = LiveHub([_view(bed) for bed in config.beds], clock, config.site)
        sinks = make_sinks(config, data_dir)
        self.journal = Journal(data_dir, keep_days=config.journal.keep_days, sinks=[it.sink.name for it in sinks])
        self._forwarders = [
            ForwarderThread(
                Forwarder(
                    wanted.sink,
                    partial(Backlog, data_dir, waveforms=wanted.waveforms),
                    self.journal,
                    clock,
                    request=resend_file(data_dir, wanted.sink.name),
                )
            )
            for wanted in sinks
        ]
        self.desk = Desk(config, self.journal, data_dir, clock)
        self.alarms = AlarmSystem(config, self.desk, self.hub, self.journal, data_dir, clock)
        self._token = secrets.token_urlsafe()
        self.accounts = Accounts(data_dir, clock, self.journal.record_audit, login_hours=config.web.login_hours)
        parts = Parts(
            self.hub,
            self.desk,
            self.alarms.board,
            self.accounts,
            web=config.web,
            site=config.site,
            token=self._token,
            committed=self.journal.committed,
            audit=self.journal.record_audit,
            record=self.journal.record,
            recording=Recording(
                config,
                data_dir,
                self.rings,
                lambda: self.journal.health,
                lambda: self.journal.commits,
                self._sinks,
            ),
            clock=clock,
        )
        self._front = Front(parts, clock, data_dir, port)
        self.page = self._front.page
        self._data_dir = data_dir
        self._mqtt = config.mqtt.settings()
        self._notifiers = Notifiers([*self._publish(config), *make_notifiers(config.notify, config.site, clock)])
        self.alarms.told_by(self._notifiers)
        beds = [Bed(bed, self.alarms, self.rings, self.hub, self.journal) for bed in config.beds]
        self.devices = [
            self._device(config, bed, device, listener, addresses or {})
            for bed, listener in zip(config.beds, beds, strict=True)
            for device in bed.devices
        ]

    def _device(
        self, config: StationConfig, bed: BedConfig, device: DeviceConfig, listener: Bed, addresses: Addresses
    ) -> Device:
        driver = registry.find(device.driver)
        transport = make_transport(
            addresses.get((bed.id, device.id)) or device.address(bed.id),
            driver,
            self._clock,
            line=device.serial_line(driver),
            # Names have no full stop, so two devices never share one.
            identifier=f"{config.mqtt.client_id}.{config.site}.{bed.id}.{device.id}",
            mqtt=self._mqtt,
        )
        codec = driver.make_codec(driver.options.model_validate(device.options))
        return Device(
            device.id,
            driver,
            codec,
            transport,
            listener,
            self._clock,
            vitals=device.vitals,
            silent_after=device.silent_after,
            label=f"{bed.id}/{device.id}",
        )

    def _publish(self, config: StationConfig) -> list[Notifier]:
        """What tells the clinic's own systems of its sessions and alerts, where the configuration says where."""
        if config.mqtt.publish_to is None:
            return []
        beds = [bed.id for bed in config.beds]
        sessions = SessionTopics(self.desk, beds, self._clock)
        alerts = AlertTopics(beds, self.alarms.standing, self._clock)
        publisher = Publisher(
            config.mqtt.publish_to,
            self._mqtt,
            # Bed and device ids have no full stop, so that this is none of theirs.
            f"{config.mqtt.client_id}.{config.site}.publisher",
            lambda: {**sessions.present(), **alerts.present()},
            will=alerts.will,
            last_words=alerts.last_words,
        )
        sessions.tell(publisher.publish)
        return [MqttNotifier(publisher, alerts)]

    async def open(self) -> None:
        """Take the journal, then the page's address: so that a second copy hears of the first, not of its port.

        Raises `StationRunning`, `JournalUnusable`, `PortInUse`, or `ConfigError` where the accounts cannot be used or
        nobody may be let in; nothing is left open then.
        """
        self.journal.open()
        try:
            station_file.remove(self._data_dir)
            await self.accounts.load()
            await self.desk.load()
            await self.alarms.take_up()
            await self._recall_trends()
            await self._front.open()
        except BaseException:
            await self.journal.close()
            raise

    async def run(self, stop: asyncio.Event) -> None:
        """Serve everything until `stop` is set, then commit and close. `open` comes first."""
        for forwarder in self._forwarders:
            forwarder.start()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(device.run(), name=f"device {device.name}") for device in self.devices]
                tasks += [group.create_task(self._tick(), name="tick"), group.create_task(self._front.serve())]
                tasks.append(group.create_task(self._notifiers.run(), name="notifiers"))
                tasks.append(group.create_task(self.alarms.disk.run(), name="disk"))
                await stop.wait()
                self.hub.close()
                await self._front.stop()
                for device in self.devices:
                    device.mute()
                # Not for ever, where the disk refuses.
                await self.journal.committed(LAST_COMMIT)
                for task in tasks:
                    task.cancel()
        finally:
            self.hub.close()
            await asyncio.gather(*(asyncio.to_thread(forwarder.stop) for forwarder in self._forwarders))
            await self.accounts.close()
            await self.journal.close()

    async def _recall_trends(self) -> None:
        now = self._clock.now_ns()
        for trace in await asyncio.to_thread(restart.recent, self._data_dir, self._device_ids, now, KEPT):
            self.hub.trends.recall(trace)

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK)
            self.alarms.tick(self._sinks(), self._notifiers.health)

    def _sinks(self) -> list[Status]:
        return [it.forwarder.status for it in self._forwarders]


def _view(bed: BedConfig) -> BedView:
    devices = []
    for device in bed.devices:
        driver = registry.find(device.driver)
        devices.append(DeviceView(device.id, driver.title, device.vitals_given(driver)))
    return BedView(bed.id, bed.title, tuple(devices))
