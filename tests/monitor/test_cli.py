"""The commands and options that others build on, run as their users run them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.clock import SystemClock
from drivers.errors import ConfigError
from drivers.registry import drivers
from monitor import config_file
from monitor.cli import run
from monitor.cli.drivers import markdown_table
from simulators.device_side import check_options
from simulators.endpoint import PtyEndpoint
from tests.conftest import RECORDINGS
from tests.monitor.program import COMMAND, ROOT, Start, call, wait_for


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The journal of a few seconds of the shipped clinic."""
    data = tmp_path_factory.mktemp("recorded") / "data"
    done = call("run", "--for", "5", "--port", "0", "--data-dir", data, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("The page is at http://127.0.0.1:")
    assert lines[0].endswith(f"the journal is {data}/journal.db")
    return data


def test_help_names_every_command() -> None:
    text = call("--help").stdout
    commands = ("run", "check", "drivers", "decode", "simulate", "readings", "alerts", "verify", "backup", "doctor")
    for command in (*commands, "influxdb"):
        assert command in text


def test_readings_are_in_order_of_time_and_can_be_chosen(recorded: Path) -> None:
    rows = [json.loads(line) for line in call("readings", "--data-dir", recorded, "--json").stdout.splitlines()]
    assert {row["bed"] for row in rows} == {"chair-1", "chair-2"}
    assert {row["vital"] for row in rows} >= {"pulse_rate", "spo2", "nibp_sys", "nibp_dia", "nibp_mean", "heart_rate"}
    assert [row["observed_at"] for row in rows] == sorted(row["observed_at"] for row in rows)
    assert all(row["validity"] == "valid" for row in rows)
    chosen = call("readings", "--data-dir", recorded, "--json", "--bed", "chair-1", "--vital", "spo2").stdout
    picked = [json.loads(line) for line in chosen.splitlines()]
    assert {(row["bed"], row["vital"], row["unit"]) for row in picked} == {("chair-1", "spo2", "%")}
    later = call("readings", "--data-dir", recorded, "--json", "--since", rows[-1]["observed_at"]).stdout
    assert 1 <= len(later.splitlines()) < len(rows)
    assert call("readings", "--data-dir", recorded, "--since", "1d").stdout.count("\n") == len(rows)
    assert call("readings", "--data-dir", recorded, "--since", "2999-01-01T00:00:00Z").stdout == ""
    last = rows[-1]["observed_at"]
    assert len(later.splitlines()) == len([row for row in rows if row["observed_at"] == last])


@pytest.mark.parametrize(
    ("since", "zone", "found"),
    [
        ("99999999999999d", "UTC", "everything"),
        ("9" * 400 + "d", "UTC", "everything"),
        ("0001-01-01", "Pacific/Kiritimati", "everything"),
        ("0001-01-01T00:00:00+14:00", "UTC", "everything"),
        ("9999-12-31T23:59:59Z", "UTC", "nothing"),
        ("9999-12-31T23:59:59", "Pacific/Pago_Pago", "nothing"),
    ],
)
def test_since_may_be_long_ago_or_far_ahead(
    recorded: Path, since: str, zone: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", zone)
    for what in ("readings", "alerts"):
        done = call(what, "--data-dir", recorded, "--since", since)
        assert (done.returncode, done.stderr) == (0, "")
        expected = call(what, "--data-dir", recorded).stdout if found == "everything" else ""
        assert done.stdout == expected


def test_readings_for_people_are_one_line_each(recorded: Path) -> None:
    text = call("readings", "--data-dir", recorded, "--vital", "nibp_sys", "--bed", "chair-1").stdout
    assert text.count("\n") == 1
    assert "chair-1  cuff  nibp_sys" in text


def test_questions_that_make_no_sense_are_refused(recorded: Path, tmp_path: Path) -> None:
    for args in (["--vital", "mood"], ["--since", "yesterday"]):
        done = call("readings", "--data-dir", recorded, *args)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
    done = call("alerts", "--data-dir", tmp_path)
    assert done.returncode == 1
    assert "there is no journal" in done.stderr


def test_a_reader_that_stops_reading_is_no_error(recorded: Path) -> None:
    reading = subprocess.Popen(
        [*COMMAND, "readings", "--data-dir", str(recorded)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert reading.stdout is not None
    assert reading.stderr is not None
    reading.stdout.readline()
    reading.stdout.close()
    assert reading.stderr.read() == b""
    reading.stderr.close()
    reading.wait(30)


def test_readings_and_alerts_are_read_beside_a_running_station(tmp_path: Path, start_station: Start) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("beds: [{id: chair-1, devices: [{id: ox, driver: nonin, url: /dev/no-such-port}]}]\n")
    station = start_station(tmp_path / "data", "--config", site)
    wait_for(lambda: call("alerts", "--data-dir", tmp_path / "data").stdout)
    rows = call("alerts", "--data-dir", tmp_path / "data", "--json").stdout.splitlines()
    # The station's own, that nobody looks at its page, may come before it is asked.
    (row,) = [row for row in map(json.loads, rows) if row["bed"]]
    assert (row["bed"], row["rule"], row["kind"], row["state"]) == ("chair-1", "device_lost_ox", "technical", "on")
    assert call("alerts", "--data-dir", tmp_path / "data", "--bed", "chair-9").stdout == ""
    assert station.stop()[0] == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_station_with_everything_committed(tmp_path: Path, number: int, start_station: Start) -> None:
    station = start_station(tmp_path / "data")
    wait_for(lambda: b"fresh" in station.get("/api/snapshot"))
    assert b"<html" in station.get("/")
    code, said = station.stop(number)
    assert code == 0, said
    assert "Traceback" not in said
    assert call("readings", "--data-dir", tmp_path / "data").stdout


def test_a_second_copy_on_the_same_journal_is_refused_with_a_clear_error(tmp_path: Path, start_station: Start) -> None:
    station = start_station(tmp_path / "data")
    second = call("run", "--port", "0", "--data-dir", tmp_path / "data", cwd=ROOT)
    assert second.returncode == 1
    assert str(station.process.pid) in second.stderr
    assert "Traceback" not in second.stderr
    assert station.process.poll() is None
    station.stop()


def test_a_taken_port_is_refused_with_a_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = call("run", "--port", str(port), "--data-dir", tmp_path / "data", cwd=ROOT)
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_json_logs_are_one_object_a_line(tmp_path: Path) -> None:
    done = call("run", "--for", "3", "--port", "0", "--data-dir", tmp_path, "--log-format", "json", cwd=ROOT)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {"chair-1/oximeter: receiving", "chair-2/monitor: receiving"} <= {line["event"] for line in lines}
    assert all(line["level"] and line["timestamp"] for line in lines)


def test_check_says_ok_and_what_would_run() -> None:
    done = call("check", ROOT / "config.yaml")
    assert done.returncode == 0
    assert done.stdout.startswith("ok\n")
    assert "chair-1 (Chair 1): oximeter: nonin on simulated" in done.stdout
    assert re.search(
        r"profile adult_infusion \(Adult infusion\): \d+ rules, in force\n +TO BE SET BY THE RESPONSIBLE CLINICIAN\n",
        done.stdout,
    )


def test_check_takes_a_profile_alone_and_with_its_site(tmp_path: Path) -> None:
    profile, site = tmp_path / "ours.yaml", tmp_path / "site.yaml"
    profile.write_text("profile: ours\ntitle: Ours\nrules:\n  spo2_low: SpO2 < 90 for 10 s, clears at 92, high\n")
    done = call("check", profile)
    assert (done.returncode, done.stdout) == (0, "ok\n  profile ours (Ours): 1 rule\n")
    site.write_text(
        "beds: [{id: a, devices: [{id: o, driver: nonin, url: simulated}]}]\n"
        "alerts: {profile: ours, profiles: [ours.yaml]}\n"
    )
    done = call("check", site)
    assert "  profile ours (Ours): 1 rule, in force\n" in done.stdout
    assert re.search(r"profile adult_infusion .* rules\n", done.stdout)
    profile.write_text("profile: ours\nrules:\n  spo2_low: SpO2 < 9\n")
    for file in (profile, site):
        done = call("check", file)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"{profile}:3: rules.spo2_low.below: 9 % is outside what spo2 can be, 20 to 100")


def test_check_names_every_fault_and_exits_with_2(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "beds:\n"
        "  - id: chair-1\n"
        "    label: no\n"
        "    simulated_patient: {scenario: infusion}\n"
        "    devices: [{id: ox, driver: nonim, url: simulated}]\n"
    )
    done = call("check", site)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(": ")[:2] for line in done.stderr.splitlines()] == [
        [f"{site}:3", "beds[0].label"],
        [f"{site}:5", "beds[0].devices[0].driver"],
    ]
    assert call("run", "--config", site, "--data-dir", tmp_path / "data").returncode == 2
    assert not (tmp_path / "data").exists()


def test_check_knows_the_scenarios(tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(
        "beds:\n"
        "  - id: a\n"
        "    simulated_patient: {scenario: nap}\n"
        "    devices: [{id: o, driver: nonin, url: simulated}]\n"
    )
    done = call("check", site)
    assert done.returncode == 2
    assert done.stderr.startswith(f"{site}:3: beds[0].simulated_patient.scenario: there is no scenario 'nap'")


def test_drivers_in_all_three_forms() -> None:
    described = json.loads(call("drivers", "--json").stdout)
    assert [one["name"] for one in described] == list(drivers())
    for one in described:
        assert {"devices", "transports", "vitals", "confidence", "requests"} <= set(one)
    assert call("drivers", "--markdown").stdout.strip() == markdown_table()
    text = call("drivers").stdout
    for name in drivers():
        assert f"{name}: " in text


def test_the_readmes_table_of_drivers_is_the_generated_one() -> None:
    assert markdown_table() in (ROOT / "README.md").read_text(encoding="utf-8")


def test_decode_of_the_ivy_capture() -> None:
    capture = RECORDINGS / "dev_ivy450c" / "Ivy450C.1.data"
    if not capture.exists():
        pytest.skip(f"no recordings at {RECORDINGS}")
    lines = [json.loads(line) for line in call("decode", "ivy450c", capture).stdout.splitlines()]
    readings = [line for line in lines if line["kind"] == "reading"]
    values = {vital: [r["value"] for r in readings if r["vital"] == vital] for vital in {r["vital"] for r in readings}}
    assert values["heart_rate"] == values["pulse_rate"] == [80] * 28
    assert values["spo2"] == [100] * 28
    assert [values[f"nibp_{part}"] for part in ("sys", "dia", "mean")] == [[121], [75], [92]]
    assert {"kind", "vital", "value", "unit", "validity", "observed_at"} <= set(readings[0])
    assert lines[-1] == {"kind": "summary", "bytes": 15426, "frames": 28, "rejected": 0}


def test_decode_of_hex_text_with_an_option(tmp_path: Path) -> None:
    capture = tmp_path / "frames.hex"
    capture.write_text("81 02 61 20\n81 02 61 20\n81 02 61 20\n")
    done = call("decode", "nonin", capture, "--hex", "--option", "format=8")
    first, *_, summary = [json.loads(line) for line in done.stdout.splitlines()]
    assert (first["vital"], first["value"], first["unit"]) == ("pulse_rate", 130, "/min")
    assert summary == {"kind": "summary", "bytes": 12, "frames": 3, "rejected": 0}


def test_decode_of_messages_takes_a_line_for_each(tmp_path: Path) -> None:
    capture = tmp_path / "messages.jsonl"
    capture.write_text(
        '{"time":"2026-01-25T09:00:00Z","spo2":97}\nrubbish\n{"time":"2026-01-25T09:00:01Z","spo2":98}\n'
    )
    lines = [json.loads(line) for line in call("decode", "mqtt_json", capture).stdout.splitlines()]
    assert [(line["value"], line["observed_at"]) for line in lines if line["kind"] == "reading"] == [
        (97, "2026-01-25T09:00:00.000000Z"),
        (98, "2026-01-25T09:00:01.000000Z"),
    ]
    assert (lines[-1]["frames"], lines[-1]["rejected"]) == (2, 1)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["decode", "nonim", "x"], 1),
        (["decode", "nonin", "no-such-file"], 1),
        (["decode", "nonin", "pyproject.toml", "--hex"], 1),
        (["decode", "nonin", "pyproject.toml", "--option", "format=9"], 2),
        (["decode", "nonin", "pyproject.toml", "--option", "format"], 2),
        (["simulate", "nonim"], 1),
        (["simulate", "nonin", "--scenario", "nap"], 2),
        (["simulate", "nonin", "--tcp", "nowhere"], 2),
        (["simulate", "nonin", "--tcp", "127.0.0.1:0", "--serial-link", "x"], 2),
        (["simulate", "nonin", "--tcp", "127.0.0.1:99999"], 2),
        (["simulate", "nonin", "--tcp", "a" * 100 + ":1"], 1),
        (["simulate", "nonin", "--serial-link", "/nonexist/a"], 2),
        (["simulate", "nonin", "--serial-link", ""], 2),
        (["simulate", "mqtt_json", "--mqtt", "mqtt://127.0.0.1:1x/a"], 2),
        (["simulate", "mqtt_json", "--mqtt", "mqtt://127.0.0.1"], 2),
        (["simulate", "mqtt_json", "--mqtt", "mqtt://127.0.0.1/"], 2),
        (["simulate", "mqtt_json", "--mqtt", "mqtt://127.0.0.1/a/+"], 2),
        (["simulate", "mqtt_json", "--mqtt", "mqtt://127.0.0.1/a/#"], 2),
        (["simulate", "mqtt_json", "--mqtt", "mqtt://127.0.0.1/a/%23"], 2),
        (["simulate", "mqtt_json", "--mqtt", "/dev/ttyUSB0"], 2),
        (["simulate", "nonin", "--option", "format=99"], 2),
        (["simulate", "nonin", "--option", "format"], 2),
        (["simulate", "nonin", "--option", "x=y"], 2),
        (["simulate", "nonin", "--option", "patient=y"], 2),
        (["simulate", "dinamap", "--option", "oximeter=perhaps"], 2),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(args: list[str], code: int) -> None:
    done = call(*args, cwd=ROOT)
    assert done.returncode == code
    assert done.stderr.count("\n") == 1, done.stderr


def test_a_simulated_device_on_a_taken_port_is_refused_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = call("simulate", "nonin", "--tcp", f"127.0.0.1:{taken.getsockname()[1]}")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "address already in use" in done.stderr


def test_a_file_in_the_place_of_a_link_is_left_alone(tmp_path: Path) -> None:
    for name in ("kept", "other.new"):
        (tmp_path / name).write_text("mine")
        link = tmp_path / name.removesuffix(".new")
        done = call("simulate", "nonin", "--serial-link", link, "--for", "0.1")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"--serial-link {link}: {tmp_path / name} exists and is no symbolic link\n"
        assert (tmp_path / name).read_text() == "mine"


def test_options_of_the_driver_and_of_its_simulated_device_are_taken() -> None:
    assert check_options("nonin", {"format": "8"}) == {"format": "8"}
    assert check_options("dinamap", {"oximeter": "false"}) == {"oximeter": False}
    assert check_options("mqtt_json", {"time": "ts", "start_ns": "5"}) == {"time": "ts", "start_ns": 5}
    with pytest.raises(ConfigError) as caught:
        check_options("nonin", {"format": "99", "x": "y"})
    assert [fault.split(":")[0] for fault in caught.value.faults] == ["--option format", "--option x"]
    assert "there are: format" in caught.value.faults[1]


async def test_a_simulated_device_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def serve(_: PtyEndpoint) -> None:
        raise OSError("the patient has left")

    monkeypatch.setattr(PtyEndpoint, "serve", serve)
    await run._serve(config_file.load(config_file.default_path()), SystemClock(), tmp_path / "data", 0, 0.5)
    told = [record for record in caplog.records if record.name == "monitor.cli.run"]
    assert [record.getMessage() for record in told] == [
        f"{name}: the simulated device failed" for name in ("chair-1/oximeter", "chair-1/cuff", "chair-2/monitor")
    ]
    assert all(record.exc_info for record in told)


def test_a_simulated_device_on_its_own_is_recorded_through_its_link(tmp_path: Path, start_station: Start) -> None:
    link = tmp_path / "monitor"
    side = subprocess.Popen(
        [*COMMAND, "simulate", "ivy450c", "--serial-link", str(link), "--seed", "4", "--for", "60"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert side.stdout is not None
    assert side.stdout.readline().strip() == str(link)
    assert os.path.realpath(link).startswith("/dev/")
    site = tmp_path / "site.yaml"
    site.write_text(f"beds: [{{id: chair-1, devices: [{{id: m, driver: ivy450c, url: {link}}}]}}]\n")
    station = start_station(tmp_path / "data", "--config", site)
    wait_for(lambda: "heart_rate" in call("readings", "--data-dir", tmp_path / "data").stdout)
    station.stop()
    side.send_signal(signal.SIGTERM)
    side.communicate(timeout=30)
    assert side.returncode == 0
    assert not link.is_symlink()


def test_a_simulated_device_behind_a_tcp_port(tmp_path: Path, start_station: Start) -> None:
    side = subprocess.Popen(
        [*COMMAND, "simulate", "nonin", "--tcp", "127.0.0.1:0", "--option", "format=8"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert side.stdout is not None
    address = side.stdout.readline().strip()
    site = tmp_path / "site.yaml"
    site.write_text(f"beds: [{{id: chair-1, devices: [{{id: ox, driver: nonin, url: '{address}'}}]}}]\n")
    station = start_station(tmp_path / "data", "--config", site)
    wait_for(lambda: "spo2" in call("readings", "--data-dir", tmp_path / "data").stdout)
    station.stop()
    side.terminate()
    side.communicate(timeout=30)


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "monitor", "--help"], capture_output=True, check=True, cwd=ROOT)
    assert b"infusion-monitor" in done.stdout
