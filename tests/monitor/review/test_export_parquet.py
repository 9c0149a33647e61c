"""The long table, read back by Polars."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import polars as pl
import pytest

from drivers.errors import ExtraMissing
from drivers.vitals import VITALS
from monitor.review import view
from monitor.review.chart import Chart
from monitor.review.exports.parquet import EXPORTER
from monitor.review.exports.registry import export_of
from tests.monitor.review.recorded_session import after, chart_of, readings_of


def exported(chart: Chart) -> io.BytesIO:
    file = io.BytesIO()
    EXPORTER.write(export_of(chart, "clinic", None), file)
    return io.BytesIO(file.getvalue())


@pytest.mark.parametrize("name", ["visit", "real_visit"])
def test_every_reading_is_read_back_value_for_value(name: str, request: pytest.FixtureRequest) -> None:
    chart = request.getfixturevalue(name)
    table = pl.read_parquet(exported(chart))
    rows = table.select("vital", "device", pl.col("observed_at").to_physical(), "value", "validity", "cause").rows()
    found = {(vital, device, at): (value, word, cause or "") for vital, device, at, value, word, cause in rows}
    assert found == readings_of(chart)
    assert len(rows) == len(found)
    assert table["value"].is_nan().sum() == 0


def test_what_belongs_to_a_reading_stands_beside_it(visit: Chart) -> None:
    table = pl.read_parquet(exported(visit))
    assert table.schema["observed_at"] == pl.Datetime("ns", "UTC")
    kinds = table.select("site", "session", "reference", "vital", "unit", "loinc", "mdc").unique()
    assert {row[3:] for row in kinds.rows()} == {
        (key, VITALS[key].unit, VITALS[key].loinc, VITALS[key].mdc) for key in visit.vitals
    }
    assert {row[:3] for row in kinds.rows()} == {("clinic", "visit-1", "P-017")}
    phases = table.filter(vital="heart_rate").group_by("phase").agg(pl.col("observed_at").to_physical().min())
    assert dict(phases.rows()) == {
        "check_in": after(0),
        "baseline": after(60),
        "infusion": after(240),
        "recovery": after(930),
    }
    before = table.filter(pl.col("since_opening") < pl.duration(seconds=0))
    assert before["phase"].to_list() == [None] * 60


def test_the_chart_is_in_the_metadata(visit: Chart) -> None:
    told = pl.read_parquet_metadata(exported(visit))["infusion_monitor.chart"]
    assert json.loads(told) == view.told(visit)


def test_a_session_without_readings_is_an_empty_table(made_up: Path) -> None:
    table = pl.read_parquet(exported(chart_of(made_up, "visit-2")))
    assert (table.height, table.schema["value"]) == (0, pl.Float64())


def test_where_the_library_is_missing_it_says_how_to_have_it(visit: Chart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "monitor.review.exports.parquet_table", raising=False)
    monkeypatch.delattr("monitor.review.exports.parquet_table", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ExtraMissing, match=r'pyarrow is needed for that: pip install "infusion-monitor\[parquet\]"'):
        exported(visit)
