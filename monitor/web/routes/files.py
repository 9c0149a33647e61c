"""`/api/sessions/{session}/report.pdf` and `/export/{format}`: charts as files, for paper and for other programs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO, Literal, NamedTuple, cast

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from monitor.accounts.people import Person
from monitor.review.exports.registry import EXPORTERS, export_of
from monitor.storage.session_mark import mark_of
from monitor.web.errors import Refusal, answers
from monitor.web.parts import Parts, Recording
from monitor.web.reviewing import Making, Version, chart_of
from monitor.web.who import Viewer, origin

_IN_MEMORY = 8 * 2**20
"""Bytes of a file that wait in memory for who asked for it; a day in FHIR is a hundred times as large."""
_PIECE = 2**18
_REPORTS = {"pdf": "application/pdf", "html": "text/html; charset=utf-8"}


class _Made(NamedTuple):
    """A file."""

    content: BinaryIO
    """At its beginning."""
    size: int
    suffix: str
    media_type: str


def router(parts: Parts, recording: Recording, making: Making) -> APIRouter:
    """The routes."""
    routes = APIRouter(tags=["review"], responses=answers(401, 403, 404, 503))
    data_dir = recording.data_dir

    @routes.get(
        "/api/sessions/{session}/report.{suffix}",
        response_class=Response,
        responses={200: {"content": {media: {} for media in _REPORTS.values()}}, **answers(409, 422)},
    )
    async def report(
        session: str,
        suffix: Literal["pdf", "html"],
        request: Request,
        person: Viewer,
        lang: Annotated[Literal["en", "de", "fr", "es"], Query(description="Its language.")] = "en",
        paper: Annotated[Literal["a4", "letter"], Query(description="Its size.")] = "a4",
        version: Version = "now",
    ) -> Response:
        """The chart on paper, with all that is known of the session in tables; times are those of the station."""
        now = parts.clock.now_ns()
        made = await making.filed(partial(_report, data_dir, session, version, now, suffix, parts.site, lang, paper))
        return handed_out(made, session, "report", request, person)

    @routes.get(
        "/api/sessions/{session}/export/{name}",
        response_class=Response,
        responses={200: {"content": {"*/*": {}}}, **answers(409, 422)},
    )
    async def export(session: str, name: str, request: Request, person: Viewer, version: Version = "now") -> Response:
        """The session as a file of another program's format."""
        if name not in EXPORTERS:
            raise Refusal(404, "not_found", f"there is no format {name!r}; there are: {', '.join(EXPORTERS)}")
        now = parts.clock.now_ns()
        made = await making.filed(partial(_export, data_dir, session, version, now, name, parts.site))
        return handed_out(made, session, "export", request, person)

    def handed_out(made: _Made, session: str, action: str, request: Request, person: Person) -> Response:
        # What has left the station is guarded by it no more: so it is on record who took it.
        detail = f"session {session}, {made.suffix}"
        parts.audit(person.login or person.via.value, action, detail, origin=origin(request, person))
        headers = {
            "Content-Disposition": f'attachment; filename="{session}{made.suffix}"',
            "Content-Length": str(made.size),
        }
        return StreamingResponse(_pieces(made.content), media_type=made.media_type, headers=headers)

    return routes


def _report(data_dir: Path, name: str, version: str, now: int, suffix: str, site: str, lang: str, paper: str) -> _Made:
    # They would be a good part of a station's start.
    from babel.localtime import get_localzone  # noqa: PLC0415 - see above

    from monitor.review.report import html, pdf  # noqa: PLC0415 - likewise
    from monitor.review.report.content import Report  # noqa: PLC0415 - likewise

    chart = chart_of(data_dir, name, "now", now)
    signed = chart_of(data_dir, name, "signed", now) if version == "signed" else None
    mark = mark_of(data_dir, (signed or chart).session)
    made = Report(chart, signed, site, mark, lang, paper, get_localzone())
    content = (pdf if suffix == "pdf" else html).render(made)
    return _made(lambda file: file.write(content), f".{suffix}", _REPORTS[suffix])


def _export(data_dir: Path, name: str, version: str, now: int, format_: str, site: str) -> _Made:
    exporter = EXPORTERS[format_]()
    asked = export_of(chart_of(data_dir, name, version, now), site, data_dir)
    return _made(lambda file: exporter.write(asked, file), exporter.suffix, exporter.media_type)


def _made(write: Callable[[BinaryIO], object], suffix: str, media_type: str) -> _Made:
    file = cast("BinaryIO", tempfile.SpooledTemporaryFile(_IN_MEMORY))  # noqa: SIM115 - `_pieces` closes it
    try:
        write(file)
    except BaseException:
        file.close()
        raise
    size = file.tell()
    file.seek(0)
    return _Made(file, size, suffix, media_type)


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece
