"""`/api/sessions/{session}/report` and `/export`: charts that leave the station as files."""

from __future__ import annotations

import asyncio
import io
import tempfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.clock import ManualClock
from monitor.review.chart import build
from monitor.review.exports import signals
from monitor.review.exports.registry import EXPORTERS, export_of
from monitor.review.source import JournalSource
from monitor.web.routes import files
from tests.monitor.web.served import Served, served


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, clock=ManualClock()) as clinic:
        yield clinic


@pytest.fixture
async def session(clinic: Served) -> str:
    session = await clinic.do("open", bed="one", reference="P-1")
    await clinic.seconds(20, "one", spo2=97.0, pulse_rate=60.0)
    await clinic.do("close", session=session, reason="a test")
    await clinic.committed()
    return session


@pytest.mark.parametrize("in_memory", [1, files._IN_MEMORY])
async def test_what_is_downloaded_is_what_is_exported(
    clinic: Served, session: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_memory: int
) -> None:
    monkeypatch.setattr(files, "_IN_MEMORY", in_memory)
    source = JournalSource(tmp_path / "data")
    chart = build(source, source.session(session), clinic.clock.now_ns())
    for name, exporter in EXPORTERS.items():
        file = io.BytesIO()
        exporter().write(export_of(chart, "clinic", tmp_path / "data"), file)
        answer = await clinic.client.get(f"/api/sessions/{session}/export/{name}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, exporter().media_type)
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{session}{exporter().suffix}"'
        assert answer.content == file.getvalue()
    for suffix, begins in (("pdf", b"%PDF-"), ("html", b"<!doctype html>")):
        answer = await clinic.client.get(f"/api/sessions/{session}/report.{suffix}")
        assert answer.status_code == 200
        assert answer.content.lower().startswith(begins.lower())


async def test_what_cannot_be_made_is_refused_in_words(
    clinic: Served, session: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await clinic.refused("/api/sessions/none/export/csv") == (404, "not_found")
    assert await clinic.refused(f"/api/sessions/{session}/export/none") == (404, "not_found")
    assert await clinic.refused(f"/api/sessions/{session}/report.pdf", version="signed") == (404, "not_found")
    monkeypatch.setattr(signals, "_MOST_SAMPLES", 1)
    assert await clinic.refused(f"/api/sessions/{session}/export/edf") == (409, "refused")
    monkeypatch.setattr(files, "_IN_MEMORY", 1)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    assert await clinic.refused(f"/api/sessions/{session}/export/csv") == (503, "unavailable")


async def test_however_many_files_are_asked_for_charts_are_shown(
    clinic: Served, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, made = threading.Event(), threading.Event(), files._report

    def report(*asked):
        begun.set()
        assert go_on.wait(30)
        return made(*asked)

    monkeypatch.setattr(files, "_report", report)
    path = f"/api/sessions/{session}/report.html"
    asked = [asyncio.create_task(clinic.client.get(path)) for _ in range(8)]
    try:
        assert await asyncio.to_thread(begun.wait, 30)
        assert (await clinic.get(f"/api/sessions/{session}"))["session"]["session"] == session
        assert not any(task.done() for task in asked)
    finally:
        go_on.set()
    assert {answer.status_code for answer in await asyncio.gather(*asked)} == {200}
