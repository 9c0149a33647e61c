"""The report in the languages of its readers."""

from __future__ import annotations

import re
from datetime import UTC

import pytest
from babel.messages.extract import extract_from_dir

from monitor.review.chart import Chart
from monitor.review.report.content import document
from monitor.review.report.language import Language, duration
from monitor.review.report.model import Document
from monitor.words import LANGUAGES, catalogue
from tests.monitor.program import ROOT
from tests.monitor.review.report_pages import BERLIN, pages, report

OTHERS = [code for code in LANGUAGES if code != "en"]
MESSAGES = {
    str(message)
    for _, _, message, _, _ in extract_from_dir(
        ROOT / "monitor" / "review" / "report", [("**.py", "python")], keywords={"say": None, "message": None}
    )
}
AT = 1_795_593_600_123_456_789
"""2026-11-25 09:00:00 in Berlin."""


@pytest.mark.parametrize("code", OTHERS)
def test_every_message_is_translated_and_nothing_else_is(code: str) -> None:
    known = catalogue("report", code)
    assert len(MESSAGES) > 150
    assert set(known) == MESSAGES


@pytest.mark.parametrize("code", OTHERS)
def test_translations_have_the_same_places_to_fill(code: str) -> None:
    for message, translated in catalogue("report", code).items():
        assert sorted(re.findall(r"{\w*}", message)) == sorted(re.findall(r"{\w*}", translated)), message


def test_every_message_that_a_report_says_is_in_the_catalogue(visit: Chart, monkeypatch: pytest.MonkeyPatch) -> None:
    said: set[str] = set()
    real = Language.say

    def say(language: Language, text: str) -> str:
        said.add(text)
        return real(language, text)

    monkeypatch.setattr(Language, "say", say)
    document(report(visit))
    assert said <= MESSAGES


def test_words_numbers_and_times_are_those_of_the_language(visit: Chart) -> None:
    expected = {
        "en": ("Infusion chart: P-017", "November 25, 2026, 09:00:00", "1,440", "Recovery", "Page 1 of"),
        "de": ("Infusionsprotokoll: P-017", "25. November 2026, 09:00:00", "1.440", "Nachbeobachtung", "Seite 1 von"),
        "fr": (
            "Feuille de surveillance de perfusion : P-017",
            "25 novembre 2026, 09:00:00",
            "Surveillance",
            "Page 1 sur",
        ),
        "es": (
            "Hoja de registro de la infusión: P-017",
            "25 de noviembre de 2026, 9:00:00",
            "Recuperación",
            "Página 1 de",
        ),
    }
    for code in LANGUAGES:
        text = " ".join(pages(report(visit, language=code)))
        assert all(part in text for part in expected[code]), code
        # What people wrote and what alerts told stays as it was recorded.
        assert "feels floaty, anxious" in text
        assert "SpO₂ 87 < 90" in text


def test_a_time_of_another_day_has_its_day() -> None:
    language = Language("en", BERLIN, AT)
    assert language.time(AT) == "09:00:00"
    assert language.time(AT + 86_400 * 10**9) == "Nov 26 09:00:00"
    assert Language("de", BERLIN, AT).time(AT - 86_400 * 10**9) == "24. Nov. 09:00:00"


def test_both_distances_from_utc_are_named_where_the_clocks_were_changed() -> None:
    before = 1_792_889_400 * 10**9  # 2026-10-25 02:50 in Berlin, ten minutes before the clocks go back
    language = Language("en", BERLIN, before)
    assert language.zone_name(before, before + 1800 * 10**9) == "Europe/Berlin (UTC+02:00 / UTC+01:00)"
    assert Language("en", UTC, before).zone_name(before, before) == "UTC+00:00"


def test_numbers_are_never_rounded_to_say_more_than_was_measured() -> None:
    language = Language("de", BERLIN, AT)
    assert language.value("temp", 36.6) == "36,6 °C"
    assert language.value("spo2", 97.0) == "97 %"
    assert language.value("spo2", 97.25) == "97,25 %"
    assert language.value("spo2", None) == "--"
    assert language.percent(99.7) == "99 %"
    assert language.percent(100.0) == "100 %"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.6, "1:00 min"), (75, "1:15 min"), (3599.7, "1:00:00 h"), (86_400, "24:00:00 h")],
)
def test_durations_carry_over(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_document_is_nothing_but_text(visit: Chart) -> None:
    made = document(report(visit))
    assert isinstance(made, Document)
    for section in made.sections:
        for row in section.table.rows:
            assert len(row) == len(section.table.columns)
            assert all(cell.text or cell.under for cell in row)
