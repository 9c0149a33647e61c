"""The table for spreadsheets, read back by Polars, pandas and the standard library."""

from __future__ import annotations

import csv
import io
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped] # its types are a package of their own
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import NS
from drivers.vitals import VITALS
from monitor.review.chart import Chart
from monitor.review.exports.csv import EXPORTER, guarded
from monitor.review.exports.registry import export_of
from tests.monitor.review.recorded_session import FORMULA, MARKUP, START, after, chart_of, readings_of

_VITAL_OF = {vital.label.replace("₂", "2"): key for key, vital in VITALS.items()}


def exported(chart: Chart) -> bytes:
    file = io.BytesIO()
    EXPORTER.write(export_of(chart, "clinic", None), file)
    return file.getvalue()


def lines(chart: Chart) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(exported(chart).decode("utf-8-sig"), newline="")))


def at(line: dict[str, Any]) -> int:
    """The line's time, from its UTC text: nanoseconds."""
    whole, fraction = line["UTC"].removesuffix("Z").split(".")
    return int(datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()) * NS + int(fraction)


def read_back(rows: list[dict[str, Any]], chart: Chart) -> dict[tuple[str, str, int], tuple[Any, str, str]]:
    """Readings as `readings_of` has them, from a table whose empty cells are None."""
    found = {}
    for column in rows[0]:
        if not (match := re.fullmatch(r"([^_(]+?)(?:_(\w+))? \(.*\)", column)) or match[1] not in _VITAL_OF:
            continue
        vital = _VITAL_OF[match[1]]
        device = match[2] or chart.vitals[vital].devices[0]
        doubts = f"{column.partition(' (')[0]} validity"
        for row in rows:
            doubt = row.get(doubts) or ""
            if row[column] is not None or doubt:
                word, _, cause = doubt.partition(": ")
                found[vital, device, at(row)] = (row[column], word or "valid", cause)
    return found


@pytest.mark.parametrize("name", ["visit", "real_visit"])
def test_every_reading_is_read_back_value_for_value_and_gap_for_gap(name: str, request: pytest.FixtureRequest) -> None:
    chart = request.getfixturevalue(name)
    table = pl.read_csv(exported(chart), infer_schema_length=None)
    assert read_back(table.to_dicts(), chart) == readings_of(chart)


def test_two_devices_of_one_vital_have_a_column_each(visit: Chart) -> None:
    [line] = [line for line in lines(visit) if at(line) == after(900) and line["PR_cuff (/min)"]]
    assert (line["PR_cuff (/min)"], line["PR_oximeter (/min)"]) == ("70.0", "80.0")
    assert "PR_cuff validity" not in line


def test_pandas_reads_numbers_as_numbers_without_options(visit: Chart, tmp_path: Path) -> None:
    file = tmp_path / "visit.csv"
    file.write_bytes(exported(visit))
    table = pd.read_csv(file)
    assert next(iter(table.columns)) == "Local time"
    numbers = [name for name in table.columns if name.endswith(")")]
    assert [name for name in numbers if table[name].dtype != "float64"] == []
    during = table[(table["Phase"] == "infusion") & (table["Infusion"] != "paused")]
    assert during["SpO2 (%)"].min() == 87.0


def test_times_count_from_opening_and_from_the_start_of_the_infusion(visit: Chart) -> None:
    told = {line["t (s)"]: line for line in lines(visit)}
    first, start = told["-300.0"], told["240.0"]
    assert (first["Since infusion start (s)"], first["Phase"]) == ("-540.0", "")
    assert (start["Since infusion start (s)"], start["Phase"], start["Infusion"]) == ("0.0", "infusion", "running")
    assert (told["550.0"]["Infusion"], told["1440.0"]["Phase"]) == ("paused", "recovery")
    local = datetime.fromtimestamp(START // NS).astimezone()
    assert told["0.0"]["Local time"] == f"{local:%Y-%m-%d %H:%M:%S}"
    assert [at(line) for line in lines(visit)] == sorted(at(line) for line in lines(visit))


def test_notes_and_alerts_stand_among_the_readings_in_order_of_time(visit: Chart) -> None:
    events = [line for line in lines(visit) if line["Event"]]
    by_text = {line["Text"]: line for line in events}
    floaty = by_text["feels floaty, anxious"]
    assert (at(floaty), floaty["By"]) == (after(410), "Kim Möller")
    assert floaty["Remark"].startswith("corrected by entry 14; it was ")
    assert "feels floaty, calm\neyes closed" in floaty["Remark"]
    assert by_text["of another patient"]["Remark"].startswith("VOID")
    assert "entered 2026-11-25T08:21:40" in by_text["water given"]["Remark"]
    assert at(by_text[MARKUP]) == after(1200)
    alert = [line["Event"] for line in events if line["Remark"] == "high physiological: spo2_low"]
    assert alert == ["alert on", "alert acknowledged", "alert latched", "alert off"]
    assert by_text["oximeter: lost: unplugged"]["Event"] == "device link"
    assert by_text["audio paused"]["Event"] == "audio paused"


def test_the_file_is_what_a_spreadsheet_expects(visit: Chart) -> None:
    data = exported(visit)
    assert data.startswith(b"\xef\xbb\xbfLocal time,")
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert data.endswith(b"\r\n")
    assert len(set(rows[0])) == len(rows[0])
    assert {(line["Session"], line["Reference"]) for line in lines(visit)} == {("visit-1", "P-017")}


def test_a_session_without_readings_has_its_entries(made_up: Path) -> None:
    [opened] = lines(chart_of(made_up, "visit-2"))
    assert (opened["Event"], opened["Phase"], opened["Since infusion start (s)"]) == ("opened", "check_in", "")


def test_no_text_is_a_formula(visit: Chart) -> None:
    [note] = [line["Text"] for line in lines(visit) if "HYPERLINK" in line["Text"]]
    assert note == f"'{FORMULA}"


@given(st.text() | st.text("'=+-@\t\r\n＝ 1A"))
def test_guarded_text_is_no_formula_and_can_be_had_back(text: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file).writerow([guarded(text)])
    [[read]] = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert read[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"}
    assert (re.sub(r"^'(?='*[=+\-@\t\r\n＝＋－＠])", "", read)) == text
