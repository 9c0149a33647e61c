"""`doctor`: each thing that can be wrong is found, on real files and beside a real station, and nothing else is."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.clock import NS
from drivers.events import LinkState, measured
from monitor.doctor import machine, reach, records
from monitor.doctor.examination import CHECKS, examine
from monitor.doctor.findings import Check, Finding, Level, Subject, ok, subject_of
from monitor.storage.backlog import SinkRow
from monitor.storage.database import Database
from monitor.storage.history import History
from monitor.storage.lock import StationLock
from monitor.storage.migration import SCHEMA_VERSION
from monitor.storage.rows import Batch, dead_letter_rows, link_row, sink_row
from tests.influxd import Influxd
from tests.monitor.program import ROOT, Start, call, wait_for

SITE = "data_dir: {data}\nbeds: [{{id: chair-1, devices: [{{id: ox, driver: nonin, url: {url}}}]}}]\n"
INFLUXDB = "influxdb: {{url: '{url}', org: clinic, bucket: vitals, token_env: DOCTOR_TOKEN}}\n"
SECRET = "a-token-that-nobody-may-see"


class Site:
    """A configuration and its data folder, with a journal that is written here as a station writes it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "site.yaml"
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        self.configure()

    def configure(self, more: str = "", url: str = "simulated") -> None:
        self.file.write_text(SITE.format(data=self.data, url=url) + more)

    def subject(self, *, deep: bool = False) -> Subject:
        return subject_of(self.file, None, deep=deep)

    def found(self, *checks: Check, deep: bool = False) -> list[Finding]:
        return list(examine(self.subject(deep=deep), checks))

    def write(self, *batches: Batch, rows: object = ()) -> None:
        database = Database(self.data / "journal.db")
        database.write(batches, rows)  # type: ignore[arg-type]
        database.close()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def running(site: Site) -> Iterator[None]:
    """The lock of a station that runs."""
    lock = StationLock(site.data)
    lock.take()
    yield
    lock.release()


def measured_ago(seconds: float) -> Batch:
    at = time.time_ns() - int(seconds * NS)
    return Batch("chair-1", "ox", [measured("spo2", 97.0, at, at)], [], None)


def levels(found: list[Finding]) -> list[Level]:
    return [finding.level for finding in found]


def only(found: list[Finding]) -> Finding:
    [finding] = found
    return finding


def test_beside_a_running_station_nothing_is_a_fault(tmp_path: Path, start_station: Start) -> None:
    data = tmp_path / "data"
    station = start_station(data)
    wait_for(lambda: b"fresh" in station.get("/api/snapshot"))
    done = call("doctor", "--data-dir", data, "--json", "--deep")
    found = [Finding(**json.loads(line)) for line in done.stdout.splitlines()]
    faults = [finding for finding in found if finding.level == "fault" and finding.what != "clock"]
    assert faults == []
    assert done.stderr == ""
    texts = [finding.text for finding in found]
    assert f"runs on {data} (process {station.process.pid})" in texts
    assert any(text.startswith(f"schema {SCHEMA_VERSION}, ") and text.endswith("seconds old") for text in texts)
    # Nothing was changed or made, and the station noticed nothing.
    assert sorted(path.name for path in data.iterdir()) == [
        "journal.db",
        "journal.db-shm",
        "journal.db-wal",
        "station.json",
        "station.lock",
    ]
    code, said = station.stop()
    assert code == 0
    assert "Traceback" not in said


def test_before_the_first_start_it_makes_nothing(tmp_path: Path) -> None:
    done = call("doctor", "--data-dir", tmp_path / "data")
    assert done.stderr == ""
    assert f"note   data folder: there is no {tmp_path / 'data'} yet: the station makes it" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_fault_ends_with_1_and_is_a_line_with_what_to_do(site: Site) -> None:
    site.configure(url="/dev/no-such-port")
    done = call("doctor", "--config", site.file)
    assert (done.returncode, done.stderr) == (1, "")
    [line] = [line for line in done.stdout.splitlines() if "no-such-port" in line]
    assert line.startswith("fault  serial ports: chair-1/ox: /dev/no-such-port is not there: plug its adapter in")


@pytest.mark.parametrize(
    ("version", "has"),
    [
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 9), True),
        ((3, 50, 6), True),
        ((3, 50, 8), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((4, 0, 0), False),
    ],
)
def test_the_versions_of_sqlite_with_the_fault(version: tuple[int, int, int], *, has: bool) -> None:
    assert machine.has_wal_reset_bug(version) is has


def test_versions_are_named(site: Site) -> None:
    first, second = site.found(machine.versions)
    assert f"Python {sys.version.split()[0]}" in first.text
    assert second.text.startswith(sqlite3.sqlite_version)
    assert second.level is (Level.NOTE if machine.has_wal_reset_bug(sqlite3.sqlite_version_info) else Level.OK)


def test_every_fault_of_the_configuration_is_a_line_and_the_rest_is_looked_at(site: Site) -> None:
    site.configure(INFLUXDB.format(url="http://127.0.0.1:1"), url="/dev/no-such-port")
    os.environ.pop("DOCTOR_TOKEN", None)
    found = site.found(records.configuration, reach.influxdb, reach.serial_ports)
    assert found[0][:2] == (Level.FAULT, "configuration")
    assert found[0].text == f"{site.file}:3: influxdb.token_env: the environment has no variable DOCTOR_TOKEN"
    assert found[1].text == "http://127.0.0.1:1 was not tried: a token is not to be had"
    assert "no-such-port" in found[-1].text


def test_a_configuration_that_is_none(site: Site) -> None:
    site.file.write_text("beds: []\ndata-dir: x\n")
    found = list(examine(site.subject()))
    assert [finding.text for finding in found if finding.what == "configuration"] == [
        f"{site.file}:1: beds: at least one is needed",
        f"{site.file}:2: data-dir: unknown key",
    ]
    assert not any("cannot be looked at" in finding.text for finding in found)
    assert "where its records are is not known" in [finding.text for finding in found if finding.what == "station"]


def test_a_check_that_fails_is_a_fault_and_the_others_go_on(site: Site) -> None:
    def broken(_: Subject) -> Iterator[Finding]:
        yield ok("first", "well")
        raise ZeroDivisionError("by hand")

    def forbidden(_: Subject) -> Iterator[Finding]:
        raise PermissionError(13, "Permission denied", "/x")
        yield

    found = site.found(broken, forbidden, records.station)
    assert [finding[:3] for finding in found[:3]] == [
        (Level.OK, "first", "well"),
        (Level.FAULT, "broken", "cannot be looked at: ZeroDivisionError: by hand"),
        (Level.FAULT, "forbidden", "cannot be looked at: [Errno 13] Permission denied: '/x'"),
    ]
    assert found[3].what == "station"


class Free:
    """What `os.statvfs` gives, with that much room."""

    def __init__(self, free: float, flags: int = 0) -> None:
        self.f_bavail, self.f_frsize, self.f_flag = int(free), 1, flags


@pytest.mark.parametrize(
    ("free", "level", "text"),
    [
        (Free(0.9e9), Level.FAULT, "0.9 GB free"),
        (Free(5e9), Level.OK, "5.0 GB free"),
        (Free(5e9, os.ST_RDONLY), Level.FAULT, "is on a disk that is read-only"),
    ],
)
def test_disk(site: Site, monkeypatch: pytest.MonkeyPatch, free: Free, level: Level, text: str) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: free)
    finding = only(site.found(machine.disk))
    assert finding.level is level
    assert text in finding.text


def test_a_disk_with_room_for_less_than_a_week_is_noted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    beds = ", ".join(
        f"{{id: chair-{number}, devices: [{{id: ivy, driver: ivy450c, url: simulated}}]}}" for number in range(40)
    )
    site.file.write_text(f"data_dir: {site.data}\nbeds: [{beds}]\n")
    monkeypatch.setattr(os, "statvfs", lambda _: Free(5e9))
    assert only(site.found(machine.disk)).level is Level.NOTE


def test_a_folder_that_the_user_may_not_write(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert f"may not write {site.data}" in only(site.found(machine.disk)).text


def test_permissions(site: Site) -> None:
    site.write(measured_ago(1))
    assert levels(site.found(machine.permissions)) == [Level.OK]
    (site.data / "journal.db").chmod(0o640)
    finding = only(site.found(machine.permissions))
    assert (finding.level, finding.advice) == (Level.FAULT, f"chmod 600 {site.data}/journal.db")
    (site.data / "journal.db").chmod(0o600)
    site.data.chmod(0o777)
    finding = only(site.found(machine.permissions))
    assert (finding.level, finding.advice) == (Level.FAULT, f"chmod 700 {site.data}")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_file_of_another_owner(site: Site) -> None:
    site.write(measured_ago(1))
    shutil.chown(site.data / "journal.db", 12345)
    finding = only(site.found(machine.permissions))
    assert finding.text == f"{site.data}/journal.db is of user 12345, and the folder is of root"


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts another `timedatectl` first on the path."""

    def put(script: str) -> None:
        program = tmp_path / "bin" / "timedatectl"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)

    return put


@pytest.mark.parametrize(
    ("script", "level"),
    [
        ("[ $2 = --property=NTPSynchronized ] && echo yes", Level.OK),
        ("echo no", Level.FAULT),
        ("echo; echo 'no bus' >&2; exit 1", Level.NOTE),
    ],
)
def test_whether_the_clock_is_synchronised(site: Site, says: Callable[[str], None], script: str, level: Level) -> None:
    says(script)
    assert levels(site.found(machine.clock)) == [level]


def test_a_machine_without_systemd_is_noted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert levels(site.found(machine.clock)) == [Level.NOTE]


def test_a_clock_that_was_never_set(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_000 * NS)
    finding = only(site.found(machine.clock))
    assert (finding.level, finding.text) == (Level.FAULT, "it shows 1970-01-01 00:16 UTC")


def test_a_reading_in_the_future(site: Site, says: Callable[[str], None]) -> None:
    says("echo yes")
    site.write(measured_ago(-7200), measured_ago(5))
    first, _ = site.found(machine.clock)
    assert (first.level, first.text) == (Level.FAULT, "the newest reading is 120 minutes in the future")


def test_no_station_runs(site: Site) -> None:
    assert only(site.found(records.station)).level is Level.NOTE
    assert not (site.data / "station.lock").exists()


def test_looking_at_the_lock_leaves_it_free(site: Site) -> None:
    lock = StationLock(site.data)
    lock.take()
    assert only(site.found(records.station)).text == f"runs on {site.data} (process {os.getpid()})"
    lock.release()
    assert only(site.found(records.station)).text == f"none runs on {site.data}"
    lock.take()
    lock.release()


def test_a_station_starts_though_somebody_is_looking_at_its_lock(site: Site) -> None:
    lock = StationLock(site.data)
    lock.take()
    lock.release()
    looking = os.open(site.data / "station.lock", os.O_RDONLY)
    fcntl.flock(looking, fcntl.LOCK_SH)
    threading.Timer(0.1, os.close, [looking]).start()
    lock.take()
    lock.release()


@pytest.mark.usefixtures("running")
def test_a_journal_into_which_nothing_comes(site: Site) -> None:
    site.write(measured_ago(490), rows=[link_row("chair-1", "ox", LinkState.RECEIVING, "", 1)])
    finding = only(site.found(records.journal))
    assert finding.level is Level.FAULT
    assert finding.text.endswith("newest reading 8 minutes old, although chair-1/ox is being received")
    site.write(rows=[link_row("chair-1", "ox", LinkState.LOST, "unplugged", 2)])
    finding = only(site.found(records.journal))
    assert finding.level is Level.NOTE
    assert finding.text.endswith("newest reading 8 minutes old: no device is being received")
    site.write(measured_ago(5), rows=[link_row("chair-1", "ox", LinkState.RECEIVING, "", 3)])
    assert only(site.found(records.journal)).level is Level.OK


def test_an_old_journal_without_a_station_is_no_fault(site: Site) -> None:
    site.write(measured_ago(10 * 86_400), rows=[link_row("chair-1", "ox", LinkState.RECEIVING, "", 1)])
    finding = only(site.found(records.journal))
    assert finding.level is Level.OK
    assert finding.text.endswith("newest reading 10 days old")


def test_a_disk_that_takes_nothing_is_seen_beside_a_running_station(
    tmp_path: Path, start_station: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    station = start_station(data)
    wait_for(lambda: list(History(data).readings(vital="spo2", bed="chair-1")))
    length = (data / "journal.db-wal").stat().st_size
    resource.prlimit(station.process.pid, resource.RLIMIT_FSIZE, (length, resource.RLIM_INFINITY))
    wait_for(lambda: b"NOT RECORDING" in station.get("/api/snapshot"))
    # A minute is long for a test.
    monkeypatch.setattr(records, "_STUCK", 0)
    finding = only(list(examine(subject_of(ROOT / "config.yaml", data), (records.journal,))))
    assert finding.level is Level.FAULT
    assert "although chair-1/oximeter" in finding.text
    station.stop(signal.SIGKILL)


def test_damage_inside_the_journal_is_seen_by_a_deep_look(site: Site) -> None:
    site.write(*(measured_ago(seconds) for seconds in range(3_000)))
    path = site.data / "journal.db"
    assert levels(site.found(records.journal, deep=True)) == [Level.OK, Level.OK]
    data = bytearray(path.read_bytes())
    data[4096 * 25 : 4096 * 26] = b"\xa5" * 4096
    path.write_bytes(data)
    found = site.found(records.journal, deep=True)
    assert found[-1].level is Level.FAULT
    assert f"`sqlite3 {path} .recover`" in found[-1].advice


@pytest.mark.parametrize("content", [b"no database at all" * 300, b""])
def test_a_journal_that_is_none(site: Site, content: bytes) -> None:
    (site.data / "journal.db").write_bytes(content)
    found = site.found(*CHECKS)
    [finding] = [one for one in found if one.what == "journal"]
    assert finding.level is Level.FAULT
    assert not any("cannot be looked at" in one.text for one in found)


def test_damaged_journals_that_were_set_aside(site: Site) -> None:
    path = site.data / "journal-damaged-20261125T090000Z.db"
    path.write_bytes(b"x")
    finding = only(site.found(records.set_aside))
    assert finding.level is Level.FAULT
    assert finding.advice.startswith(f"keep it, have it recovered with `sqlite3 {path} .recover` (docs/journal.md; ")
    assert finding.advice.endswith("), then move it elsewhere")


def sink(through: int, state: str = "forwarding", detail: str = "", too_old: int = 0) -> object:
    return sink_row(SinkRow("influxdb", through, state, detail, time.time_ns(), too_old))


@pytest.fixture
def forwarded(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site whose two commits, of two hours ago and of now, are for an InfluxDB."""
    monkeypatch.setenv("DOCTOR_TOKEN", SECRET)
    site.configure(INFLUXDB.format(url="http://127.0.0.1:1"))
    site.write(measured_ago(7200), measured_ago(7199))
    site.write(measured_ago(1))
    return site


@pytest.mark.usefixtures("running")
def test_a_sink_that_has_everything(forwarded: Site) -> None:
    forwarded.write(rows=[sink(3)])
    assert only(forwarded.found(records.sinks))[:3] == (Level.OK, "sink influxdb", "forwarding, has everything")


@pytest.mark.usefixtures("running")
def test_a_sink_that_is_behind(forwarded: Site) -> None:
    forwarded.write(rows=[sink(1)])
    finding = only(forwarded.found(records.sinks))
    assert finding.level is Level.OK
    assert re.fullmatch(r"forwarding, 2 commits with 1 readings behind, the oldest \d+ seconds old", finding.text)
    forwarded.write(rows=[sink(0, "waiting", "InfluxDB at x: connection refused")])
    finding = only(forwarded.found(records.sinks))
    assert (finding.level, finding.text) == (
        Level.FAULT,
        "waiting (InfluxDB at x: connection refused), 4 commits with 3 readings behind, the oldest 2 hours old",
    )


def test_a_sink_that_is_behind_without_a_station(forwarded: Site) -> None:
    forwarded.write(rows=[sink(0)])
    assert only(forwarded.found(records.sinks)).level is Level.NOTE


def test_a_sink_that_stopped_and_refused_what_is_too_old(forwarded: Site) -> None:
    forwarded.write(rows=[sink(3, "stopped", "the token is refused (401)", too_old=1_234)])
    stopped, too_old = forwarded.found(records.sinks)
    assert (stopped.level, stopped.text) == (Level.FAULT, "stopped (the token is refused (401)), has everything")
    assert (too_old.level, too_old.text) == (Level.NOTE, "refused 1,234 points as older than it keeps any")


@pytest.mark.usefixtures("running")
def test_a_sink_that_was_configured_after_the_station_started(forwarded: Site) -> None:
    assert only(forwarded.found(records.sinks)).level is Level.FAULT


def test_a_sink_that_is_configured_no_more(forwarded: Site) -> None:
    forwarded.write(rows=[sink(1)])
    forwarded.configure()
    assert only(forwarded.found(records.sinks)).level is Level.NOTE


def test_dead_letters(forwarded: Site) -> None:
    assert forwarded.found(records.dead_letters) == []
    refused = [("vitals spo2=1i 1", "field type conflict"), ("vitals spo2=2i 2", "field type conflict")]
    forwarded.write(rows=[*dead_letter_rows("influxdb", [*refused, ("x", "bad line")], 1)])
    finding = only(forwarded.found(records.dead_letters))
    assert finding.level is Level.FAULT
    assert finding.text == "3 lines that influxdb refuses: field type conflict; bad line"


def test_serial_ports(site: Site, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    try:
        site.configure(url=os.ttyname(slave))
        seen, port = site.found(reach.serial_ports)
        assert seen.text.startswith("seen: ")
        assert port == ok("serial ports", f"chair-1/ox: {os.ttyname(slave)} is there")
    finally:
        os.close(master)
        os.close(slave)
    site.configure(url=str(tmp_path / "site.yaml"))
    assert site.found(reach.serial_ports)[1].text.endswith("site.yaml is no serial port")
    site.configure(url="rfc2217://127.0.0.1:1")
    assert len(site.found(reach.serial_ports)) == 1


@pytest.mark.skipif(os.getuid() != 0, reason="needs another user than this one")
def test_a_port_that_the_user_may_not_open(tmp_path: Path) -> None:
    program = """
import os, pathlib
from monitor.doctor.reach import _port_problem
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(_port_problem(pathlib.Path("/dev/port-of-root")) or _port_problem(pathlib.Path("{}")))
"""
    port = tmp_path / "port"
    os.mknod(port, 0o600 | 0o020000, os.makedev(1, 3))
    for folder in [tmp_path, *tmp_path.parents][:4]:
        folder.chmod(folder.stat().st_mode | 0o011)
    done = subprocess.run(
        [sys.executable, "-c", program.replace("/dev/port-of-root", str(port))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "may not be read and written by nobody" in done.stdout, done.stderr
    assert "add the station's user to the group root" in done.stdout


def test_broker(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        site.file.write_text(
            f"data_dir: {site.data}\n"
            "beds:\n"
            f"- {{id: a, devices: [{{id: m, driver: mqtt_json, url: 'mqtt://127.0.0.1:{port}/v/{{bed}}'}}]}}\n"
            f"- {{id: b, devices: [{{id: m, driver: mqtt_json, url: 'mqtt://127.0.0.1:{port}/v/{{bed}}'}}]}}\n"
        )
        assert only(site.found(reach.broker)) == ok("broker", f"127.0.0.1:{port} takes connections")
    finding = only(site.found(reach.broker))
    assert (finding.level, finding.text) == (Level.FAULT, f"127.0.0.1:{port}: Connection refused")
    site.configure(f"mqtt: {{publish_to: 'mqtt://127.0.0.1:{port}/clinic'}}")
    assert only(site.found(reach.broker)) == finding


def test_influxdb(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with Influxd(tmp_path / "influxd") as server:
        monkeypatch.setenv("DOCTOR_TOKEN", server.write_only_token())
        monkeypatch.setenv("DOCTOR_READ", server.read_only_token())
        section = INFLUXDB.format(url=server.url)
        site.configure(section)
        found = site.found(reach.influxdb)
        assert levels(found) == [Level.OK, Level.OK]
        assert found[0].text.startswith(f"{server.url} answers, version v2.")
        assert found[1].text == "the token may write the bucket vitals"
        site.configure(section.replace("}", ", read_token_env: DOCTOR_READ}"))
        assert site.found(reach.influxdb)[2] == ok("influxdb", "the token may read the bucket vitals")
        site.configure(section.replace("}", ", read_token_env: DOCTOR_TOKEN}"))
        assert site.found(reach.influxdb)[2].text == "the token may not read the bucket vitals of clinic (404)"
        site.configure(section.replace("bucket: vitals", "bucket: others"))
        assert only(site.found(reach.influxdb)[1:]).text.startswith("the token may not write the bucket others")
        monkeypatch.setenv("DOCTOR_TOKEN", SECRET)
        site.configure(section)
        refused = site.found(reach.influxdb)[1]
        assert (refused.level, refused.text) == (
            Level.FAULT,
            "the token may not write the bucket vitals of clinic (401)",
        )
        server.freeze()
        monkeypatch.setattr(reach, "_PATIENCE", 0.2)
        frozen = only(site.found(reach.influxdb))
        assert (frozen.level, frozen.text) == (Level.FAULT, f"InfluxDB at {server.url}: no answer for 0.2 s")
        server.thaw()
        assert server.query('from(bucket: "vitals") |> range(start: 0)') == []
        server.kill()
        down = only(site.found(reach.influxdb))
        assert (down.level, down.text) == (Level.FAULT, f"InfluxDB at {server.url}: Connection refused")


def test_no_secret_is_ever_shown(forwarded: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for token in (SECRET, f"{SECRET}\x01\n", f"{SECRET}é"):
        monkeypatch.setenv("DOCTOR_TOKEN", token)
        done = call("doctor", "--config", forwarded.file)
        assert done.returncode == 1
        assert SECRET not in done.stdout + done.stderr
