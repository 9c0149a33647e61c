"""What Prometheus is told, read by Prometheus' own parser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from drivers.clock import ManualClock
from monitor import __version__
from monitor.alerts.signals import Acknowledge
from monitor.live import LiveHub
from monitor.sinks.forwarder import FORWARDING, STOPPED, Status
from monitor.web.app import create_app
from monitor.web.parts import Parts
from monitor.web.routes.metrics import METRICS, PREFIX
from tests.monitor.alarm_clinic import refuse
from tests.monitor.web.served import Served, recording_of, served

Metrics = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path) as clinic:
        yield clinic


def read(text: str) -> Metrics:
    """By name without the prefix, and labels."""
    found: Metrics = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation.strip().endswith("."), family.name
        for sample in family.samples:
            key = sample.name.removeprefix(PREFIX), tuple(sorted(sample.labels.items()))
            assert key not in found
            found[key] = sample.value
    return found


async def metrics(clinic: Served) -> Metrics:
    answer = await clinic.client.get(METRICS)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return read(answer.text)


async def test_the_state_of_the_station_is_told(clinic: Served) -> None:
    await clinic.do("open", bed="one", reference="P-77")
    await clinic.seconds(20, spo2=80)
    clinic.read("two", ago=30, pulse_rate=60)
    await clinic.committed()
    told = await metrics(clinic)
    assert told["build_info", (("version", __version__),)] == 1
    assert told["beds", ()] == 2
    assert told["readings_total", ()] == 21
    assert told["reading_age_seconds", (("bed", "one"),)] == 0
    assert told["reading_age_seconds", (("bed", "two"),)] == 30
    assert told["reading_lag_seconds", ()] == 30
    assert told["sessions", (("phase", "check_in"),)] == 1
    assert told["sessions", (("phase", "infusion"),)] == 0
    assert told["devices", (("state", "lost"),)] == 2
    assert told["devices", (("state", "receiving"),)] == 0
    assert told["journal_ok", ()] == 1
    assert told["journal_committed_rows_total", ()] >= 22
    assert told["journal_waiting_rows", ()] == told["journal_dropped_rows_total", ()] == 0
    assert told["journal_commits_total", ()] >= 1
    assert 0 < told["journal_commit_seconds", ()] < 60
    assert told["pages_connected", ()] == 0


async def test_alerts_are_counted_by_how_they_stand(clinic: Served) -> None:
    def standing(told: Metrics, state: str) -> float:
        return told["alerts", (("kind", "physiological"), ("priority", "high"), ("state", state))]

    told = await metrics(clinic)
    assert standing(told, "on") == 0
    await clinic.seconds(40, spo2=80)
    on = standing(await metrics(clinic), "on")
    assert on >= 1
    clinic.station.alarms.board.operate("one", Acknowledge("anna"))
    told = await metrics(clinic)
    assert (standing(told, "on"), standing(told, "acknowledged")) == (0, on)


async def test_pages_are_counted(clinic: Served) -> None:
    async with clinic.client.stream("GET", "/api/live") as stream:
        await anext(stream.aiter_lines())
        assert (await metrics(clinic))["pages_connected", ()] == 1


async def test_a_journal_that_cannot_be_written_is_told(clinic: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    take_again = refuse(clinic.station.journal, monkeypatch)
    clinic.read(spo2=97)
    while clinic.station.journal.health.error is None:
        await asyncio.sleep(0.01)
    told = await metrics(clinic)
    assert told["journal_ok", ()] == 0
    assert told["journal_waiting_rows", ()] >= 1
    take_again()
    await clinic.committed()
    assert (await metrics(clinic))["journal_ok", ()] == 1


async def test_a_sink_is_behind_for_as_long_as_it_has_not_all(tmp_path: Path) -> None:
    clock = ManualClock()
    sink = Status("influxdb", FORWARDING, "", 5, 5, 0, 0)
    recording = recording_of(tmp_path, sinks=lambda: [sink])
    app = create_app(Parts(LiveHub([], clock), recording=recording, clock=clock))

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:

        async def told() -> tuple[float, float]:
            found = read((await client.get(METRICS)).text)
            labels = (("sink", "influxdb"),)
            return found["sink_lag_seconds", labels], found["sink_ok", labels]

        assert await told() == (0, 1)
        sink = sink._replace(newest=9, state=STOPPED)
        await clock.advance(20)
        assert await told() == (20, 0)
        await clock.advance(20)
        assert await told() == (40, 0)
        sink = sink._replace(through=9, state=FORWARDING)
        assert await told() == (0, 1)


async def test_no_label_names_a_patient_and_every_name_has_the_prefix(clinic: Served) -> None:
    await clinic.do("open", bed="one", reference="P-77")
    await clinic.seconds(3, spo2=97)
    text = (await clinic.client.get(METRICS)).text
    assert "P-77" not in text
    assert all(line.startswith((PREFIX, "# HELP " + PREFIX, "# TYPE " + PREFIX)) for line in text.splitlines())


async def test_two_stations_in_one_process_tell_each_its_own(clinic: Served, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with served(tmp_path / "other") as other:
        clinic.read(spo2=97)
        assert (await metrics(clinic))["readings_total", ()] == 1
        assert (await metrics(other))["readings_total", ()] == 0
