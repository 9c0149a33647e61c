"""`infusion-monitor report`, as its users run it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.monitor.program import ROOT, call
from tests.monitor.review.report_pages import pages_of, told


def test_it_writes_a_chart_that_is_there_as_a_whole_or_not_at_all(made_up: Path, tmp_path: Path) -> None:
    file = tmp_path / "chart.pdf"
    options = ("--data-dir", made_up, "--timezone", "Europe/Berlin", "--lang", "de", "--paper", "letter")
    done = call("report", "visit-1", "-o", file, *options)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert "(letter)" in told(file.read_bytes())["Page size"]
    first = pages_of(file.read_bytes())[0]
    assert "Infusionsprotokoll: P-017" in first
    assert "Prüfmarke" in first
    # Nobody said of which site that journal is.
    assert "Standort" not in first
    assert list(tmp_path.iterdir()) == [file]


def test_as_signed_leaves_out_what_came_later(made_up: Path, tmp_path: Path) -> None:
    file = tmp_path / "chart.html"
    assert call("report", "visit-1", "-o", file, "--as-signed", "--data-dir", made_up).returncode == 0
    text = file.read_text(encoding="utf-8")
    assert "THE CHART WAS AMENDED SINCE, by entry no. 24" in text
    assert "late&lt;/b&gt;" not in text


def test_the_site_is_that_of_the_configuration(made_up: Path, tmp_path: Path) -> None:
    file = tmp_path / "chart.html"
    done = call("report", "visit-2", "-o", file, "--data-dir", made_up, "--config", ROOT / "config.yaml")
    assert done.returncode == 0, done.stderr
    assert "demo-clinic" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (("visit-1", "-o", "chart.docx"), 2, "-o chart.docx: expected a name that ends in .pdf or .html"),
        (
            ("visit-1", "-o", "chart.html", "--timezone", "Mars/North"),
            2,
            "--timezone Mars/North: there is no such zone",
        ),
        (
            ("visit-2", "-o", "chart.html", "--as-signed"),
            2,
            "--as-signed: the chart of session visit-2 was never signed",
        ),
        (("visit-3", "-o", "chart.html"), 1, "there is no session visit-3"),
        (("visit-1", "-o", "nowhere/chart.html"), 2, "nowhere/chart.html cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said(
    made_up: Path, tmp_path: Path, args: tuple[str, ...], code: int, text: str
) -> None:
    done = call("report", *args, "--data-dir", made_up, cwd=tmp_path)
    assert done.returncode == code
    assert text in done.stderr
    assert list(tmp_path.iterdir()) == []
