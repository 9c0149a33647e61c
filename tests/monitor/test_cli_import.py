"""`infusion-monitor import` as its users run it: beside a running station and without one."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from drivers.clock import NS
from drivers.recordings import csv, formats
from drivers.recordings.recording import Recording
from monitor import config_file
from monitor.cli import import_client, import_steps
from monitor.cli.import_steps import Asked
from monitor.cli.main import app
from monitor.review.chart import Chart, build
from monitor.review.source import JournalSource
from monitor.sessions.portions import Portion
from monitor.sessions.session import Session
from monitor.sessions.steps import State
from monitor.storage.history import LATEST, History
from monitor.storage.session_entries import SessionEntries
from tests.conftest import RECORDINGS
from tests.monitor.program import ROOT, RunningStation, Start, call, wait_for

Say = Callable[..., subprocess.CompletedProcess[str]]
FALL = "t,SpO2,PR,SBP,DBP,MBP,Mood\n0,97,60,,,,good\n10,89,61,118,,,\n20,85,,120,80,93,\n30,95,62,120,80,93,\n"
START = "2026-01-05T10:00:00Z"
START_NS = 1_767_607_200 * NS
real = pytest.mark.skipif(not RECORDINGS.exists(), reason=f"no recordings at {RECORDINGS}")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def fall(tmp_path: Path) -> Path:
    path = tmp_path / "Jane's fall.csv"
    path.write_text(FALL)
    return path


@pytest.fixture(params=["station", "alone"])
def say(request: pytest.FixtureRequest, data: Path, start_station: Start) -> Iterator[Say]:
    """`infusion-monitor import ...`, beside a station and without one; the station raises no alert for it."""
    station = start_station(data) if request.param == "station" else None
    yield lambda *args: call("import", *args, "--data-dir", data)
    if station is not None:
        assert {bed["id"] for bed in json.loads(station.get("/api/snapshot"))["beds"]} == {"chair-1", "chair-2"}
        assert "imported" not in station.get("/api/snapshot").decode()
        assert station.stop()[0] == 0


def told(done: subprocess.CompletedProcess[str], code: int = 0) -> dict[str, Any]:
    assert (done.returncode, done.stderr) == (code, ""), done.stdout
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def at_once(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same in this process, which starts faster: for what does not reach a station."""
    done = CliRunner().invoke(app, [*map(str, arguments)])
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def sessions(data: Path) -> list[Session]:
    return [Session(entries) for entries in SessionEntries(data).all()]


def chart_of(data: Path, session: str) -> Chart:
    source = JournalSource(data)
    return build(source, source.session(session), 0)


def assert_same(chart: Chart, recording: Recording) -> None:
    """The chart has exactly the values of the recording, each at its time."""
    assert set(chart.vitals) == set(recording.series)
    for vital, track in chart.vitals.items():
        series = recording.series[vital]
        assert np.array_equal(track.value, series.value, equal_nan=True), vital
        assert np.array_equal(track.validity, series.validity), vital
        # Of two values of one moment the second is kept a nanosecond later.
        assert np.abs(track.at - series.observed_at).max() <= 1, vital
        causes = [series.causes[place] for place in series.cause]
        assert [track.causes[place] for place in track.cause] == causes, vital


def test_a_recording_becomes_a_closed_session(say: Say, data: Path, fall: Path) -> None:
    done = say(fall, "--bed", "archive-1", "--start", START, "--by", "Kim")
    assert done.returncode == 0, done.stderr
    [session] = sessions(data)
    assert session.state is State.CLOSED
    assert session.reference == "Jane-s-fall"
    assert f"archive-1  {session.id}  Jane-s-fall" in done.stdout
    assert "its beginning as it was given" in done.stdout
    assert "spo2                    4 readings" in done.stdout
    assert "not read  Mood" in done.stdout
    assert f"what-if --session {session.id} --profile adult_infusion --data-dir " in done.stdout

    chart = chart_of(data, session.id)
    assert_same(chart, csv.read(fall).shifted(START_NS))
    assert [(it.at - START_NS, it.sys, it.dia, it.provisional) for it in chart.cuff_readings] == [
        (10 * NS, 118, None, True),
        (20 * NS, 120, 80, False),
    ]
    assert (chart.span.since, chart.span.until) == (START_NS, START_NS + 30 * NS + 1000)
    [line] = [row for row in History(data).audit() if row.action == "session note"]
    assert line.actor == "Kim"
    assert f"imported from {fall.name} (SHA-256 {formats.sha256(fall)})" in line.new
    assert list(History(data).alerts(bed="archive-1")) == []
    assert call("verify", "--data-dir", data).returncode == 0
    judged = call("what-if", "--session", session.id, "--profile", "SpO2 < 90", "--data-dir", data, "--json")
    assert json.loads(judged.stdout) == {session.id: {"spo2_low": {"onsets": [10], "ends": [30]}}}


def test_the_same_again_is_there_already(say: Say, data: Path, fall: Path, tmp_path: Path) -> None:
    where = ("--bed", "archive-1", "--start", START)
    first = told(say(fall, *where, "--json"))
    # What counts is what is in it.
    copy = shutil.copy(fall, tmp_path / "copy.csv")
    again = told(say(copy, *where, "--json"), 1)
    assert again["error"] == "refused"
    assert f"is there already: session {first['session']}, archive-1" in again["text"]
    other = told(say(fall, "--bed", "archive-1", "--start", "2026-01-05T10:00:29Z", "--json"), 1)
    assert f"archive-1 was in session {first['session']}" in other["text"]
    assert "import it to another --bed, or say when it began, --start T" in other["text"]
    assert len(sessions(data)) == 1
    later = told(say(fall, "--bed", "archive-1", "--start", "2026-01-05T10:00:31Z", "--json"))
    assert {session.id for session in sessions(data)} == {first["session"], later["session"]}


def test_a_live_bed_keeps_what_is_its_own(start_station: Start, data: Path, fall: Path) -> None:
    """The default configuration's chairs have simulated devices, which measure from the start."""
    station = start_station(data)
    assert call("session", "open", "chair-1", "--reference", "P-1", "--data-dir", data).returncode == 0
    refused = call("import", fall, "--bed", "chair-1", "--data-dir", data)
    assert refused.returncode == 1
    assert "chair-1 was in session" in refused.stderr or "measured on chair-1" in refused.stderr
    [device, *_] = [one.id for one in config_file.load(ROOT / "config.yaml", here=False).beds[0].devices]
    as_live = call("import", fall, "--bed", "chair-1", "--device", device, "--start", START, "--data-dir", data)
    assert (as_live.returncode, f"{device} is a device of chair-1" in as_live.stderr) == (1, True)
    assert len(sessions(data)) == 1
    past = call("import", fall, "--bed", "chair-1", "--start", START, "--data-dir", data)
    assert past.returncode == 0, past.stderr
    assert len(sessions(data)) == 2
    station.stop()


@pytest.mark.parametrize(
    ("text", "arguments", "code", "words"),
    [
        (FALL, ("--start", "2999-01-01T00:00:00Z"), 1, "give its beginning, --start T"),
        (FALL, ("--start", "1960-01-01T00:00:00Z"), 1, "none that a journal can hold"),
        (FALL, ("--start", "soon"), 2, "--start soon"),
        (FALL, ("--device", "Oxi Meter"), 2, "--device Oxi Meter: expected lower-case letters"),
        (FALL, ("--reference", "Jane Doe"), 2, "--reference Jane Doe: expected a pseudonym"),
        (FALL, ("--format", "edf"), 1, "is no EDF file"),
        (FALL, ("--format", "vital"), 1, "is no .vital file"),
        ("t,SpO2\n0,97\n1,high\n", (), 1, ":3: 'high' is no number"),
        (
            "t,SpO2\n" + "".join(f"0,{50 + number / 4}\n" for number in range(101)),
            (),
            1,
            "101 different values of spo2",
        ),
    ],
)
def test_what_cannot_be_imported_is_told_and_nothing_is_written(
    data: Path, tmp_path: Path, text: str, arguments: tuple[str, ...], code: int, words: str
) -> None:
    path = tmp_path / "one.csv"
    path.write_text(text)
    done = at_once("import", path, "--bed", "archive-1", *arguments, "--data-dir", data)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert not data.exists()


def test_wrong_names_and_files(data: Path, fall: Path, tmp_path: Path) -> None:
    wrong_bed = told(at_once("import", fall, "--bed", "Room 1", "--data-dir", data, "--json"), 2)
    assert wrong_bed["text"].startswith("--bed Room 1: expected")
    missing = at_once("import", tmp_path / "no.csv", "--bed", "b", "--data-dir", data)
    assert (missing.returncode, "No such file" in missing.stderr) == (1, True)
    unknown = at_once("import", fall.rename(tmp_path / "fall.xyz"), "--bed", "b", "--data-dir", data)
    assert (unknown.returncode, "say --format" in unknown.stderr) == (1, True)


def test_names_that_no_chart_can_hold(data: Path, tmp_path: Path) -> None:
    path = tmp_path / ("fall\x1b[2J" + 90 * "x" + ".csv")
    path.write_text(FALL.replace("Mood", "\x1b]0;Mood" + 90 * "y"))
    done = told(at_once("import", path, "--bed", "archive-1", "--data-dir", data, "--json"))
    assert done["ignored"] == ["?]0;Mood" + 52 * "y" + "..."]
    assert sessions(data)[0].reference.startswith("fall-2J")


def test_without_times_it_ends_when_it_is_imported(data: Path, fall: Path) -> None:
    first = told(at_once("import", fall, "--bed", "archive-1", "--data-dir", data, "--json"))
    assert first["times"] == "the file has no date: it ends when it was imported"
    [session] = sessions(data)
    assert session.closed_at is not None
    assert 0 < session.entries[-1].entered_at - session.closed_at < 60 * NS
    again = at_once("import", fall, "--bed", "archive-1", "--data-dir", data)
    assert (again.returncode, f"session {session.id}" in again.stderr) == (1, True)


class Stopped(Exception):
    """Stands for a power cut."""


@pytest.mark.parametrize("start", [None, START_NS])
def test_what_was_interrupted_is_open_and_is_finished_by_the_same_command(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: int | None
) -> None:
    rows = [f"{second},{90 + second % 10},{60 + second % 7}" for second in range(6000)]
    path = tmp_path / "long.csv"
    path.write_text("t,SpO2,PR\n" + "\n".join(rows) + "\n")
    station = config_file.load(config_file.default_path(), here=False)
    asked = Asked(path, None, "", "archive-1", "imported", None, start, "Kim")
    now = START_NS + 86_400 * NS
    written: list[Portion] = []

    async def write_one(client: import_client.ImportClient, several: list[Portion]) -> None:
        if written:
            raise Stopped
        written.extend(several[:1])
        await write(client, several[:1])

    write = import_client.ImportClient._write
    monkeypatch.setattr(import_client.ImportClient, "_write", write_one)
    monkeypatch.setattr(import_client, "_TOGETHER", 1)
    with pytest.raises(Stopped):
        import_steps.imported(asked, data, station, now)
    monkeypatch.undo()
    [half] = sessions(data)
    assert half.state is State.CHECK_IN
    assert 0 < sum(len(it.readings.values) for it in History(data).chart("archive-1", 0, LATEST)) < 12_000

    done = import_steps.imported(asked, data, station, now + 3600 * NS)
    assert done["session"] == half.id
    [whole] = sessions(data)
    assert whole.state is State.CLOSED
    assert whole.opened_at == half.opened_at
    assert_same(chart_of(data, whole.id), csv.read(path).shifted(whole.opened_at))


def test_a_station_that_is_killed_and_started_again_meanwhile(data: Path, tmp_path: Path, start_station: Start) -> None:
    rows = [f"{second},{90 + second % 10},{60 + second % 7}" for second in range(100_000)]
    path = tmp_path / "long.csv"
    path.write_text("t,SpO2,PR\n" + "\n".join(rows) + "\n")
    station = start_station(data)
    command = subprocess.Popen(
        [*import_command(path, data)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )
    station_killed_when_half(station, data)
    start_station(data)
    out, err = command.communicate(timeout=120)
    assert command.returncode == 0, err
    told_ = json.loads(out)
    assert told_["readings"] == {"pulse_rate": 100_000, "spo2": 100_000}
    assert_same(chart_of(data, told_["session"]), csv.read(path).shifted(START_NS))


def import_command(path: Path, data: Path) -> list[str]:
    where = ["--bed", "archive-1", "--start", START, "--data-dir", str(data), "--json"]
    return [sys.executable, "-m", "monitor", "import", str(path), *where]


def station_killed_when_half(station: RunningStation, data: Path) -> None:
    def some_are_there() -> bool:
        return any(len(it.readings.values) for it in History(data).chart("archive-1", 0, LATEST))

    wait_for(some_are_there)
    station.stop(signal.SIGKILL)


@real
@pytest.mark.parametrize(
    ("name", "of"),
    [
        *((f"mimic4/mimic4_85594648_{cut}_2h_1hz.csv", "") for cut in ("quiet", "bp", "desat", "gappy")),
        ("uw_hypoxia/uw_100001_1hz.csv", "Radical7"),
        *(
            (f"vital_files/{name}.vital", "")
            for name in ("test_data_demo", "test_intelliue_demo2", "test_intellivue_demo1")
        ),
    ],
)
def test_real_recordings_are_charts_of_exactly_their_values(data: Path, name: str, of: str) -> None:
    path = RECORDINGS / name
    station = config_file.load(config_file.default_path(), here=False)
    recording = formats.reader(path)(path, of)
    start = None if recording.origin else START_NS
    asked = Asked(path, None, of, "archive-1", "imported", None, start, "Kim")
    done = import_steps.imported(asked, data, station, START_NS + 86_400 * NS)
    if start is not None:
        recording = recording.shifted(start - recording.at(recording.began))
    chart = chart_of(data, done["session"])
    assert_same(chart, recording)
    for wave in recording.waveforms:
        runs = History(data).waveforms("archive-1", wave.name, chart.span.since, chart.span.until)
        assert [it.waveform for it in runs] == list(wave.runs(10.0))


@real
def test_what_if_reads_every_format(tmp_path: Path) -> None:
    path = RECORDINGS / "vital_files" / "test_data_demo.vital"
    done = at_once("what-if", "--profile", "SpO2 < 96", "--recording", path, "--json")
    # The monitor shows 95 from the first value on, 2.6 s after its first sample.
    [found] = json.loads(done.stdout).values()
    assert [round(at, 1) for at in found["spo2_low"]["onsets"]] == [2.6]
    assert "columns that are not read: Intellivue/NIBP_HR" in done.stderr


@pytest.mark.parametrize(("name", "extra"), [("wfdb", "wfdb"), ("edf", "edf")])
def test_a_library_that_is_missing_is_named(tmp_path: Path, name: str, extra: str) -> None:
    path = tmp_path / f"one.{'hea' if name == 'wfdb' else 'edf'}"
    path.write_text("one 1 1 4\none.dat 16 1 16 0 0 0 0 HR\n")
    (tmp_path / "one.dat").write_bytes(bytes(8))
    hidden = tmp_path / "hidden"
    for package in ("wfdb", "edfio"):
        (hidden / package).mkdir(parents=True)
        (hidden / package / "__init__.py").write_text("raise ImportError")
    code = f"import sys; sys.path.insert(0, {str(hidden)!r}); from monitor.cli.main import main; main()"
    arguments = ["import", str(path), "--bed", "b", "--data-dir", str(tmp_path / "data")]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 1
    assert f'pip install "infusion-monitor[{extra}]"' in done.stderr
