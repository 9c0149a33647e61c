"""`infusion-monitor what-if` as its users run it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from drivers.clock import NS
from drivers.events import Reading, Validity
from monitor.alerts import profile_file
from monitor.alerts.replay import replay
from monitor.alerts.what_if import judge
from monitor.cli import what_if_sessions
from monitor.sessions.settings import SessionsConfig
from monitor.storage.history import History
from monitor.storage.journal import Journal
from tests.monitor.program import call
from tests.monitor.sessions.helpers import START, chart

FALL = "t,SpO2,Mood\n0,97,good\n10,89,\n20,85,\n30,95,\n40,87,\n50,86,\n"
VISIT = [("baseline", 5), ("start", 10), ("stop", 50), ("recovery", 51), ("close", 60)]


@pytest.fixture
def fall(tmp_path: Path) -> Path:
    path = tmp_path / "fall.csv"
    path.write_text(FALL)
    return path


@pytest.fixture
async def journal(tmp_path: Path) -> Path:
    """Of one visit: a cuff reading each 5 min until minute 30, an oximeter each 10 s, 20 s behind, low in minute 40."""
    folder = tmp_path / "data"
    journal = Journal(folder, commit_every=0.001)
    journal.open()
    journal.record_entries(chart(*VISIT).entries)
    readings = []
    for second in range(0, 3600, 10):
        at = START + second * NS
        low = 2400 <= second < 2460
        readings.append(Reading("spo2", 85.0 if low else 97.0, Validity.VALID, at - 20 * NS, at))
        if second % 300 == 60 and second < 1800:
            sys = 150.0 if second > 900 else 120.0
            readings.append(Reading("nibp_sys", sys, Validity.VALID, at - 20 * NS, at, "", 0.0, True))
    journal.record("chair-1", "oximeter", readings)
    await journal.close()
    return folder


def test_onsets_and_ends_of_a_file_as_json(fall: Path) -> None:
    done = call("what-if", "--profile", "SpO2 < 90, clears at 92", "--recording", fall, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {str(fall): {"spo2_low": {"onsets": [10, 40], "ends": [30]}}}
    assert done.stderr.splitlines() == [f"{fall}: columns that are not read: Mood"]


def test_what_another_profile_would_change(fall: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("profile: other\nrules:\n  spo2_low: SpO2 < 86, clears at 92, high\n  pr_high: PR > 120\n")
    args = ("what-if", "--profile", "SpO2 < 90, clears at 92", "--against", other, "--recording", fall)
    done = call(*args, "--json")
    assert json.loads(done.stdout) == {
        "profile": {str(fall): {"spo2_low": {"onsets": [10, 40], "ends": [30]}}},
        "against": {str(fall): {"spo2_low": {"onsets": [20], "ends": [30]}, "pr_high": {"onsets": [], "ends": []}}},
    }
    text = call(*args).stdout
    assert "Not judged: devices that are lost" in text
    # 50 s are 1/72 h.
    assert "spo2_low                     medium         2    144.00   0:00:30   0:00:20" in text
    assert "spo2_low                     high           1     72.00   0:00:10   0:00:10" in text
    assert "never on: pr_high" in text
    assert f"  - gone in {fall}, s: 10, 40" in text
    assert f"  + new in {fall}, s: 20" in text


def test_a_session_with_its_phases_and_its_own_baseline(journal: Path, tmp_path: Path) -> None:
    profile = tmp_path / "visit.yaml"
    profile.write_text(
        "profile: visit\n"
        "rules:\n"
        "  risen: {vital: nibp_sys, above: {infusion: +20 %}}\n"
        "  low: {vital: spo2, below: 90, phases: [infusion]}\n"
        "  low_later: {vital: spo2, below: 90, phases: [recovery]}\n"
        "  overdue: {overdue: nibp_sys, grace: 120}\n"
        "  stale: {stale_after: 15}\n"
    )
    done = call("what-if", "--profile", profile, "--all", "--json", "--data-dir", journal)
    assert done.returncode == 0, done.stderr
    [found] = json.loads(done.stdout).values()
    assert found == {
        # When they were measured, by a clock that is 20 s behind.
        "risen": {"onsets": [940], "ends": [3060]},
        "low": {"onsets": [2380], "ends": [2440]},
        "low_later": {"onsets": [], "ends": []},
        # The last reading came at 1560; 5 min in the infusion and 2 more, and 15 and 2 in recovery.
        "overdue": {"onsets": [1980], "ends": [3060]},
        "stale_spo2": {"onsets": [], "ends": []},
    }
    assert "risen" in call("what-if", "--profile", profile, "--session", "s1", "--data-dir", journal).stdout


def test_a_session_of_the_journal_gives_the_same_as_the_engine(journal: Path) -> None:
    [session] = what_if_sessions.sessions_of(journal, None)
    recording, visits = what_if_sessions.recorded(History(journal), session, SessionsConfig())
    profile = profile_file.shipped("adult_infusion").compiled()
    changes = judge(profile, recording, visits)
    assert {"spo2_very_low", "nibp_sys_high", "cuff_overdue"} <= {it.rule for it in changes}
    replayed = replay(profile, recording, visits)
    assert sorted(changes, key=lambda it: (it.rule, it.at)) == sorted(replayed, key=lambda it: (it.rule, it.at))


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        ((), 2, "expected one of --session, --all and --recording"),
        (("--all", "--recording", "x.csv"), 2, "expected one of --session, --all and --recording"),
        (("--all", "x.csv"), 2, "--all is every session: x.csv is too much"),
        (("--recording", "no-such.csv"), 1, "no-such.csv: No such file"),
        (("--session", "s9"), 2, "--session s9: there is no such session"),
    ],
)
def test_wrong_use_is_told(journal: Path, args: tuple[str, ...], code: int, words: str) -> None:
    done = call("what-if", "--profile", "SpO2 < 90", *args, "--data-dir", journal)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_a_profile_that_is_none_is_told(fall: Path) -> None:
    done = call("what-if", "--profile", "no-such", "--recording", fall)
    assert done.returncode == 2
    assert "no-such: there is no such file, and no such shipped profile" in done.stderr


def test_a_shell_gives_many_files_after_one_option(fall: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.csv"
    second.write_text(fall.read_text())
    done = call("what-if", "--profile", "SpO2 < 90, clears at 92", "--recording", fall, second, "--json")
    assert done.returncode == 0, done.stderr
    assert list(json.loads(done.stdout)) == [str(fall), str(second)]
