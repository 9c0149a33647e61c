"""The report as HTML: one file, of which nothing is executed or fetched, and on which text is text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from playwright.async_api import Browser

from monitor.review.chart import Chart, build
from monitor.review.report import html
from monitor.review.source import JournalSource
from monitor.sessions.entries import Kind
from tests.monitor.review.made import Record
from tests.monitor.review.recorded_session import FORMULA, MARKUP, after
from tests.monitor.review.report_pages import MARK, report
from tests.monitor.sessions.helpers import chart, minute

VISIT = (("baseline", 1), ("start", 10), ("stop", 50), ("recovery", 51), ("close", 60))


class Parsed(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(content.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_file_needs_nothing_and_runs_nothing(visit: Chart) -> None:
    made = html.render(report(visit))
    page = Parsed(made)
    assert not page.elements & {
        "script",
        "link",
        "iframe",
        "img",
        "object",
        "embed",
        "a",
        "use",
        "image",
        "foreignobject",
    }
    assert not {name for name in page.attributes if name.startswith("on")} | (
        page.attributes & {"href", "src", "style"}
    )
    # What looks like an address is what a person wrote, as text.
    assert made.count(b"http:") == page.text.count("http:") == FORMULA.count("http:")
    assert b"https:" not in made
    assert b"url(" not in re.sub(rb'fill="url\(#hatch\)"', b"", made)
    assert html.POLICY.startswith("default-src 'none'")


def test_text_of_people_is_text(visit: Chart) -> None:
    page = Parsed(html.render(report(visit)))
    assert MARKUP in page.text
    assert "b" not in page.elements


def test_hostile_names_stay_in_their_place() -> None:
    visit = chart(*VISIT)
    visit.entries[0] = visit.entries[0]._replace(
        content={
            **visit.entries[0].content,
            "reference": '"><script>alert(1)</script>',
            "profile": "</style><img src=x>",
        }
    )
    visit.add(Kind.NOTE, 5, by="</td></table>", text="&lt;i&gt; ]]> --> </svg>")
    page = Parsed(html.render(report(Record().chart(visit.session), site="<!--")))
    assert not page.elements & {"script", "img"}
    for text in (
        '"><script>alert(1)</script>',
        "</style><img src=x>",
        "</td></table>",
        "&lt;i&gt; ]]> --> </svg>",
        "<!--",
    ):
        assert text in page.text


def test_numbers_that_no_patient_has_are_told() -> None:
    record = Record().measured("spo2", range(60), [1e300] + [97.0] * 59).measured("nibp_sys", [5], [float("inf")])
    record.measured("temp", range(60), [-1e300] + [36.5] * 59)
    page = Parsed(html.render(report(record.chart(chart(*VISIT).session))))
    assert "1e+300" in page.text
    assert "-1e+300" in page.text


def test_of_years_between_two_recordings_there_is_a_line_not_a_table() -> None:
    made = chart(*VISIT)
    made.add(Kind.ASSIGNED, 61, bed="chair-2", since=minute(-2_000_000), until=minute(-1_999_980))
    record = Record().measured("spo2", range(3600), 96)
    record.measured("spo2", range(-120_000_000, -120_000_000 + 1200), 91, bed="chair-2")
    rows = html.render(report(record.chart(made.session))).decode().count("<tr")
    assert rows < 200
    page = Parsed(html.render(report(record.chart(made.session))))
    assert "…" in page.text


def test_every_row_of_a_short_silence_is_there() -> None:
    record = Record().measured("spo2", [*range(600), *range(2400, 3600)], 96)
    page = Parsed(html.render(report(record.chart(chart(*VISIT).session))))
    assert "…" not in page.text


def test_the_same_chart_gives_the_same_bytes(visit: Chart, made_up: Path) -> None:
    source = JournalSource(made_up)
    again = build(source, source.session("visit-1"), after(9e6))
    assert html.render(report(visit)) == html.render(report(again))


async def test_a_browser_shows_it_without_an_error(browser: Browser, tmp_path: Path, visit: Chart) -> None:
    file = tmp_path / "chart.html"
    file.write_bytes(html.render(report(visit)))
    said: list[str] = []
    page = await browser.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if request.url != file.as_uri() else None)
    await page.goto(file.as_uri())
    assert await page.title() == "Infusion chart: P-017"
    box = await page.locator("figure svg").bounding_box()
    assert box is not None
    assert box["width"] > 500
    assert box["height"] > 500
    assert await page.locator("section").filter(has_text="Entries").get_by_text("ENTERED AFTER THE SIGNATURE").count()
    assert await page.locator("code").inner_text() == f"infusion-monitor verify --head {MARK}"
    # On paper the drawing is on the first page, under the header.
    await page.emulate_media(media="print")
    highest = await page.locator("figure svg").evaluate("it => parseFloat(getComputedStyle(it).maxHeight) / 96 * 25.4")
    assert 150 < highest < 200
    assert said == []
    await page.close()
