"""The station: one running program, and the one place where the whole way of a reading is seen.

    transport --bytes--> codec --events--> device --> bed --> ring buffers
                                                       |--> alert engine --> alerts
                                                       |--> live hub --> page
                                                       |--> journal --> sinks (a thread each)

Nothing turns back. `Bed.receive` below is that fork: it runs on the event loop, in the call that read the bytes, and
the alert engine comes first, so that an alert waits for no disk, network or page.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path

from drivers import registry
from drivers.clock import Clock
from drivers.device import Device
from drivers.events import Event, LinkState, Reading
from drivers.transports.base import Acknowledge
from drivers.transports.factory import make_transport
from monitor.alerts.conditions import AlertEvent, AlertState
from monitor.alerts.engine import BedState, Profile, on_link, on_reading, on_tick
from monitor.buffer import Rings
from monitor.config import BedConfig, DeviceConfig, StationConfig
from monitor.live import BedView, DeviceView, LiveHub
from monitor.notify.mqtt import Publisher
from monitor.notify.session_topics import SessionTopics
from monitor.self_watch import SelfWatch
from monitor.sessions.desk import Desk
from monitor.sinks.forwarder import RESEND_FILE, Forwarder
from monitor.sinks.forwarder_thread import ForwarderThread
from monitor.sinks.influxdb import InfluxdbSink
from monitor.storage.backlog import Backlog
from monitor.storage.journal import Journal
from monitor.web import local_api
from monitor.web.app import create_app
from monitor.web.server import PageServer

log = logging.getLogger(__name__)

TICK = 1.0
"""Seconds between two looks at what the passing of time alone changes."""
LAST_COMMIT = 1.0
"""Seconds that the last commit is waited for before the links are closed; the journal itself tries once more."""
PAGE_RETRY = 5.0
"""Seconds before a page server that failed is started again."""

Addresses = Mapping[tuple[str, str], str]
"""(bed, device) -> the address to use instead of the configuration's: where a simulated device is to be found."""


class Bed:
    """One bed: where what its devices give parts to everything that needs it."""

    def __init__(
        self, config: BedConfig, profile: Profile, rings: Rings, hub: LiveHub, journal: Journal, clock: Clock
    ) -> None:
        self.id = config.id
        self._profile = profile
        self._rings = rings
        self._hub = hub
        self._journal = journal
        self._clock = clock
        self._alerts = BedState()

    def receive(self, device: str, events: list[Event], acknowledge: Acknowledge | None) -> None:
        """A device gave events; `acknowledge` is called once they are committed."""
        now = self._clock.monotonic()
        changes: list[AlertEvent] = []
        for event in events:
            if type(event) is Reading:
                self._alerts, changed = on_reading(self._profile, self._alerts, self.id, device, event, now)
                changes += changed
                self._rings.append(self.id, event)
        self._tell(changes)
        self._hub.receive(self.id, device, events)
        self._journal.record(self.id, device, events, acknowledge)

    def link_changed(self, device: str, state: LinkState, detail: str, at: int) -> None:
        """A device's link came up or went down."""
        self._alerts, changes = on_link(self._profile, self._alerts, self.id, device, state, detail, at)
        self._tell(changes)
        self._hub.link_changed(self.id, device, state, detail, at)
        self._journal.record_link(self.id, device, state, detail, at)

    def tick(self) -> None:
        """A second has passed."""
        now, at = self._clock.monotonic(), self._clock.now_ns()
        self._alerts, changes = on_tick(self._profile, self._alerts, self.id, now, at)
        self._tell(changes)

    def _tell(self, changes: list[AlertEvent]) -> None:
        if not changes:
            return
        self._hub.alerts_changed(changes)
        self._journal.record_alerts(changes)
        for change in changes:
            if change.state is AlertState.ON:
                log.warning("%s: %s alert: %s", self.id, change.priority.value, change.text)
            else:
                log.info("%s: %s alert off: %s", self.id, change.priority.value, change.text)


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
        """Raises `ConfigError` where the broker's password is not to be had."""
        self._clock = clock
        self._profile = config.alerts.profile()
        self.rings = Rings()
        views = [_view(bed) for bed in config.beds]
        self.hub = LiveHub(views, clock, config.site, old_after=config.alerts.stale_after)
        sinks = [] if config.influxdb is None else [InfluxdbSink(config.influxdb, config.site)]
        self.journal = Journal(data_dir, keep_days=config.journal.keep_days, sinks=[sink.name for sink in sinks])
        waveforms = config.influxdb is not None and config.influxdb.waveforms
        self._forwarders = [
            ForwarderThread(
                Forwarder(
                    sink,
                    lambda: Backlog(data_dir, waveforms=waveforms),
                    self.journal,
                    clock,
                    request=data_dir / RESEND_FILE,
                )
            )
            for sink in sinks
        ]
        self._watch = SelfWatch()
        self.desk = Desk(config, self.journal, data_dir, clock)
        self._token = secrets.token_urlsafe()
        app = create_app(self.hub, self.desk, self._token)
        self.page = PageServer(app, config.web.host, config.web.port if port is None else port)
        self._data_dir = data_dir
        self._mqtt = config.mqtt.settings()
        self._publisher = self._publish(config)
        self._beds = [Bed(bed, self._profile, self.rings, self.hub, self.journal, clock) for bed in config.beds]
        self.devices = [
            self._device(config, bed, device, listener, addresses or {})
            for bed, listener in zip(config.beds, self._beds, strict=True)
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

    def _publish(self, config: StationConfig) -> Publisher | None:
        """What tells the clinic's own systems of its sessions, where the configuration says where."""
        if config.mqtt.publish_to is None:
            return None
        topics = SessionTopics(self.desk, [bed.id for bed in config.beds], self._clock)
        # Bed and device ids have no full stop, so that this is none of theirs.
        identifier = f"{config.mqtt.client_id}.{config.site}.sessions"
        publisher = Publisher(config.mqtt.publish_to, self._mqtt, identifier, topics.present)
        topics.tell(publisher.publish)
        return publisher

    async def open(self) -> None:
        """Take the journal, then the page's address: so that a second copy hears of the first, not of its port.

        Raises `StationRunning`, `JournalUnusable` or `PortInUse`; nothing is left open then.
        """
        self.journal.open()
        try:
            local_api.remove(self._data_dir)
            await self.desk.load()
            self.page.bind()
        except BaseException:
            await self.journal.close()
            raise
        local_api.write(self._data_dir, self.page.address, self._token)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve everything until `stop` is set, then commit and close. `open` comes first."""
        for forwarder in self._forwarders:
            forwarder.start()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(device.run(), name=f"device {device.name}") for device in self.devices]
                tasks += [group.create_task(self._tick(), name="tick"), group.create_task(self._serve_page())]
                if self._publisher is not None:
                    tasks.append(group.create_task(self._publisher.run(), name="publisher"))
                await stop.wait()
                local_api.remove(self._data_dir)
                self.hub.close()
                await self.page.stop()
                for device in self.devices:
                    device.mute()
                await self._committed()
                for task in tasks:
                    task.cancel()
        finally:
            self.hub.close()
            await asyncio.gather(*(asyncio.to_thread(forwarder.stop) for forwarder in self._forwarders))
            await self.journal.close()

    async def _committed(self) -> None:
        """Wait until all that was taken is committed and acknowledged; not for ever, where the disk refuses."""
        done = asyncio.Event()
        self.journal.record("", "", (), done.set)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_COMMIT):
                await done.wait()

    async def _tick(self) -> None:
        while True:
            await self._clock.sleep(TICK)
            for bed in self._beds:
                bed.tick()
            changes = self.desk.tick()
            self.hub.alerts_changed(changes)
            self.journal.record_alerts(changes)
            self._look_at_itself()

    def _look_at_itself(self) -> None:
        notice, changes = self._watch.look(
            self.journal.health,
            self.journal.damaged,
            [it.forwarder.status for it in self._forwarders],
            self._clock.now_ns(),
        )
        self.hub.station_notice(notice)
        self.journal.record_alerts(changes)

    async def _serve_page(self) -> None:
        # A page that fails must not end the recording: it is started again.
        while not self.hub.closed:
            try:
                await self.page.serve()
            except Exception:
                log.exception("the page's server failed; starting it again")
                await self._clock.sleep(PAGE_RETRY)


def _view(bed: BedConfig) -> BedView:
    devices = []
    for device in bed.devices:
        driver = registry.find(device.driver)
        devices.append(DeviceView(device.id, driver.title, device.vitals_given(driver)))
    return BedView(bed.id, bed.title, tuple(devices))
