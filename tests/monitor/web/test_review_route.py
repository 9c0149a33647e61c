"""`/api/sessions` to look at: the list of all sessions, charts, and signing them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.clock import NS, ManualClock
from monitor.accounts.people import Role
from tests.monitor.web.served import Served, served


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, clock=ManualClock()) as clinic:
        yield clinic


async def visit(clinic: Served, reference: str = "P-1", bed: str = "one") -> str:
    """A session of a few minutes, from opening to closing."""
    session = await clinic.do("open", bed=bed, reference=reference)
    await clinic.phases("baseline", session=session)
    await clinic.seconds(20, bed, spo2=97.0, pulse_rate=60.0)
    await clinic.phases("start", session=session)
    await clinic.seconds(20, bed, spo2=95.0, pulse_rate=75.0)
    await clinic.phases("stop", "recovery", session=session)
    await clinic.seconds(5, bed, spo2=96.0)
    await clinic.do("close", session=session, reason="a test")
    await clinic.committed()
    return session


async def test_a_chart_from_opening_to_signature(clinic: Served) -> None:
    session = await visit(clinic)
    told = await clinic.get(f"/api/sessions/{session}")
    assert (told["version"], told["signed"], told["amended"], told["may_sign"]) == ("now", False, False, True)
    [spo2] = [one for one in told["summary"]["vitals"] if one["vital"] == "spo2"]
    assert (spo2["lowest"]["value"], spo2["readings"], spo2["baseline"]) == (95, 45, 97)
    entries = told["session"]["entries"]
    assert [entry["kind"] for entry in entries] == ["opened", "step", "step", "step", "step", "closed"]
    await clinic.do("sign", session=session, through=len(entries))
    await clinic.committed()
    signed = await clinic.get(f"/api/sessions/{session}")
    assert (signed["signed"], signed["may_sign"]) == (True, False)
    assert [(one["by"], one["through"], one["stands"]) for one in signed["signatures"]] == [("anna", 6, True)]
    await clinic.do("note", session=session, text="seen again", at="2026-01-01T00:00:30Z")
    await clinic.committed()
    now, then = [await clinic.get(f"/api/sessions/{session}", version=version) for version in ("now", "signed")]
    assert (now["signed"], now["amended"], now["may_sign"]) == (False, True, True)
    assert (then["signed"], then["amended"], then["may_sign"]) == (True, False, False)
    assert len(now["session"]["entries"]) == len(then["session"]["entries"]) + 1


async def test_the_list_has_the_newest_first_and_finds_what_is_asked_for(clinic: Served) -> None:
    first = await visit(clinic, "P-1")
    other = await visit(clinic, "q-2", bed="two")
    second = await visit(clinic, "P-1")
    still = await clinic.do("open", bed="two", reference="P-10")
    await clinic.do("sign", session=first, through=6)
    await clinic.committed()

    async def listed(**query: object) -> list[str]:
        return [line["session"] for line in (await clinic.get("/api/sessions", **query))["sessions"]]

    assert await listed() == [still, second, other, first]
    assert await listed(search="p-1") == [still, second, first]
    assert await listed(search=other[-6:].upper()) == [other]
    assert await listed(bed="two") == [still, other]
    assert await listed(status="open") == [still]
    assert await listed(status="closed") == [second, other, first]
    assert await listed(status="signed") == [first]
    assert await listed(status="unsigned") == [second, other]
    assert await listed(search="%") == []
    told = await clinic.get("/api/sessions", limit=2)
    assert told["more"]
    assert [line["session"] for line in told["sessions"]] == [still, second]
    assert await listed(limit=2, before=second) == [other, first]
    opened = told["sessions"][1]["opened_at"]
    assert await listed(since=opened) == [still, second]
    assert await listed(until=opened) == [other, first]
    assert [line["session"] for line in (await clinic.get(f"/api/sessions/{second}"))["earlier"]] == [first]
    await clinic.do("correct", session=other, number=1, reference="P-1", reason="a slip")
    await clinic.committed()
    assert await listed(search="q-2") == []


async def test_vitals_of_all_of_it_and_of_a_second(clinic: Served) -> None:
    session = await visit(clinic)
    told = await clinic.get(f"/api/sessions/{session}/vitals")
    spo2 = told["vitals"]["spo2"]
    assert spo2["low"] == spo2["high"] == [97.0] * 20 + [95.0] * 20 + [96.0] * 5
    begins = spo2["t"][20]
    moment = clinic.clock.now_ns() - round((clinic.clock.now_ns() / NS - begins) * NS)
    assert moment > 0
    part = await clinic.get(
        f"/api/sessions/{session}/vitals", since="2026-01-01T00:00:22Z", until="2026-01-01T00:00:25Z"
    )
    assert set(part["vitals"]) == {"spo2", "pulse_rate"}
    assert part["vitals"]["spo2"]["low"] == [95.0] * len(part["vitals"]["spo2"]["t"])
    wide = await clinic.get(f"/api/sessions/{session}/vitals", width=100, until="2027-01-01T00:00:00Z")
    assert (min(wide["vitals"]["spo2"]["low"]), max(wide["vitals"]["spo2"]["high"])) == (95.0, 97.0)


async def test_what_is_not_there_is_said(clinic: Served) -> None:
    session = await visit(clinic)
    assert await clinic.refused("/api/sessions/none") == (404, "not_found")
    assert await clinic.refused("/api/sessions/none/vitals") == (404, "not_found")
    assert await clinic.refused(f"/api/sessions/{session}", version="signed") == (404, "not_found")
    backwards = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    assert await clinic.refused(f"/api/sessions/{session}/vitals", **backwards) == (422, "invalid")
    assert await clinic.refused("/api/sessions", status="lost") == (422, "invalid")


async def test_only_a_reviewer_signs(clinic: Served) -> None:
    session = await visit(clinic)
    nurse, reviewer = [await clinic.token(role) for role in (Role.NURSE, Role.REVIEWER)]
    body = {"verb": "sign", "session": session, "through": 6}

    async def asked(token: str, **more: object) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {token}"}
        answer = await clinic.client.post("/api/sessions", json={**body, **more}, headers=headers)
        return answer.status_code, answer.json().get("error", "")

    headers = {"Authorization": f"Bearer {nurse}"}
    told = await clinic.client.get(f"/api/sessions/{session}", headers=headers)
    assert told.json()["may_sign"] is False
    assert await asked(nurse) == (403, "forbidden")
    assert await asked(reviewer, through=5) == (409, "refused")
    assert await asked(reviewer) == (200, "")
    assert await asked(reviewer, through=7) == (409, "refused")
