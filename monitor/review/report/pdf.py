"""The report as PDF, by typst: tagged and archivable (PDF/UA-1, PDF/A-2a), with fonts that it brings along.

typst is a library of the extra `report`, and is loaded when it is used.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

from drivers.errors import extra
from monitor.review.report.content import Report, document
from monitor.review.report.model import Document

_TEMPLATE = Path(__file__).with_name("report.typ")
_STANDARDS = ["a-2a", "ua-1"]
_PAPERS = {"a4": "a4", "letter": "us-letter"}
_LONG_WORD = re.compile(r"\S{21,}")
_BREAK = "\u200b"
"""No width: a line may end there."""
_PIECE = 10


def render(report: Report) -> bytes:
    """The report as a PDF file. Raises ExtraMissing."""
    with extra("typst", "report"):
        import typst  # noqa: PLC0415 - only some installations have it

    said = document(report)
    # Somebody may have written what the fonts that typst brings along do not have, Chinese say: then those of this
    # machine are asked too, and what they do not have either is a box, which the standards do not allow.
    for options in ({"ignore_system_fonts": True}, {}):
        with contextlib.suppress(typst.TypstError):
            return _compiled(typst, said, {"pdf_standards": _STANDARDS, **options})
    return _compiled(typst, said._replace(notes=(said.boxes, *said.notes)), {})


def _compiled(typst: Any, said: Document, options: dict[str, Any]) -> bytes:
    inputs = {"report": json.dumps(_told(said), ensure_ascii=False), "figure": said.figure}
    made: bytes = typst.compile(_TEMPLATE.read_bytes(), sys_inputs=inputs, format="pdf", **options)
    return made


def _told(said: Document) -> dict[str, Any]:
    """The document as JSON, all but the figure."""
    at = said.dated
    fields = ("year", "month", "day", "hour", "minute", "second")
    return {
        **said._asdict(),
        "figure": None,
        "paper": _PAPERS[said.paper],
        "dated": {field: getattr(at, field) for field in fields},
        "title": _breakable(said.title),
        "facts": _breakable(said.facts),
        "state": _breakable(said.state),
        "footer": [*_breakable(said.footer[:1]), said.footer[1]],
        "sections": _breakable(
            [
                {
                    "title": section.title,
                    "text": section.text,
                    "table": {
                        "columns": [column._asdict() for column in section.table.columns],
                        "rows": [[cell._asdict() for cell in row] for row in section.table.rows],
                    },
                }
                for section in said.sections
            ]
        ),
    }


def _breakable(told: Any) -> Any:
    """The same with places where words may be broken that are too long for a column."""
    if isinstance(told, str):
        return _LONG_WORD.sub(lambda word: _BREAK.join(_pieces(word[0])), told)
    if isinstance(told, dict):
        return {key: _breakable(value) for key, value in told.items()}
    if isinstance(told, (list, tuple)):
        return [_breakable(value) for value in told]
    return told


def _pieces(word: str) -> list[str]:
    return [word[place : place + _PIECE] for place in range(0, len(word), _PIECE)]
