"""`/api/recordings`: what the station takes of a recording, and what it refuses whoever asks."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drivers.clock import NS, ManualClock, iso
from drivers.events import Validity, Waveform
from monitor.sessions.portions import LONGEST_BODY, ROUTE
from monitor.storage.history import History
from tests.monitor.web.served import TWO_CHAIRS, Served, served

BEGINS = ManualClock().now_ns() - 3600 * NS
UNTIL = BEGINS + 60 * NS


@pytest.fixture
async def station(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, TWO_CHAIRS, ManualClock()) as clinic:
        yield clinic


async def opened(station: Served) -> str:
    """A session for a recording of a minute, on a bed that the station does not have."""
    session = await station.do("open", reference="R-1", at=iso(BEGINS))
    await station.do("assign", session=session, bed="archive-1", since=iso(BEGINS), until=iso(UNTIL))
    return session


def column(*values: float | None, at: int = BEGINS, vital: str = "spo2", **more: object) -> dict[str, Any]:
    validity = [2 if value is None else 0 for value in values]
    times = [at + place * NS for place in range(len(values))]
    lists = {"at": times, "value": values, "validity": validity, "cause": validity, "causes": ["", "motion", "no_data"]}
    return {"vital": vital, **lists, **more}


def portion(session: str, *columns: dict[str, Any], **more: object) -> dict[str, Any]:
    return {"session": session, "bed": "archive-1", "device": "imported", "readings": columns, **more}


async def bring(station: Served, content: dict[str, Any] | bytes) -> tuple[int, dict[str, Any]]:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    headers = {"Authorization": f"Bearer {station.station._token}", "Content-Type": "application/json"}
    answer = await station.client.post(ROUTE, content=body, headers=headers)
    return answer.status_code, answer.json()


def stored(tmp_path: Path) -> list[tuple[str, float | None, Validity, str]]:
    return [(it.vital, it.value, it.validity, it.cause) for it in History(tmp_path / "data").readings("archive-1")]


async def test_it_is_on_disk_once_and_not_the_present(station: Served, tmp_path: Path) -> None:
    session = await opened(station)
    run = {"name": "pleth", "rate": 125, "at": BEGINS, "samples": [1, 2, 3]}
    for _ in range(2):
        done = await bring(station, portion(session, column(60.0, None), waveforms=[run]))
        assert done == (200, {"recorded": True})
    assert stored(tmp_path) == [("spo2", 60, Validity.VALID, ""), ("spo2", None, Validity.INVALID, "no_data")]
    [pleth] = History(tmp_path / "data").waveforms("archive-1", "pleth", BEGINS, UNTIL)
    assert pleth.waveform == Waveform("pleth", (1, 2, 3), 125.0, BEGINS, BEGINS)
    await station.clock.advance(30)
    assert list(History(tmp_path / "data").alerts("archive-1")) == []
    assert "archive-1" not in (await station.client.get("/api/snapshot")).text


async def test_only_a_session_that_waits_for_it_takes_it(station: Served, tmp_path: Path) -> None:
    session = await opened(station)
    live = await station.do("open", bed="one", reference="P-1")
    far = column(97.0, at=UNTIL + NS)
    for wrong, words in [
        (portion("20260101-nobody", column(97.0)), "no session '20260101-nobody' is open without a bed"),
        (portion(live, column(97.0)), "is open without a bed"),
        (portion(session, far), "outside what is assigned"),
        (portion(session, column(97.0), bed="archive-2"), "outside what is assigned"),
        (
            portion(session, waveforms=[{"name": "ecg", "rate": 1, "at": UNTIL - NS, "samples": [1, 2, 3]}]),
            "outside what is assigned",
        ),
        (portion(session, column(97.0), bed="one", device="oximeter"), "oximeter is a device of one"),
    ]:
        status, answer = await bring(station, wrong)
        assert (status, answer["error"]) == (409, "refused")
        assert words in answer["text"]
    await station.do("close", session=session, reason="imported", at=iso(UNTIL))
    assert (await bring(station, portion(session, column(97.0))))[0] == 409
    assert stored(tmp_path) == []


async def test_what_is_no_portion(station: Served, tmp_path: Path) -> None:
    session = await opened(station)
    for wrong, words in [
        (column(97.0, vital="mood"), "is no vital"),
        (column(97.0, value=[97.0, 98.0]), "have not one length"),
        (column(97.0, validity=[2]), "exactly where it is invalid"),
        (column(97.0, cause=[7]), "not among its causes"),
        (column(97.0, causes=["<b>"]), "causes"),
        (column(97.0, at=-1), "at"),
    ]:
        status, answer = await bring(station, portion(session, wrong))
        assert (status, answer["error"]) == (422, "invalid"), words
        assert words in answer["text"]
    no_number = json.dumps(portion(session, column(97.0))).replace("97.0", "Infinity").encode()
    assert (await bring(station, no_number))[0] == 422
    wave = {"name": "pleth", "rate": 125, "at": BEGINS, "samples": [2**31]}
    assert (await bring(station, portion(session, waveforms=[wave])))[0] == 422
    assert (await bring(station, b" " * (LONGEST_BODY + 1)))[0] == 413
    assert stored(tmp_path) == []
