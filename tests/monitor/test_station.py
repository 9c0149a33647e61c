"""The whole way of a reading, from the bytes on a pseudo-terminal to journal, rings and live hub, in one process."""

from __future__ import annotations

import asyncio
import os
import random
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import SystemClock
from drivers.errors import PortInUse, StationRunning
from drivers.events import LinkState, Reading
from drivers.protocols.ivy450c import DRIVER as IVY
from monitor import config_file
from monitor.station import Station
from monitor.storage.history import History
from simulators.device_side import make_side
from simulators.endpoint import PtyEndpoint
from simulators.patient import Episode, Patient
from tests.drivers.streams import new_codec
from tests.monitor.program import running


async def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


def one_bed(driver: str, url: str, more: str = "") -> str:
    return f"beds:\n  - id: chair-1\n    devices:\n      - {{id: dev, driver: {driver}, url: '{url}', {more}}}\n"


async def test_the_ivy_capture_through_a_serial_line_is_what_decode_gives(tmp_path: Path, ivy_capture: bytes) -> None:
    master, slave = os.openpty()
    tty.setraw(slave)
    draw = random.Random(5)
    async with running(tmp_path, one_bed("ivy450c", os.ttyname(slave), "line: {baudrate: 19200}")) as station:
        device = station.devices[0]
        await until(lambda: device._open)
        sent = 0
        while sent < len(ivy_capture):
            size = draw.randrange(1, 600)
            os.write(master, ivy_capture[sent : sent + size])
            sent += size
            await asyncio.sleep(0.002)
        await until(lambda: device._counters.bytes == len(ivy_capture))
    os.close(master)
    os.close(slave)
    expected = [
        (event.vital, event.value, event.validity, event.cause)
        for event in new_codec(IVY).feed(ivy_capture, 1)
        if isinstance(event, Reading)
    ]
    stored = [(row.vital, row.value, row.validity, row.cause) for row in History(tmp_path / "data").readings()]
    assert sorted(stored, key=str) == sorted(expected, key=str)
    for vital in {vital for vital, *_ in expected}:
        assert [row for row in stored if row[0] == vital] == [row for row in expected if row[0] == vital]
    count = {vital: [v for v, *_ in stored].count(vital) for vital, *_ in stored}
    assert (count["heart_rate"], count["spo2"], count["pulse_rate"]) == (28, 28, 28)
    assert (count["nibp_sys"], count["nibp_dia"], count["nibp_mean"]) == (1, 1, 1)


async def test_a_capture_file_is_a_device_too(tmp_path: Path, ivy_capture: bytes) -> None:
    capture = tmp_path / "ivy.bin"
    capture.write_bytes(ivy_capture)
    async with running(tmp_path, one_bed("ivy450c", f"file:{capture}?pace=fast")) as station:
        await until(lambda: station.devices[0].state is LinkState.ENDED)
        ring = station.rings.get("chair-1", "heart_rate")
        assert ring is not None
        assert len(ring) == 28
    history = History(tmp_path / "data")
    assert [row.value for row in history.readings(vital="heart_rate")] == [80] * 28
    assert list(history.alerts()) == []


async def test_a_desaturation_alerts_on_the_page_and_in_the_journal_and_ends(tmp_path: Path) -> None:
    patient = Patient(seed=2, episodes=(Episode(first=3, duration=10, every=1000, spo2_falls_by=20),))
    endpoint = PtyEndpoint(make_side("nonin", patient), SystemClock(), tmp_path / "port")
    serving = asyncio.create_task(endpoint.serve())
    (tmp_path / "quick.yaml").write_text(
        "profile: quick\nrules: {spo2_low: 'SpO2 < 90 for 1 s, clears at 92, high'}\nsignals: {latching: []}\n"
    )
    alerting = "alerts: {profile: quick, profiles: [quick.yaml]}\n"
    shown = []
    async with running(tmp_path, one_bed("nonin", str(tmp_path / "port")) + alerting) as station:

        def alerts() -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = station.hub.snapshot()["beds"][0]["alerts"]
            return found

        await until(alerts)
        shown = alerts()
        await until(lambda: not alerts())
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert [(alert["rule"], alert["priority"]) for alert in shown] == [("spo2_low", "high")]
    story = [(alert.rule, alert.state.value) for alert in History(tmp_path / "data").alerts()]
    assert story == [("spo2_low", "on"), ("spo2_low", "off")]


async def test_a_pulled_cable_is_a_technical_alert_and_the_other_device_goes_on(tmp_path: Path) -> None:
    clock = SystemClock()
    ends = [PtyEndpoint(make_side("nonin", Patient(seed=n)), clock, tmp_path / f"port{n}") for n in (1, 2)]
    serving = [asyncio.create_task(end.serve()) for end in ends]
    text = "beds:\n" + "".join(
        f"  - id: chair-{n}\n    devices: [{{id: ox, driver: nonin, url: {tmp_path}/port{n}}}]\n" for n in (1, 2)
    )
    async with running(tmp_path, text) as station:
        await until(lambda: all(device.state is LinkState.RECEIVING for device in station.devices))
        ends[0].unplug()
        await until(lambda: station.devices[0].state is LinkState.LOST)
        first, second = station.hub.snapshot()["beds"]
        assert [(alert["rule"], alert["kind"]) for alert in first["alerts"]] == [("device_lost_ox", "technical")]
        assert second["alerts"] == []
        ring = station.rings.get("chair-2", "spo2")
        assert ring is not None
        before = len(ring)
        await until(lambda: len(ring) > before + 3)
        ends[0].plug()
        await until(lambda: station.devices[0].state is LinkState.RECEIVING)
        assert station.hub.snapshot()["beds"][0]["alerts"] == []
    for task in serving:
        task.cancel()
    await asyncio.gather(*serving, return_exceptions=True)
    story = [(alert.bed, alert.rule, alert.state.value) for alert in History(tmp_path / "data").alerts()]
    assert story == [("chair-1", "device_lost_ox", "on"), ("chair-1", "device_lost_ox", "off")]


async def test_a_second_station_is_refused_and_leaves_the_first_alone(tmp_path: Path) -> None:
    text = one_bed("nonin", str(tmp_path / "nowhere"))
    async with running(tmp_path, text) as station:
        config = config_file.load(tmp_path / "site.yaml")
        with pytest.raises(StationRunning):
            await Station(config, SystemClock(), data_dir=tmp_path / "data", port=0).open()
        port = int(station.page.address.rsplit(":", 1)[1])
        with pytest.raises(PortInUse):
            await Station(config, SystemClock(), data_dir=tmp_path / "other", port=port).open()
        await until(lambda: station.devices[0].state is LinkState.LOST)
