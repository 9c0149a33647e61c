"""The report as one HTML file: no script, nothing from elsewhere, and all text of people only ever as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from monitor.review.report.content import Report, document
from monitor.review.report.drawing import NAME_SPACE
from monitor.review.report.model import Cell, Column, Document, Section, Table

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""Content-Security-Policy of the file, also for whoever serves it: its style is in it, and it needs nothing else."""
_STYLE = Path(__file__).with_name("report.css")
_PAPERS = {"a4": ("A4", 190), "letter": ("letter", 172)}
"""Their names, and how high the drawing may be there, mm: so that it is on the first page."""


def render(report: Report) -> bytes:
    """The report as an HTML file, UTF-8."""
    return "".join(_page(document(report))).encode()


def _page(said: Document) -> Iterator[str]:
    # The browser prints page numbers; the rest of the footer stands once, at the end.
    size, highest = _PAPERS[said.paper]
    paper = f"@page {{ size: {size}; margin: 12mm 14mm; "
    paper += '@bottom-right { content: counter(page) " / " counter(pages); font-size: 7pt } }\n'
    paper += f"@media print {{ figure svg {{ max-height: {highest}mm }} }}"
    yield f'<!DOCTYPE html>\n<html lang="{escape(said.language)}">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>{escape(said.title)}</title>\n<style>\n{_STYLE.read_text(encoding='utf-8')}{paper}\n</style>\n"
    yield f'</head>\n<body>\n<main>\n<div class="first">\n<h1>{escape(said.title)}</h1>\n<dl>\n'
    yield from (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>\n" for name, value in said.facts)
    yield f'</dl>\n<div class="{"state settled" if said.settled else "state"}">{_paragraphs(said.state)}</div>\n'
    # Inside HTML it needs no name space.
    figure = said.figure.replace(NAME_SPACE, f'role="img" aria-label="{escape(said.figure_text)}"', 1)
    yield f'<figure>{figure}</figure>\n<p class="numbers">'
    yield from (f"<span>{escape(name)} <strong>{escape(value)}</strong></span> " for name, value in said.numbers)
    yield "</p>\n</div>\n"
    for section in said.sections:
        yield _section(section, said.none)
    yield f"<section>\n<h2>{escape(said.notes_title)}</h2>\n{_paragraphs(said.notes)}"
    yield f"<p><code>{escape(said.check)}</code></p>\n" if said.check else ""
    yield f"</section>\n</main>\n<footer>{'<br>'.join(map(escape, said.footer))}</footer>\n</body>\n</html>\n"


def _section(section: Section, none: str) -> str:
    table = _table(section.table) if section.table.rows else f"<p>{escape(none)}</p>"
    return f"<section>\n<h2>{escape(section.title)}</h2>\n{_paragraphs(section.text)}{table}\n</section>\n"


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col"{_class(column)}>{escape(column.title)}</th>' for column in table.columns)
    rows = "\n".join(
        f"<tr>{''.join(_cell(cell, column) for cell, column in zip(row, table.columns, strict=True))}</tr>"
        for row in table.rows
    )
    return f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>'


def _cell(cell: Cell, column: Column) -> str:
    text = escape(cell.text)
    remarks = "".join(f"<small>{escape(remark)}</small>" for remark in cell.under)
    return f"<td{_class(column)}>{f'<s>{text}</s>' if cell.struck else text}{remarks}</td>"


def _class(column: Column) -> str:
    names = [name for name, has in (("number", column.number), ("tight", not column.share)) if has]
    return f' class="{" ".join(names)}"' if names else ""


def _paragraphs(texts: Iterable[str]) -> str:
    return "".join(f"<p>{escape(text)}</p>\n" for text in texts)
