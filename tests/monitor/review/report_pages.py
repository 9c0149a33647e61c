"""A report as a reader has it: its pages as text, and what its file says of itself."""

from __future__ import annotations

import subprocess
from typing import Any
from zoneinfo import ZoneInfo

from monitor.review.chart import Chart
from monitor.review.report import pdf
from monitor.review.report.content import Report
from monitor.storage.verify import Head
from tests.services import require

BERLIN = ZoneInfo("Europe/Berlin")
MARK = Head(34, bytes(range(32)))


def report(chart: Chart, signed: Chart | None = None, **more: Any) -> Report:
    """Of Berlin, with a mark, unless the test says otherwise."""
    return Report(chart, signed, **{"site": "demo-clinic", "mark": MARK, "zone": BERLIN, **more})


def pages(made: Report) -> list[str]:
    """The text of each page of its PDF, in the order in which it is printed, its columns side by side."""
    return pages_of(pdf.render(made))


def pages_of(file: bytes) -> list[str]:
    """The text of each page of a PDF, with single blanks and without the places where a long word may be broken."""
    text = _asked("pdftotext", "-layout", "-", "-", file=file).replace("\u200b", "")
    return [" ".join(page.split()) for page in text.split("\f")[:-1]]


def told(file: bytes) -> dict[str, str]:
    """What a PDF says of itself: Title, Pages, Page size, Tagged."""
    lines = (line.partition(":") for line in _asked("pdfinfo", "-", file=file).splitlines())
    return {name: value.strip() for name, _, value in lines}


def fonts(file: bytes) -> list[list[str]]:
    """The lines of `pdffonts`, a font each."""
    return [line.split() for line in _asked("pdffonts", "-", file=file).splitlines()[2:]]


def _asked(program: str, *args: str, file: bytes) -> str:
    done = subprocess.run([require(program), *args], input=file, capture_output=True, check=True, timeout=60)
    return done.stdout.decode()
