"""Charts from a real InfluxDB that a real journal was forwarded to: field for field those from the journal."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from drivers.clock import SystemClock
from drivers.errors import ConfigError, SessionUnknown, SinkRefused
from monitor.alerts.conditions import AlertEvent, AlertState
from monitor.cli.charts import source_of
from monitor.cli.records import Source as Where
from monitor.config import InfluxdbConfig
from monitor.review import view
from monitor.review.chart import Chart, build
from monitor.review.influx_source import InfluxdbSource
from monitor.review.source import JournalSource
from monitor.sessions.entries import Entry, Kind
from monitor.sinks.forwarder import Forwarder
from monitor.sinks.influxdb import InfluxdbSink
from monitor.sinks.line_protocol import alert_lines, session_lines
from monitor.storage.backlog import Backlog
from monitor.storage.journal import Journal
from tests.broker import until
from tests.influxd import Influxd
from tests.monitor.review.forwarded_session import ALERTS, OTHERS, T0, VISIT, alert, at, entered, opening, record
from tests.monitor.review.recorded_session import MINUTES, after
from tests.monitor.sinks.helpers import in_order


@contextlib.asynccontextmanager
async def forwarding(journal: Journal, sink: InfluxdbSink) -> AsyncIterator[None]:
    """The journal's forwarder, until all is sent."""
    forwarder = Forwarder(sink, lambda: Backlog(journal.path.parent), journal, SystemClock())
    task = asyncio.create_task(forwarder.run())
    yield
    assert await journal.committed(30)
    try:
        with contextlib.closing(Backlog(journal.path.parent)) as backlog:
            await until(lambda: backlog.next(forwarder.status.through).empty)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert forwarder.status.refused == 0


@pytest.fixture(scope="module")
def section(server: Influxd, tmp_path_factory: pytest.TempPathFactory) -> InfluxdbConfig:
    file = tmp_path_factory.mktemp("token") / "token"
    file.write_text(server.token)
    return InfluxdbConfig(url=server.url, org=server.org, bucket=server.bucket, token_file=str(file))


@pytest.fixture(scope="module")
def folder(section: InfluxdbConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal that was forwarded while it was written, commit after commit."""
    folder = tmp_path_factory.mktemp("journal")

    async def life() -> None:
        journal = Journal(folder, commit_every=0.01)
        journal.open()
        async with forwarding(journal, InfluxdbSink(section, "clinic")):
            record(journal)
            for entry in VISIT + OTHERS:
                journal.record_entries([entry])
                await journal.committed(30)
            for event in ALERTS:
                journal.record_alerts([event])
                await journal.committed(30)
        await journal.close()

    asyncio.run(life())
    # Another site, with the same names for other things.
    other = entered("s", (Kind.OPENED, 0, opening("somebody else")), (Kind.STEP, 1, {"step": "baseline"}))
    asyncio.run(send(section, "south", other, [alert("spo2_low", 1, AlertState.LATCHED)]))
    return folder


async def send(section: InfluxdbConfig, site: str, entries: list[Entry], alerts: list[AlertEvent]) -> None:
    sink = InfluxdbSink(section, site)
    lines = [*session_lines(site, entries, in_order(entries)), *alert_lines(site, alerts, in_order(alerts))]
    assert await sink.send_lines(lines) == ([], 0)
    await sink.close()


async def send_all(section: InfluxdbConfig, site: str, folder: Path, through: int = 0) -> None:
    """What the journal in that folder has after that commit."""
    sink = InfluxdbSink(section, site)
    with contextlib.closing(Backlog(folder)) as backlog:
        while not (portion := backlog.next(through)).empty:
            assert await sink.send(portion) == ([], 0)
            through = portion.through
    await sink.close()


def assert_same(one: Chart, other: Chart) -> None:
    for field in dataclasses.fields(Chart):
        mine, others = getattr(one, field.name), getattr(other, field.name)
        if field.name == "session":
            mine, others = mine.entries, others.entries
        if field.name == "vitals":
            assert list(mine) == list(others)
            for vital, track in mine.items():
                for column in dataclasses.fields(track):
                    left, right = getattr(track, column.name), getattr(others[vital], column.name)
                    if isinstance(left, np.ndarray):
                        assert left.dtype == right.dtype
                        assert np.array_equal(left, right, equal_nan=left.dtype.kind == "f"), (vital, column.name)
                    else:
                        assert left == right
        else:
            assert mine == others, field.name
            # Of the same types, too.
            assert repr(mine) == repr(others)
    assert view.told(one) == view.told(other)


@pytest.mark.parametrize("session", ["s", "without-bed", "open", "moved-to-july"])
def test_a_chart_is_that_of_the_journal(folder: Path, section: InfluxdbConfig, session: str) -> None:
    journal, influxdb = JournalSource(folder), InfluxdbSource(section, "clinic")
    expected = build(journal, journal.session(session), at(21))
    assert_same(build(influxdb, influxdb.session(session), at(21)), expected)
    if session == "s":
        # All of it is there that was to be compared.
        assert [len(life.changes) for life in expected.alerts] == [2, 1, 3, 1, 2]
        assert len(expected.silences) == 2
        assert len(expected.device_events) == 11
        assert set(expected.vitals["spo2"].causes) == {"", "artifact", "artifact,low_perfusion", "sensor_off"}
        assert expected.vitals["spo2"].devices == ("monitor", "oximeter")
        assert np.isnan(expected.vitals["spo2"].value).sum() > 50
        assert expected.span.since == at(-5)
        assert len(expected.cuff_readings) > 10
        assert expected.limits
        signed, by_influxdb = expected.session.as_signed(), influxdb.session(session).as_signed()
        assert signed is not None
        assert by_influxdb is not None
        assert_same(build(influxdb, by_influxdb, 0), build(journal, signed, 0))


@pytest.mark.parametrize("session", ["visit-1", "visit-2"])
def test_a_chart_of_traps_is_that_of_the_journal(made_up: Path, section: InfluxdbConfig, session: str) -> None:
    asyncio.run(send_all(section, "traps", made_up))
    journal, influxdb = JournalSource(made_up), InfluxdbSource(section, "traps")
    now = after(60 * MINUTES)
    assert_same(build(influxdb, influxdb.session(session), now), build(journal, journal.session(session), now))


def test_what_is_sent_again_changes_nothing(server: Influxd, folder: Path, section: InfluxdbConfig) -> None:
    everything = (
        f'from(bucket: "{server.bucket}") |> range(start: 0, stop: 2100-01-01T00:00:00Z) '
        '|> filter(fn: (r) => r._measurement != "vitals")'
    )

    def told() -> list[str]:
        return sorted(str({**row, "table": 0}) for row in server.query(everything))

    before = told()
    for through in (3, 0, 17, 25, 30):
        asyncio.run(send_all(section, "clinic", folder, through))
        assert told() == before


@pytest.mark.parametrize(
    "span", [(0, 1), (-1, 10), (0, 25), (20, 31), (30, 31), (399, 401), (-1e5, 1e5), (301, 1e5), (1e5, 2e5)]
)
def test_the_sessions_that_were_opened_then(folder: Path, section: InfluxdbConfig, span: tuple[float, float]) -> None:
    since, end = map(at, span)
    expected = [session.entries for session in JournalSource(folder).sessions(since, end)]
    assert [session.entries for session in InfluxdbSource(section, "clinic").sessions(since, end)] == expected
    if span == (30, 31):
        assert [entries[0].session for entries in expected] == ["moved-to-july"]


def test_a_session_of_nobody_or_of_another_site(folder: Path, section: InfluxdbConfig) -> None:
    for name, site in (("nobody", "clinic"), ("open", "south"), ('s" or true or r._value == "', "clinic")):
        with pytest.raises(SessionUnknown, match=f"no session .* of site {site}"):
            InfluxdbSource(section, site).session(name)
    assert InfluxdbSource(section, "south").session("s").reference == "somebody else"


OLDER_SESSION = (
    'sessions,bed=chair-1,site=old session="s",event="opened",text="session opened",author="Kim",reference="P-1",'
    f"number=1i,entered_at={T0}i {T0}"
)
OLDER_ALERT = f'alerts,bed=chair-1,kind=technical,priority=low,rule=r,site=upgraded state="on",text="" {at(5)}'


def test_what_an_older_version_forwarded_is_no_chart(server: Influxd, section: InfluxdbConfig) -> None:
    server.write(f"{OLDER_SESSION}\n{OLDER_ALERT}")
    source = InfluxdbSource(section, "old")
    with pytest.raises(
        SinkRefused, match=r"session s: .* of an older version: only that station's journal has the whole"
    ):
        source.session("s")
    with pytest.raises(SinkRefused, match="of an older version"):
        source.sessions(at(0), at(1))
    assert list(source.sessions(at(1), at(2))) == []
    asyncio.run(send(section, "upgraded", entered("s", (Kind.OPENED, 0, opening())), []))
    source = InfluxdbSource(section, "upgraded")
    with pytest.raises(SinkRefused, match=r"alerts of bed chair-1 at .* of an older version"):
        build(source, source.session("s"), at(5))
    # Before that alert, nothing is lacking.
    assert build(source, source.session("s"), at(3)).alerts == ()


def test_entries_that_are_not_those_of_one_journal(section: InfluxdbConfig) -> None:
    one, two, three = entered("s", (Kind.OPENED, 0, opening()), *[(Kind.NOTE, n, {"text": "-"}) for n in (1, 2)])
    for site, entries, told in (
        ("hole", [one, three], "1, 3"),
        ("restored", [one, two, three, two._replace(at=at(9))], "1, 2, 2, 3"),
        ("expired", [two, three], "2, 3"),
    ):
        asyncio.run(send(section, site, entries, []))
        with pytest.raises(SinkRefused, match=f"not as one journal does: its entries are {told}"):
            InfluxdbSource(section, site).session("s")
    # Of one whose beginning is not kept it is not known either when it was opened.
    assert list(InfluxdbSource(section, "expired").sessions(at(0), at(9))) == []


def test_what_the_commands_read(
    folder: Path, section: InfluxdbConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    beds = "beds: [{id: chair-1, devices: [{id: ox, driver: nonin, url: /dev/ttyUSB0}]}]\n"
    config = tmp_path / "site.yaml"
    config.write_text(f"site: clinic\n{beds}influxdb: {section.model_dump_json(exclude_defaults=True)}\n")
    assert source_of(Where.INFLUXDB, None, config, None).session("s").reference == "P-17"
    assert source_of(Where.INFLUXDB, None, config, "south").session("s").reference == "somebody else"
    with pytest.raises(ConfigError, match="--data-dir is for --from journal"):
        source_of(Where.INFLUXDB, folder, config, None)
    config.write_text(beds)
    with pytest.raises(ConfigError, match="has no section `influxdb`"):
        source_of(Where.INFLUXDB, None, config, None)
    assert source_of(Where.JOURNAL, folder, config, None).session("s").reference == "P-17"
    with pytest.raises(ConfigError, match="--site is for --from influxdb"):
        source_of(Where.JOURNAL, folder, config, "clinic")
