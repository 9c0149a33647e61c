"""`infusion-monitor summary`: a line per session, for people, spreadsheets and programs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from tests.monitor.program import call
from tests.monitor.review import recorded_session
from tests.monitor.review.recorded_session import chart_of

NOVEMBER = ("--since", "2026-11-01", "--until", "2026-12-01")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded_session.made_up(tmp_path_factory.mktemp("made_up"))


def test_programs_get_the_numbers_of_the_chart(folder: Path) -> None:
    said = call("summary", *NOVEMBER, "--json", "--data-dir", folder)
    visit, empty = map(json.loads, said.stdout.splitlines())
    numbers = chart_of(folder).summary
    spo2 = numbers.vital("spo2")
    assert spo2 is not None
    assert spo2.lowest is not None
    assert visit == {
        "session": "visit-1",
        "reference": "P-017",
        "bed": "chair-2",
        "opened_at": "2026-11-25T08:00:00.000000Z",
        "infusion_min": 10.5,
        "spo2_lowest": spo2.lowest.value,
        "spo2_lowest_at": "2026-11-25T08:06:41.000000Z",
        "spo2_below_90_min": 1.0,
        "systolic_highest": 146.0,
        "systolic_rise": None,
        "rate_highest": 80.0,
        "spo2_coverage_percent": 82.6,
        "rate_coverage_percent": 82.8,
        "longest_gap_min": 5.0,
        "alerts_high": 1,
        "alerts_medium": 1,
        "alerts_low": 1,
        "alerts_min": round(sum(one.seconds for one in numbers.alerts) / 60, 1),
        "status": "amended",
    }
    assert (empty["status"], empty["spo2_lowest"], empty["infusion_min"]) == ("open", None, 0.0)


def test_a_spreadsheet_gets_one_line_a_session(folder: Path) -> None:
    said = call("summary", *NOVEMBER, "--csv", "--data-dir", folder).stdout
    assert said.startswith("\ufeffSession,")
    visit, empty = csv.DictReader(io.StringIO(said.removeprefix("\ufeff")))
    assert (visit["SpO2 lowest (%)"], visit["Alerts high"], visit["Chart"]) == ("87", "1", "amended")
    assert empty["SpO2 lowest (%)"] == ""


def test_people_get_an_aligned_table(folder: Path) -> None:
    said = call("summary", *NOVEMBER, "--bed", "chair-1", "--data-dir", folder).stdout
    header, visit = said.splitlines()
    assert visit.startswith("visit-1  P-017      chair-2  ")
    # Words begin, and numbers end, where their heading does.
    assert visit[header.index("Chart") :] == "amended"
    assert visit[: header.index("SpO2 min") + len("SpO2 min")].endswith(" 87")


def test_none_and_both_forms_at_once(folder: Path) -> None:
    said = call("summary", "--since", "2027-01-01", "--data-dir", folder)
    assert (said.returncode, said.stdout) == (0, "There is no session.\n")
    said = call("summary", *NOVEMBER, "--csv", "--json", "--data-dir", folder)
    assert (said.returncode, said.stderr) == (2, "expected --csv or --json, not both\n")
