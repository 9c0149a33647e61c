"""A whole visit over simulated devices, second by second at the speed of a clock that the test moves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from drivers.clock import NS, ManualClock, iso
from drivers.errors import ConfirmationNeeded, StepRefused
from drivers.events import LinkState, Validity
from monitor import config_file
from monitor.sessions import recorded, view
from monitor.sessions.requests import REQUEST
from monitor.sessions.session import Session
from monitor.station import Station
from monitor.storage.history import History
from monitor.storage.session_entries import SessionEntries
from monitor.storage.verify import verify
from simulators.device_side import make_side
from simulators.endpoint import PtyEndpoint
from simulators.patient import Patient
from tests.monitor.program import running

BEDS = """
beds:
  - id: chair-1
    devices:
      - {{id: oximeter, driver: nonin, url: {folder}/oximeter-1, options: {{format: 8}}}}
      - {{id: cuff, driver: dinamap, url: {folder}/cuff, vitals: [nibp_sys, nibp_dia, nibp_mean]}}
  - id: chair-2
    devices:
      - {{id: oximeter, driver: nonin, url: {folder}/oximeter-2, options: {{format: 8}}}}
"""
TURN = 0.001
"""Seconds that bytes are given to cross a pseudo-terminal, which does so in its own time."""


class Visit:
    """A station with its simulated devices, and what people do there."""

    def __init__(self, station: Station, clock: ManualClock, folder: Path, cuff: PtyEndpoint) -> None:
        self.station = station
        self.clock = clock
        self.folder = folder
        self.cuff = cuff
        self._settings = config_file.load(folder.parent / "site.yaml").sessions

    async def minutes(self, minutes: float) -> None:
        """Let so much time pass, while devices measure and the station listens."""
        for _ in range(round(minutes * 60)):
            await self.clock.advance(1)
            await asyncio.sleep(TURN)

    async def do(self, verb: str, session: str = "chair-1", by: str = "Anna", **fields: Any) -> dict[str, Any]:
        asked = {"verb": verb, "by": by, **fields}
        if verb != "open":
            asked["session"] = session
        done = await self.station.desk.do(REQUEST.validate_python(asked))
        assert done.recorded
        return view.answer(done.session, done.entries, self.clock.now_ns(), recorded=done.recorded)

    async def refused(self, verb: str, **fields: Any) -> StepRefused:
        with pytest.raises(StepRefused) as refusal:
            await self.do(verb, **fields)
        return refusal.value

    def ago(self, minutes: float) -> str:
        return iso(self.clock.now_ns() - round(minutes * 60 * NS))

    async def shown(self, name: str = "chair-1") -> dict[str, Any]:
        """The chart as `infusion-monitor session show` has it, from what is on disk."""
        session = self.station.desk.on_bed(name) or Session(SessionEntries(self.folder).of(name))
        await self._committed()
        now = self.clock.now_ns()
        return view.full(session, self._settings, recorded.read(History(self.folder), session, now), now)

    async def _committed(self) -> None:
        """Wait until what has been taken is on disk."""
        done = asyncio.Event()
        self.station.journal.record("", "", (), done.set)
        await done.wait()


@contextlib.asynccontextmanager
async def visit(folder: Path) -> AsyncIterator[Visit]:
    clock = ManualClock()
    # What the infusion does to the patient begins when it is started, after check-in and baseline.
    first, second = Patient(seed=3, infusion_at=25 * 60), Patient(seed=4)
    oximeter, cuff, other = (
        PtyEndpoint(make_side(driver, patient, options), clock, folder / port)
        for driver, patient, options, port in (
            ("nonin", first, {"format": 8}, "oximeter-1"),
            ("dinamap", first, {}, "cuff"),
            ("nonin", second, {"format": 8}, "oximeter-2"),
        )
    )
    serving = [asyncio.create_task(endpoint.serve()) for endpoint in (oximeter, cuff, other)]
    try:
        async with running(folder, BEDS.format(folder=folder), clock) as station:
            async with asyncio.timeout(60):
                while any(device.state is not LinkState.RECEIVING for device in station.devices):
                    await clock.advance(0.25)
                    await asyncio.sleep(0.01)
            yield Visit(station, clock, folder / "data", cuff)
    finally:
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def test_a_whole_visit_from_check_in_to_discharge(tmp_path: Path) -> None:
    async with visit(tmp_path) as it:
        began = it.clock.now_ns()
        await check_in(it)
        await baseline(it)
        await infusion(it)
        await recovery(it)
        await discharge(it)

        closed = await it.do("close")
        name = closed["session"]
        assert (closed["phase"], closed["possible"], it.station.desk.on_bed("chair-1")) == ("closed", [], None)
        assert "reason" not in closed["entries"][0]["content"]
        assert all(criterion["met"] for criterion in closed["entries"][0]["content"]["criteria"])
        await it.do("note", session=name, text="called: well", by="Bea")
        before = await it.shown(name)
        [stay] = before["beds"]
        values = [row.observed_at for row in History(it.folder).readings("chair-1", "spo2")]
        assert stay == {"bed": "chair-1", "since": iso(began), "until": before["closed_at"]}
        assert max(values) - min(values) > 124 * 60 * NS
        assert len(values) > 124 * 60 * 0.95

    found = Session(SessionEntries(tmp_path / "data").of(name))
    numbers = [shown.entry.number for shown in found.shown]
    assert numbers == list(range(1, len(before["entries"]) + 1))
    assert (found.reference, found.phase, found.planned_minutes) == ("P-017", "closed", 40)
    assert verify(tmp_path / "data" / "journal.db").holds


async def check_in(it: Visit) -> None:
    opened = await it.do("open", bed="chair-1", reference="P-017")
    assert (opened["phase"], opened["possible"]) == ("check_in", ["baseline", "start", "close"])
    await it.minutes(2)
    for item in ("identity", "candidacy", "consent", "fasting"):
        await it.do("check", item=item)
    await it.do("check", item="escort", skip="comes at eleven", by="Bea")
    await it.minutes(3)
    shown = await it.shown()
    assert shown["cuff"] is None
    assert [(line["item"], line["state"], line["by"]) for line in shown["checklist"]] == [
        ("identity", "answered", "Anna"),
        ("candidacy", "answered", "Anna"),
        ("consent", "answered", "Anna"),
        ("fasting", "answered", "Anna"),
        ("escort", "skipped", "Bea"),
        ("allergies", "open", None),
    ]


async def baseline(it: Visit) -> None:
    baseline_at = it.clock.now_ns()
    assert (await it.do("phase", step="baseline"))["possible"] == ["start", "close"]
    for _ in range(20):
        await it.minutes(1)
        cuff = (await it.shown())["cuff"]
        assert cuff["every_min"] == 5
        # The simulated cuff takes half a minute every five: its readings are never overdue for longer.
        assert cuff["overdue_s"] <= 31
    started_at = it.clock.now_ns()
    measured = [
        row.value
        for row in History(it.folder).readings("chair-1", "nibp_sys", baseline_at, started_at)
        if row.validity is Validity.VALID
    ]
    assert len(measured) in {4, 5}
    found = (await it.shown())["baseline"]
    assert (found["nibp_sys"]["median"], found["nibp_sys"]["readings"]) == (median(measured), len(measured))
    assert 1150 <= found["spo2"]["readings"] <= 1201


async def infusion(it: Visit) -> None:
    with pytest.raises(ConfirmationNeeded) as asked:
        await it.do("phase", step="start")
    assert asked.value.open == ("Allergies reviewed",)
    await it.do("check", item="allergies", answer="none known")
    started_at = it.clock.now_ns()
    started = await it.do("phase", step="start")
    assert (started["state"], started["possible"]) == ("running", ["pause", "stop"])
    assert "confirmed" not in started["entries"][0]["content"]
    await it.do("note", text="ketamine 0.5 mg/kg in 40 min", dose=True)
    await it.minutes(20)
    infusion = (await it.shown())["infusion"]
    assert (infusion["elapsed_s"], infusion["planned_end"]) == (1200.0, iso(started_at + 2400 * NS))

    await it.do("phase", step="pause", by="Bea")
    assert "paused" in str(await it.refused("phase", step="pause"))
    await it.minutes(5)
    infusion = (await it.shown())["infusion"]
    assert (infusion["elapsed_s"], infusion["planned_end"], infusion["running"]) == (1200.0, None, False)
    await it.do("phase", step="resume")
    await it.do("note", event="oxygen", text="2 l/min", at=it.ago(4), by="Bea")
    await it.do("score", scale="moaas", value=4)
    await it.minutes(22)
    infusion = (await it.shown())["infusion"]
    assert (infusion["elapsed_s"], infusion["overrun_s"]) == (2520.0, 120.0)
    assert infusion["planned_end"] == iso(started_at + 2700 * NS)
    assert (await it.refused("close", reason="x")).possible == ("pause", "stop")
    # It had ended two minutes before anybody came to the screen.
    stopped = await it.do("phase", step="stop", at=it.ago(2))
    assert (stopped["infusion"]["elapsed_s"], stopped["infusion"]["overrun_s"]) == (2400.0, 0.0)
    assert stopped["entries"][0]["late_s"] == 120
    assert (await it.do("phase", step="recovery"))["possible"] == ["resume", "close"]


async def recovery(it: Visit) -> None:
    it.cuff.unplug()
    await it.minutes(25)
    shown = await it.shown()
    assert shown["cuff"]["every_min"] == 15
    assert 0 < shown["cuff"]["overdue_s"] < 25 * 60
    with pytest.raises(ConfirmationNeeded) as asked:
        await it.do("close")
    said = "\n".join(asked.value.open)
    for what in ("120 min since", "MOAA/S at least 5 (4)", "Aldrete at least 9 (no score", "Escort is here"):
        assert what in said
    it.cuff.plug()
    await it.minutes(35)
    assert (await it.shown())["cuff"]["overdue_s"] == 0


async def discharge(it: Visit) -> None:
    slip = await it.do("score", scale="moaas", value=1)
    number = slip["entries"][0]["number"]
    await it.do("correct", number=number, value=5, reason="a slip of the finger", by="Bea")
    await it.do("score", scale="aldrete", value=10)
    assert [one["id"] for one in (await it.shown())["discharge"] if not one["met"]] == [
        "minutes_since_start",
        "item_escort_here",
    ]
    await it.minutes(13)
    await it.do("check", item="escort_here", by="Bea")
    shown = await it.shown()
    assert [one for one in shown["discharge"] if not one["met"]] == []
    entry = shown["entries"][number - 1]
    assert (entry["text"], entry["was"]["text"], entry["corrected_by"]) == ("MOAA/S 5", "MOAA/S 1", [number + 1])
    [oxygen] = [entry for entry in shown["entries"] if entry["kind"] == "event"]
    assert (oxygen["text"], oxygen["late_s"], oxygen["by"]) == ("Oxygen given: 2 l/min", 240, "Bea")


async def test_a_patient_moves_with_what_was_recorded_and_with_what_was_recorded_before(tmp_path: Path) -> None:
    async with visit(tmp_path) as it:
        came_at = it.clock.now_ns()
        await it.minutes(6)
        opened_at = it.clock.now_ns()
        await it.do("open", bed="chair-1", reference="P-018")
        await it.do("assign", bed="chair-1", since=iso(came_at), until=iso(opened_at))
        await it.do("phase", step="baseline")
        await it.minutes(6)
        before = await it.shown()
        await it.do("move", bed="chair-2")
        await it.minutes(2)
        after = await it.shown("chair-2")
        assert after["baseline"]["nibp_sys"] == before["baseline"]["nibp_sys"]
        assert after["baseline"]["nibp_sys"]["readings"] == 1
        # The oximeters of both chairs, each for its time.
        assert 460 <= after["baseline"]["spo2"]["readings"] <= 481
        assert [(stay["bed"], stay["until"] is None) for stay in after["beds"]] == [
            ("chair-1", False),
            ("chair-2", True),
            ("chair-1", False),
        ]
        refusal = await it.refused("assign", session="chair-2", bed="chair-2", since=it.ago(1), until=it.ago(2))
        assert "not after its beginning" in str(refusal)
        other = await it.do("open", bed="chair-1", reference="P-019")
        refusal = await it.refused(
            "assign", session=other["session"], bed="chair-1", since=iso(came_at), until=iso(opened_at)
        )
        assert after["session"] in str(refusal)
