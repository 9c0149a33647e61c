"""The report as PDF: what is on its pages, that it is the same each time, and that any text can be printed."""

from __future__ import annotations

import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from drivers.errors import ExportRefused, ExtraMissing
from monitor.alerts.conditions import AlertState
from monitor.review.chart import Chart, build
from monitor.review.report import pdf
from monitor.review.source import JournalSource
from monitor.sessions.entries import Kind
from tests.monitor.review.made import Record
from tests.monitor.review.recorded_session import FORMULA, after
from tests.monitor.review.report_pages import MARK, fonts, pages, pages_of, report, told
from tests.monitor.sessions.helpers import chart

VISIT = (("baseline", 1), ("start", 10), ("stop", 50), ("recovery", 51), ("close", 60))


def printed(session_chart: Chart) -> str:
    """All pages as one text."""
    return " ".join(pages(report(session_chart)))


def test_the_same_chart_gives_the_same_bytes(visit: Chart, made_up: Path) -> None:
    source = JournalSource(made_up)
    again = build(source, source.session("visit-1"), after(9e6))
    assert pdf.render(report(visit)) == pdf.render(report(again))


def test_a_real_session_says_its_numbers(real_visit: Chart) -> None:
    first, *rest = pages(report(real_visit))
    for text in ("P-020", "demo-clinic", "chair-1", "November 25, 2026, 09:00:00", "Europe/Berlin (UTC+01:00)"):
        assert text in first
    assert "NOT SIGNED" in first
    assert "ran 40:00 min; planned 40 min" in first
    spo2, sys = real_visit.summary.vital("spo2"), real_visit.summary.vital("nibp_sys")
    assert spo2 is not None
    assert spo2.lowest is not None
    assert sys is not None
    assert sys.highest is not None
    assert f"Lowest SpO₂ {spo2.lowest.value:g} % (" in first
    assert f"Highest NIBP sys {sys.highest.value:g} mmHg (" in first
    # The drawing, in text that can be looked for.
    for text in ("Baseline Infusion Recovery", "mmHg", "09:30", "sys > 180", "HR: Heart rate", "min from start"):
        assert text in first
    assert f"of {1 + len(rest)}" in first
    assert all(f"Page {number} of {1 + len(rest)}" in page for number, page in enumerate((first, *rest), 1))
    assert all(
        f"P-020 · session real infusion-monitor 0.1.0 · record mark {MARK}" in _foot(it) for it in (first, *rest)
    )
    assert f"infusion-monitor verify --head {MARK}" in rest[-1]
    assert "Records and alerts only" in rest[-1]


def test_a_file_is_tagged_titled_and_brings_its_fonts(real_visit: Chart) -> None:
    made = pdf.render(report(real_visit))
    said = told(made)
    assert said["Title"] == "Infusion chart: P-020"
    assert said["Tagged"] == "yes"
    assert "(A4)" in said["Page size"]
    assert "(letter)" in told(pdf.render(report(real_visit, paper="letter")))["Page size"]
    assert b"pdfuaid:part" in made
    assert b"pdfaid:part" in made
    assert b"/Lang(de)/StructTreeRoot" in pdf.render(report(real_visit, language="de"))
    assert all(line[-5] == "yes" for line in fonts(made))


def test_values_stand_at_full_five_minutes_and_none_is_held() -> None:
    record = Record().measured("spo2", range(600), 97).measured("spo2", range(1500, 1801), 96.5)
    record.measured("nibp_sys", [540], 121).measured("nibp_dia", [540], 80).measured("nibp_mean", [540], 94)
    text = printed(record.chart(chart(*VISIT).session))
    # The test's clinic is an hour east of UTC. Ten seconds after the last value it is none any more.
    rows = ("01:00 97.0 --", "01:05 97.0 --", "01:10 97.0 121/80/94", "01:15 -- --", "01:20 -- --", "01:25 96.5 --")
    assert " ".join((*rows, "01:30 96.5 --", "01:35 -- --")) in text


def test_alerts_are_told_with_their_whole_life(visit: Chart) -> None:
    text = printed(visit)
    assert "1 09:06:50 high SpO₂ 87 < 90 87 % 90 % 09:07:05 09:07:45 55 s" in text
    assert "shown until 09:08:00" in text
    assert "2 09:10:10 low SpO₂: no value for 10 s -- -- -- 09:11:01 51 s technical" in text
    assert "3 09:20:00 medium NIBP sys 146 > 140 146 mmHg 140 mmHg -- stood at the end 4:00 min" in text
    assert "09:07:10 audio paused Kim Möller" in text


def test_entries_are_told_with_what_was_written_first(visit: Chart) -> None:
    text = printed(visit)
    assert "8 09:06:50 note feels floaty, anxious Kim Möller" in text
    assert "corrected by entry no. 14; first written: feels floaty, calm eyes closed" in text
    assert "15 09:09:50 note of another patient Kim Möller VOID, by entry no. 16" in text
    assert "20 09:18:20 note water given Kim Möller LATE by 3:20 min: entered 09:21:40" in text
    assert "Fasted for 4 h skipped: emergency Kim Möller 09:00:25" in text
    assert "SpO₂ as at baseline met 96 %" in text
    assert FORMULA in text
    assert "09:00:05 its clock is 83 s behind" in text


def test_an_amended_chart_says_so_and_the_signed_one_can_still_be_had(visit: Chart, made_up: Path) -> None:
    first, *rest = pages(report(visit))
    assert "Signed by Dr. Lee, November 25, 2026, 09:34:00, through entry 22." in first
    assert "AMENDED SINCE THE SIGNATURE, by entry no. 24." in first
    assert " ".join(rest).count("ENTERED AFTER THE SIGNATURE") == 1
    session = visit.session.as_signed()
    assert session is not None
    signed = build(JournalSource(made_up), session, 0)
    first, *rest = pages(report(visit, signed))
    assert "This is the version that was signed. THE CHART WAS AMENDED SINCE, by entry no. 24." in first
    assert "ENTERED AFTER" not in " ".join(rest)
    assert "<b>late</b>" not in " ".join(rest)
    assert "of the chart as it stands" in " ".join(rest)


def test_a_chart_that_is_signed_as_it_stands_says_only_that(visit: Chart, made_up: Path) -> None:
    session = visit.session.as_signed()
    assert session is not None
    first = pages(report(build(JournalSource(made_up), session, 0)))[0]
    assert "Signed by Dr. Lee" in first
    assert "AMENDED" not in first


@pytest.mark.parametrize(
    "text",
    [
        '#import "x"; $ x $ *bold* _it_ <label> @ref `raw` [content] \\ // no',
        "\"quoted\" “quoted” 'a' ≤ ≥ ± µ ° é Ž ø ß Привет Ελληνικά SpO₂ ½ … –",
        "one\ntwo\n\nthree",
        "x" * 4000,
        "word " * 800,
    ],
)
def test_what_people_write_is_printed_as_they_wrote_it(text: str) -> None:
    visit = chart(*VISIT)
    visit.add(Kind.NOTE, 20, text=text)
    made = pdf.render(report(Record().chart(visit.session)))
    assert b"pdfuaid:part" in made
    # The first of its lines stands beside the name of who wrote it.
    found = "".join(" ".join(pages_of(made)).split())
    assert all("".join(line.split())[:60] in found for line in text.splitlines())


def test_characters_without_a_font_are_said_to_be_missing(visit: Chart) -> None:
    text = printed(visit)
    assert '<b>late</b> "note" & more; café, Übelkeit' in text
    assert "Characters that no font here has are printed as boxes" in text


def test_an_open_session_without_a_reading_has_a_report(made_up: Path) -> None:
    source = JournalSource(made_up)
    empty = build(source, source.session("visit-2"), after(60))
    text = " ".join(pages(report(empty, mark=None)))
    assert "STILL OPEN, as of November 25, 2026, 09:01:00" in text
    assert "NOT SIGNED: the session is open" in text
    assert "none was started; planned 40 min" in text
    assert "No readings" in text
    assert "record mark not sealed yet" in text
    assert "verify --head" not in text
    assert "not known from InfluxDB" in pages(report(empty, mark=None, from_influxdb=True))[0]


def test_hundreds_of_entries_and_alerts_flow_over_pages_under_repeated_heads() -> None:
    visit, record = chart(*VISIT), Record()
    for number in range(200):
        visit.add(
            Kind.NOTE, 5 + number / 4, text=f"note number {number}, which is long enough for more than a line " * 2
        )
    for number in range(300):
        rule = f"rule_{number}"
        record.alert(number / 6, AlertState.ON, rule).alert(number / 6 + 0.1, AlertState.OFF, rule)
    found = pages(report(record.chart(visit.session)))
    text = " ".join(found)
    assert all(f"note number {number}," in text for number in range(200))
    assert all(f" rule_{number} " in text for number in range(300))
    assert sum("No. Time Kind Entry By" in page for page in found) > 3
    assert sum("No. Began Priority Alert" in page for page in found) > 3


def test_a_day_is_ruled_so_that_it_stays_readable() -> None:
    day = range(0, 24 * 3600, 5)
    record = Record().measured("spo2", day, 97).measured("heart_rate", day, [60 + at % 7 for at in day])
    visit = chart(("baseline", 1), ("start", 10), ("stop", 50), ("recovery", 51), ("close", 24 * 60))
    first = pages(report(record.chart(visit.session)))[0]
    assert "02:00 04:00 06:00 08:00" in first
    assert "02:30" not in first


def test_what_typst_keeps_is_gone_with_its_program(visit: Chart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "typst", raising=False)
    assert pdf.render(report(visit)).startswith(b"%PDF")
    assert "typst" not in sys.modules


def test_a_pdf_that_cannot_be_made_is_refused_in_words(visit: Chart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "_TEMPLATE", Path("/nowhere/report.typ"))
    with pytest.raises(ExportRefused, match=r"cannot be made: .*/nowhere.*as HTML"):
        pdf.render(report(visit))


def test_without_typst_it_says_what_to_install(visit: Chart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(ExtraMissing, match=r"infusion-monitor\[report\]"):
        pdf.render(report(visit))


def test_the_zone_is_named_with_its_distance_from_utc() -> None:
    text = pages(report(Record().chart(chart(*VISIT).session), zone=ZoneInfo("America/New_York")))[0]
    assert "December 31, 2025, 19:00:00" in text
    assert "America/New_York (UTC-05:00)" in text


def _foot(page: str) -> str:
    """The footer, without the number of the page between its lines."""
    return page[page.index("P-020 · session") :].replace(
        page[page.index("Page ") : page.index("infusion-monitor 0")], ""
    )
