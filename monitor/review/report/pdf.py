"""The report as PDF, by typst: tagged and archivable (PDF/UA-1, PDF/A-2a), with fonts that it brings along.

typst is a library of the extra `report`, and runs as a program of its own: see `typeset`.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from drivers.errors import ExportRefused, extra
from monitor.review.report.content import Report, document
from monitor.review.report.model import Document

_TEMPLATE = Path(__file__).with_name("report.typ")
_PROGRAM = Path(__file__).with_name("typeset.py")
_STANDARDS = ["a-2a", "ua-1"]
_PAPERS = {"a4": "a4", "letter": "us-letter"}
_LONG_WORD = re.compile(r"\S{21,}")
_BREAK = "\u200b"
"""No width: a line may end there."""
_PIECE = 10


def render(report: Report) -> bytes:
    """The report as a PDF file. Raises ExtraMissing, and ExportRefused where typst cannot make it."""
    with extra("typst", "report"):
        if importlib.util.find_spec("typst") is None:
            raise ImportError("typst")
    said = document(report)
    inputs = _inputs(said)
    boxes = _inputs(said._replace(notes=(said.boxes, *said.notes)))
    # Somebody may have written what the fonts that typst brings along do not have, Chinese say: then those of this
    # machine are asked too, and what they do not have either is a box, which the standards do not allow.
    return _compiled(
        [
            {"sys_inputs": inputs, "pdf_standards": _STANDARDS, "ignore_system_fonts": True},
            {"sys_inputs": inputs, "pdf_standards": _STANDARDS},
            {"sys_inputs": boxes},
        ]
    )


def _compiled(tries: list[dict[str, Any]]) -> bytes:
    asked = json.dumps({"template": str(_TEMPLATE), "tries": tries}).encode()
    # -P: beside that program are modules that are called as some of Python's own.
    done = subprocess.run([sys.executable, "-P", _PROGRAM], input=asked, capture_output=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        why = said or f"its program ended with {done.returncode}; there may be too little memory"
        raise ExportRefused(f"the PDF cannot be made: {why}; the report as HTML can")
    return done.stdout


def _inputs(said: Document) -> dict[str, str]:
    return {"report": json.dumps(_told(said), ensure_ascii=False), "figure": said.figure}


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
