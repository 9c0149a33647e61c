"""The drawing: where its marks are, and what it leaves open."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from drivers.clock import NS
from drivers.events import Cause, Validity
from monitor.alerts.conditions import AlertState, Kind, Priority
from monitor.review.chart import Chart
from monitor.review.report import panels
from monitor.review.report.axes import TimeAxis, clock_marks, placed, steps
from monitor.review.report.drawing import WIDTH, draw
from monitor.review.report.language import Language
from monitor.review.tracks import Span
from monitor.sessions import entries
from tests.monitor.review.made import Record
from tests.monitor.review.report_pages import BERLIN
from tests.monitor.sessions.helpers import START, chart, minute

VISIT = (("baseline", 1), ("start", 10), ("stop", 50), ("recovery", 51), ("close", 60))
SVG = "{http://www.w3.org/2000/svg}"
LANGUAGE = Language("en", BERLIN, START)


def drawn(record: Record, *more: tuple[object, float, dict[str, object]]) -> ET.Element:
    visit = chart(*VISIT)
    for kind, at, content in more:
        visit.add(kind, at, **content)
    return parsed(record.chart(visit.session))


def parsed(session_chart: Chart) -> ET.Element:
    return ET.fromstring(draw(session_chart, LANGUAGE, 800.0))


def texts(figure: ET.Element) -> list[str]:
    return [element.text or "" for element in figure.iter(f"{SVG}text")]


def paths(figure: ET.Element, **style: str) -> str:
    """The data of all paths of that style."""
    wanted = {name.replace("_", "-"): value for name, value in style.items()}
    found = [it.attrib for it in figure.iter(f"{SVG}path")]
    return "".join(it["d"] for it in found if all(it.get(name) == value for name, value in wanted.items()))


def test_the_lowest_and_the_highest_of_a_step_are_both_drawn() -> None:
    # One second of 70 among an hour of 97 is seen.
    hour = range(3600)
    track = Record().measured("spo2", hour, [70 if at == 1800 else 97 for at in hour]).chart(chart(*VISIT).session)
    times = TimeAxis(track.span, 0, 600)
    found = steps(track.vitals["spo2"], track.vitals["spo2"].valid, times.span, times.step(4))
    assert found.lowest.min() == 70
    assert found.highest.min() == 97
    assert len(found.middle) == 60 * 60 * NS / times.step(4)


def test_a_questionable_value_is_hollow_and_an_invalid_one_a_tick() -> None:
    sure = drawn(Record().measured("spo2", range(60), 97))
    doubtful = drawn(Record().measured("spo2", range(60), 97, validity=Validity.QUESTIONABLE, cause=Cause.ARTIFACT))
    blue = panels.INK["spo2"]
    assert paths(sure, stroke=blue, stroke_width="0.5", fill="white") == ""
    assert paths(doubtful, stroke=blue, stroke_width="0.5", fill="white").startswith("M")
    ticks = paths(drawn(Record().measured("spo2", range(60), None)), stroke=panels.BLACK, stroke_width="0.6")
    assert re.findall(r"M[\d.]+ [\d.]+v5", ticks)


def test_a_gap_is_left_open_and_hatched() -> None:
    figure = drawn(Record().measured("heart_rate", [*range(600), *range(1800, 3600)], 80))
    hatched = [it.attrib for it in figure.iter(f"{SVG}rect") if it.get("fill") == "url(#hatch)" and it.get("stroke")]
    gap = max(hatched, key=lambda it: float(it["width"]))
    left, plot = 60.0, WIDTH - 60 - 52
    assert float(gap["x"]) == pytest.approx(left + plot * 600 / 3600, abs=1)
    assert float(gap["width"]) == pytest.approx(plot * 1200 / 3600, abs=1)
    dots = [float(x) for x in re.findall(r"M([\d.]+) ", paths(figure, fill=panels.INK["heart_rate"]))]
    assert not [x for x in dots if left + plot * 0.19 < x < left + plot * 0.48]


def test_a_cuff_reading_is_drawn_by_its_own_marks_at_its_own_time() -> None:
    figure = drawn(Record().measured("nibp_sys", [1800], 120).measured("nibp_dia", [1800], 80))
    points = re.findall(r"L(368) ([\d.]+)L", paths(figure, stroke=panels.INK["nibp_sys"], stroke_width="1.5"))
    (_, sys), (_, dia) = points
    assert float(sys) < float(dia)


def test_a_value_beyond_the_scale_is_an_arrow_with_its_number() -> None:
    values = [400 if at == 30 else 80 for at in range(60)]
    doubtful = Record().measured(
        "heart_rate", range(60), values, validity=Validity.QUESTIONABLE, cause=Cause.IMPLAUSIBLE
    )
    assert "400" in texts(drawn(doubtful))
    assert "220" not in texts(drawn(doubtful))
    assert "240" in texts(drawn(Record().measured("heart_rate", range(60), 231)))


def test_limits_stand_as_long_as_they_were_in_force() -> None:
    visit = chart(*VISIT)
    visit.entries[0] = visit.entries[0]._replace(
        content={
            **visit.entries[0].content,
            "rules": {"profile": "p", "rules": {"low": {"vital": "spo2", "below": 90, "bounds": [80, 95]}}},
        }
    )
    visit.add(entries.Kind.LIMIT, 30, rule="low", limit=86.0, reason="known")
    figure = parsed(Record().measured("spo2", range(3600), 97).chart(visit.session))
    assert [text for text in texts(figure) if text.startswith("SpO₂ <")] == ["SpO₂ < 90", "SpO₂ < 86"]
    lines = re.findall(r"M([\d.]+) [\d.]+L([\d.]+) ", paths(figure, stroke=panels.INK["spo2"], stroke_width="0.45"))
    assert lines == [("60", "368"), ("368", "676")]


def test_alerts_and_entries_have_the_numbers_of_their_tables() -> None:
    record = Record().alert(20, AlertState.ON, "a").alert(25, AlertState.OFF, "a")
    record.alert(22, AlertState.ON, "b", priority=Priority.LOW, kind=Kind.TECHNICAL)
    figure = drawn(record, (entries.Kind.NOTE, 33, {"text": "x"}), (entries.Kind.DOSE, 34, {"text": "y"}))
    assert {"1", "2", "7", "8"} <= set(texts(figure))
    assert any(it.get("stroke-dasharray") == "1.5 1" for it in figure.iter(f"{SVG}rect"))


def test_what_has_no_room_is_put_nowhere_twice() -> None:
    assert list(placed([(0, 10), (5, 15), (6, 8), (10, 12), (20, 30)], 2)) == [0, 1, None, 0, 0]


def test_lines_are_at_full_minutes_of_the_clock_on_the_wall() -> None:
    # Nepal is 5:45 h east of UTC.
    from zoneinfo import ZoneInfo

    nepal = Language("en", ZoneInfo("Asia/Kathmandu"), START)
    marks = clock_marks(Span(START, minute(60)), 30, nepal)
    assert [nepal.clock(at) for at in marks] == ["06:00", "06:30"]


@pytest.mark.parametrize(
    ("minutes", "fine", "bold"), [(20, 1, 5), (40, 5, 15), (120, 5, 15), (240, 10, 30), (720, 30, 60), (1440, 60, 120)]
)
def test_the_ruling_is_as_fine_as_can_be_read(minutes: int, fine: int, bold: int) -> None:
    axis = TimeAxis(Span(START, minute(minutes)), 60, 616)
    every, labelled = axis.ruling(LANGUAGE)
    assert (every[1] - every[0], labelled[1] - labelled[0]) == (fine * 60 * NS, bold * 60 * NS)
    assert len(labelled) <= 15


def test_a_moment_and_a_week_can_be_drawn() -> None:
    empty = chart()
    assert "No readings" in texts(parsed(Record().chart(empty.session, START)))
    week = Record().measured("spo2", range(0, 7 * 86_400, 600), 97)
    assert "SpO₂" in texts(parsed(week.chart(empty.session, minute(7 * 1440))))


def test_vitals_of_a_newer_program_are_drawn_too() -> None:
    record = Record()
    for number in range(8):
        record.measured(f"new_{number}", range(60), -number)
    figure = drawn(record)
    assert {f"new_{number}" for number in range(8)} <= set(texts(figure))
    assert float(figure.attrib["viewBox"].split()[3]) > 800
