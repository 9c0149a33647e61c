"""Recordings of real patients and volunteers, through all that is made of a chart: imported, reviewed in a browser,
printed, exported in each format, and read back by other programs."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from playwright.async_api import Browser, expect

from drivers.clock import NS, SystemClock
from drivers.recordings import formats
from monitor import config_file
from monitor.cli import import_steps
from monitor.cli.import_steps import Asked
from monitor.review.chart import Chart, build
from monitor.review.exports.registry import EXPORTERS, export_of
from monitor.review.source import JournalSource
from tests.conftest import RECORDINGS
from tests.monitor.program import Start
from tests.monitor.review import test_export_csv, test_export_edf, test_export_fhir, test_export_hl7, test_export_vital
from tests.monitor.review.recorded_session import readings_of
from tests.monitor.review.report_pages import pages, report
from tests.monitor.review.test_export_wfdb import Wfdb

BED = "archive-1"
BEGINS = 1_780_000_000 * NS
"""When the first of those began that have no times of their own; each of the others a day later."""
DAY = 86_400 * NS
FILES = {
    "quiet": ("mimic4/mimic4_85594648_quiet_2h_1hz.csv", ""),
    "bp": ("mimic4/mimic4_85594648_bp_2h_1hz.csv", ""),
    "desat": ("mimic4/mimic4_85594648_desat_2h_1hz.csv", ""),
    "gappy": ("mimic4/mimic4_85594648_gappy_2h_1hz.csv", ""),
    "hypoxia": ("uw_hypoxia/uw_100001_1hz.csv", "Radical7"),
    "vital-0": ("vital_files/test_data_demo.vital", ""),
    "vital-1": ("vital_files/test_intellivue_demo1.vital", ""),
    "vital-2": ("vital_files/test_intelliue_demo2.vital", ""),
}
"""By the reference of its session: the file, and of one with several devices the one that is taken."""

pytestmark = pytest.mark.skipif(not RECORDINGS.exists(), reason=f"no recordings at {RECORDINGS}")


class Imported(NamedTuple):
    """A journal with a session of each file."""

    data_dir: Path
    sessions: dict[str, str]
    """By reference."""

    def chart(self, reference: str) -> Chart:
        source = JournalSource(self.data_dir)
        return build(source, source.session(self.sessions[reference]), 0)

    def exported(self, reference: str, name: str) -> bytes:
        file = io.BytesIO()
        EXPORTERS[name]().write(export_of(self.chart(reference), "clinic", self.data_dir), file)
        return file.getvalue()


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    data_dir = tmp_path_factory.mktemp("imported")
    station = config_file.load(config_file.default_path(), here=False)
    sessions = {}
    for day, (reference, (name, of)) in enumerate(FILES.items()):
        path = RECORDINGS / name
        start = None if formats.reader(path)(path, of).origin else BEGINS + day * DAY
        asked = Asked(path, None, of, BED, "imported", reference, start, "Kim")
        sessions[reference] = import_steps.imported(asked, data_dir, station, SystemClock.now_ns())["session"]
    return Imported(data_dir, sessions)


@pytest.mark.parametrize("reference", FILES)
def test_each_is_printed_with_its_numbers(imported: Imported, reference: str) -> None:
    chart = imported.chart(reference)
    first, *rest = pages(report(chart))
    assert reference in first
    assert imported.sessions[reference] in first
    everything = " ".join(rest)
    for one in chart.summary.vitals:
        if one.highest is not None:
            assert f"{one.highest.value:.0f}" in everything
        assert f"{one.readings:,}" in everything


@pytest.mark.parametrize("reference", FILES)
@pytest.mark.parametrize("name", EXPORTERS)
def test_each_export_is_read_back_value_for_value(
    imported: Imported, tmp_path: Path, reference: str, name: str
) -> None:
    chart, content = imported.chart(reference), imported.exported(reference, name)
    expected = readings_of(chart)
    path = tmp_path / f"visit{EXPORTERS[name]().suffix}"
    path.write_bytes(content)
    match name:
        case "csv":
            rows = pl.read_csv(content, infer_schema_length=None).to_dicts()
            assert test_export_csv.read_back(rows, chart) == expected
        case "parquet":
            table = pl.read_parquet(path)
            columns = ("vital", "device", pl.col("observed_at").to_physical(), "value", "validity", "cause")
            rows_ = table.select(*columns).rows()
            assert {(it[0], it[1], it[2]): (it[3], it[4], it[5] or "") for it in rows_} == expected
        case "fhir":
            assert test_export_fhir.read_back(test_export_fhir.entries_of(chart)) == expected
        case "hl7":
            found = test_export_hl7.columns(test_export_hl7.messages_of(content.decode()))
            told = {
                (vital, device.partition(".")[2], at, value)
                for vital, several in found.items()
                for at, device, value, _, _ in several
            }
            assert told == {(vital, device, at // 1_000_000, it[0]) for (vital, device, at), it in expected.items()}
        case "edf":
            test_export_edf.Edf(path).found_again(chart)
        case "wfdb":
            Wfdb(tmp_path / "record", content).found_again(chart, tolerance=1e-9)
        case "vital":
            with warnings.catch_warnings():
                # It leaves the closing of the file to the interpreter.
                warnings.simplefilter("ignore", ResourceWarning)
                test_export_vital.found_again(chart, test_export_vital.vitaldb.VitalFile(str(path)))
        case _:
            pytest.fail(f"nobody reads {name} back here")


async def test_each_is_reviewed_in_a_browser(imported: Imported, start_station: Start, browser: Browser) -> None:
    station = start_station(imported.data_dir)
    page = await browser.new_page()
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    await page.goto(f"{station.page}/review")
    for reference in FILES:
        await expect(page.get_by_role("link", name=reference, exact=True)).to_be_visible()
    for reference, session in imported.sessions.items():
        await page.goto(f"{station.page}/review/{session}")
        await expect(page.get_by_role("heading", name=reference, exact=True)).to_be_visible()
        numbers = imported.chart(reference).summary.vitals
        for one in numbers:
            if one.lowest is not None and not math.isnan(one.lowest.value):
                await expect(page.get_by_text(f"{one.readings}", exact=True).first).to_be_visible()
    assert wrong == []
    await page.close()
