"""A whole visit over simulated devices, at the fake clock's speed: what its people enter, see and find afterwards."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from drivers.clock import NS, ManualClock, iso
from drivers.errors import ConfirmationNeeded, StepRefused
from drivers.events import LinkState, Validity
from monitor import config_file
from monitor.cli.simulated import simulated_devices
from monitor.config import StationConfig
from monitor.review.chart import build
from monitor.review.report import pdf
from monitor.review.report.content import Report
from monitor.review.source import JournalSource
from monitor.sessions import recorded, view
from monitor.sessions.desk import Desk, Done
from monitor.sessions.requests import REQUEST
from monitor.sessions.session import Session
from monitor.sessions.steps import State
from monitor.station import Station
from monitor.storage.history import History, ReadingRow
from monitor.storage.journal import Journal
from monitor.storage.session_entries import SessionEntries
from monitor.storage.session_mark import mark_of
from monitor.storage.verify import verify
from simulators.device_side import DeviceSide
from simulators.endpoint import PtyEndpoint
from tests.server import PATIENCE

MINUTE = 60
PRESSURES = ("nibp_sys", "nibp_dia", "nibp_mean")
POLLED = 5
"""Seconds after the end of a measurement by which a cuff that is asked in turn with others has told of it."""
# One frame a second instead of 75: it is the same way for a frame, and a visit has 9,000 seconds.
OXIMETER = "{id: oximeter, driver: nonin, url: simulated, options: {format: 8}}"
ONE_CHAIR = f"""
beds:
  - id: chair-1
    # Whose diastolic pressure rises by more than a fifth.
    simulated_patient: {{scenario: infusion, seed: 31}}
    devices:
      - {OXIMETER}
      - {{id: cuff, driver: dinamap, url: simulated, vitals: [{", ".join(PRESSURES)}]}}
"""
TWO_CHAIRS = f"""
beds:
  - {{id: chair-1, simulated_patient: {{seed: 1}}, devices: [{OXIMETER}]}}
  - {{id: chair-2, simulated_patient: {{seed: 2}}, devices: [{OXIMETER}]}}
"""


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until that is so; the clock in the test's hand stands still meanwhile."""
    deadline = time.monotonic() + PATIENCE
    turns = itertools.count()
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        # Bytes cross a pseudo-terminal in a few turns; what takes longer is a thread's work, which needs the machine.
        await asyncio.sleep(0 if next(turns) < 100 else 0.001)


class Counted(DeviceSide):
    """A simulated device that counts the bytes that it says."""

    def __init__(self, side: DeviceSide) -> None:
        super().__init__(side.patient)
        self.period = side.period
        self.said = 0
        self._side = side

    def tick(self, now: float) -> bytes:
        return self._counted(self._side.tick(now))

    def answer(self, data: bytes, now: float) -> bytes:
        return self._counted(self._side.answer(data, now))

    def _counted(self, data: bytes) -> bytes:
        self.said += len(data)
        return data


class Cable:
    """A simulated device and the port where the station finds it, which stays the same when it is plugged in again."""

    def __init__(self, endpoint: PtyEndpoint, port: Path) -> None:
        self.endpoint = endpoint
        self.port = port
        self.side = endpoint._side = Counted(endpoint._side)
        port.symlink_to(endpoint.address)

    def unplug(self) -> None:
        # First the link: the name behind it may soon be another program's terminal.
        self.port.unlink()
        self.endpoint.unplug()

    def plug(self) -> None:
        self.endpoint.plug()
        self.port.symlink_to(self.endpoint.address)


class Clinic:
    """A station with its simulated devices, the clock that all of them go by, and who asks it for something."""

    def __init__(
        self, config: StationConfig, clock: ManualClock, station: Station, data: Path, cables: list[Cable]
    ) -> None:
        self.config = config
        self.clock = clock
        self.station = station
        self.data = data
        self.cables = cables
        self.patient = cables[0].side.patient
        self.name = ""
        """The session's that is asked for."""

    @property
    def now(self) -> int:
        return self.clock.now_ns()

    async def go_on(self, seconds: int) -> None:
        """Let that much time pass, second by second: in each, all that was said has come before the next begins."""
        for _ in range(seconds):
            await self.clock.advance(1)
            await until(self._all_came)

    def _all_came(self) -> bool:
        for device, cable in zip(self.station.devices, self.cables, strict=True):
            codec = device._codec
            if device._open and (codec.counters.bytes != cable.side.said or getattr(codec, "_outstanding", None)):
                return False
        return True

    async def committed(self) -> History:
        """The journal, with all of it on disk."""
        await until(lambda: self.station.journal.health.waiting_rows == 0)
        return History(self.data)

    async def do(self, **request: object) -> dict[str, Any]:
        """What a person is answered."""
        done = await self.done(**request)
        assert done.recorded
        return view.answer(done.session, done.entries, self.now, recorded=done.recorded)

    async def entered(self, **request: object) -> dict[str, Any]:
        """The entry that it made."""
        [entry] = (await self.do(**request))["entries"]
        return dict(entry)

    async def done(self, **request: object) -> Done:
        # The start and the close look at what was recorded.
        await self.committed()
        return await self.station.desk.do(REQUEST.validate_python({"by": "anna", **request}))

    async def open_points(self, **request: object) -> list[str]:
        """What has to be confirmed before that is done; nothing is."""
        with pytest.raises(ConfirmationNeeded) as refused:
            await self.done(**request)
        told = view.refusal(refused.value)
        assert told["error"] == "confirm"
        assert all(point in told["text"] for point in told["open"])
        return list(told["open"])

    async def refused(self, **request: object) -> dict[str, Any]:
        """How a person is told that it cannot be; nothing is done."""
        with pytest.raises(StepRefused) as refused:
            await self.done(**request)
        return view.refusal(refused.value)

    def session(self) -> Session:
        """As it is in the journal."""
        return Session(SessionEntries(self.data).of(self.name))

    async def show(self) -> dict[str, Any]:
        """What people see of the session now."""
        return self.shown(await self.committed(), self.session())

    def shown(self, history: History, session: Session, now: int | None = None) -> dict[str, Any]:
        at = self.now if now is None else now
        shown = view.full(session, self.config.sessions, recorded.read(history, session, at), at)
        as_json: dict[str, Any] = json.loads(json.dumps(shown))
        return as_json


@asynccontextmanager
async def clinic(tmp_path: Path, text: str) -> AsyncIterator[Clinic]:
    path = tmp_path / "site.yaml"
    path.write_text(text, encoding="utf-8")
    config, clock, data = config_file.load(path), ManualClock(), tmp_path / "data"
    addresses, endpoints = simulated_devices(config, clock)
    ports = {key: tmp_path / "-".join(key) for key in addresses}
    cables = [Cable(endpoint, port) for endpoint, port in zip(endpoints, ports.values(), strict=True)]
    addresses = {key: str(port) for key, port in ports.items()}
    station = Station(config, clock, data_dir=data, port=0, addresses=addresses)
    # A quarter of a second, in which others are committed, is minutes of this clock.
    station.journal._queue._commit_every = 0.01
    await station.open()
    stop = asyncio.Event()
    tasks = [asyncio.create_task(station.run(stop))]
    try:
        # What is said to a port that nobody has opened yet is lost.
        await until(lambda: all(device._open for device in station.devices))
        tasks += [asyncio.create_task(endpoint.serve()) for endpoint in endpoints]
        yield Clinic(config, clock, station, data, cables)
    finally:
        stop.set()
        await asyncio.wait_for(tasks[0], PATIENCE)
        for serving in tasks[1:]:
            serving.cancel()
        await asyncio.gather(*tasks[1:], return_exceptions=True)


def ns(minutes: float) -> int:
    return round(minutes * MINUTE * NS)


def of_stays(history: History, session: Session, vital: str) -> list[ReadingRow]:
    """What the journal has of the stretches that belong to the session, in order of time."""
    rows = [row for stay in session.stays for row in history.readings(stay.bed, vital, stay.since, stay.until)]
    return sorted(rows, key=lambda row: row.observed_at)


def valid(rows: Iterable[ReadingRow]) -> list[float]:
    return [row.value for row in rows if row.validity is Validity.VALID and row.value is not None]


def pressures(history: History, session: Session) -> list[ReadingRow]:
    """Systolic ones: a measurement each."""
    return [row for row in of_stays(history, session, "nibp_sys") if row.validity is Validity.VALID]


def unmet(shown: dict[str, Any]) -> set[str]:
    return {criterion["id"] for criterion in shown["discharge"] if not criterion["met"]}


async def check_cuff(it: Clinic, minutes: int, every: int) -> None:
    """Let that many minutes pass, in which a cuff reading is due `every` minutes after the last and never overdue."""
    for _ in range(minutes // 5):
        await it.go_on(5 * MINUTE)
        history = await it.committed()
        session = it.session()
        last = pressures(history, session)[-1].observed_at
        assert it.now - last < ns(5) + POLLED * NS
        cuff = it.shown(history, session)["cuff"]
        assert (cuff["every_min"], cuff["last_at"], cuff["due_at"]) == (every, iso(last), iso(last + ns(every)))
        assert cuff["overdue_s"] < POLLED


async def check_in(it: Clinic) -> None:
    """5 minutes: one item stays open."""
    answer = await it.do(verb="open", bed="chair-1", reference="P-17")
    it.name, opened = answer["session"], it.now
    assert (answer["phase"], answer["possible"]) == ("check_in", ["baseline", "start", "close"])
    told = await it.refused(verb="phase", session="chair-1", step="pause", by="bea")
    assert (told["error"], told["possible"]) == ("refused", ["baseline", "start", "close"])
    assert "by anna" in told["text"]
    assert "has an open session" in (await it.refused(verb="open", bed="chair-1", reference="P-18"))["text"]
    assert "there is no item" in (await it.refused(verb="check", session=it.name, item="height"))["text"]
    await it.go_on(3 * MINUTE)
    for item, by in (("identity", "anna"), ("candidacy", "anna"), ("consent", "dr-k"), ("fasting", "bea")):
        await it.do(verb="check", session="chair-1", item=item, by=by)
    await it.do(verb="check", session="chair-1", item="escort", skip="is named by phone at noon", by="bea")
    await it.go_on(2 * MINUTE)
    shown = await it.show()
    assert (shown["bed"], shown["reference"], shown["planned_minutes"]) == ("chair-1", "P-17", 40)
    assert (shown["cuff"], shown["infusion"], shown["baseline"]["spo2"]["readings"]) == (None, None, 0)
    assert shown["checklist"][2] == {
        "item": "consent",
        "text": "Consent given",
        "state": "answered",
        "answer": "yes",
        "reason": None,
        "by": "dr-k",
        "at": iso(opened + ns(3)),
    }
    escort = shown["checklist"][4]
    assert (escort["state"], escort["by"], escort["reason"]) == ("skipped", "bea", "is named by phone at noon")
    assert [item["item"] for item in shown["checklist"] if item["state"] == "open"] == ["allergies"]
    assert unmet(shown) == {"infusion"}


async def baseline(it: Clinic) -> None:
    """20 minutes: what is shown of them is what the journal has of them."""
    answer = await it.do(verb="phase", session="chair-1", step="baseline")
    assert (answer["phase"], answer["possible"]) == ("baseline", ["start", "close"])
    began = it.now
    await it.do(verb="score", session="chair-1", scale="moaas", value=5)
    await it.do(verb="score", session="chair-1", scale="aldrete", value=10)
    await check_cuff(it, 20, every=5)

    still_open = await it.open_points(verb="phase", session="chair-1", step="start")
    assert still_open == ["Allergies reviewed"]
    assert (await it.show())["state"] == "baseline"
    answer = await it.do(verb="phase", session="chair-1", step="start", confirm=True, by="dr-k")
    assert (answer["state"], answer["possible"]) == ("running", ["pause", "stop"])
    assert answer["entries"][0]["content"]["confirmed"] == still_open
    # What it does to the simulated patient is greatest at its end, which a pause will delay by 5 minutes.
    it.patient.infusion_at = it.clock.monotonic() + 5 * MINUTE

    history, session = await it.committed(), it.session()
    assert session.started_at == it.now
    shown = it.shown(history, session)["baseline"]
    for vital in ("spo2", "pulse_rate", *PRESSURES):
        values = valid(history.readings("chair-1", vital, began, it.now))
        assert (shown[vital]["median"], shown[vital]["readings"]) == (median(values), len(values))
        assert shown[vital]["within"] is (None if vital == "nibp_mean" else True)
    assert shown["spo2"]["readings"] == 20 * MINUTE
    assert shown["nibp_sys"]["readings"] == 4
    assert (shown["nibp_sys"]["low"], shown["nibp_sys"]["high"]) == (90, 140)


async def infusion(it: Clinic) -> None:
    """40 minutes, with a pause of 5 after the first 10."""
    started = it.now
    await it.do(verb="check", session="chair-1", item="allergies", answer="none known", by="dr-k")
    allergies = (await it.show())["checklist"][5]
    assert (allergies["state"], allergies["answer"], allergies["by"]) == ("answered", "none known", "dr-k")
    await check_cuff(it, 10, every=5)
    assert (await it.show())["infusion"] == {
        "started_at": iso(started),
        "running": True,
        "elapsed_s": 600,
        "planned_end": iso(started + ns(40)),
        "overrun_s": 0,
    }
    answer = await it.do(verb="phase", session="chair-1", step="pause", reason="patient wants to stand")
    assert (answer["state"], answer["phase"], answer["possible"]) == ("paused", "infusion", ["resume", "stop"])
    assert answer["entries"][0]["text"] == "infusion paused: patient wants to stand"
    await check_cuff(it, 5, every=5)
    shown = (await it.show())["infusion"]
    assert (shown["running"], shown["elapsed_s"], shown["planned_end"]) == (False, 600, None)
    answer = await it.do(verb="phase", session="chair-1", step="resume")
    assert (answer["infusion"]["elapsed_s"], answer["infusion"]["planned_end"]) == (600, iso(started + ns(45)))
    await chart(it)
    await cable_pulled(it)
    await it.go_on((started + ns(46) - it.now) // NS)
    shown = await it.show()
    assert (shown["infusion"]["elapsed_s"], shown["infusion"]["overrun_s"]) == (41 * 60, 60)
    assert shown["infusion"]["planned_end"] == iso(started + ns(45))
    # The pump ended in time, and its end is entered a minute late.
    answer = await it.do(verb="phase", session="chair-1", step="stop", at=iso(started + ns(45)), by="bea")
    assert (answer["state"], answer["phase"], answer["possible"]) == (
        "stopped",
        "infusion",
        ["resume", "recovery", "close"],
    )
    assert answer["entries"][0]["late_s"] == 60
    ended = {"running": False, "elapsed_s": 40 * 60, "planned_end": None, "overrun_s": 0}
    assert answer["infusion"] == {"started_at": iso(started), **ended}


async def chart(it: Clinic) -> None:
    """What is written of an infusion."""
    note = await it.entered(verb="note", session="chair-1", text="says that the room hums")
    assert (note["kind"], note["text"], note["by"]) == ("note", "says that the room hums", "anna")
    assert (note["at"], note["late_s"], note["bed"]) == (iso(it.now), 0, "chair-1")
    event = await it.entered(verb="note", session="chair-1", event="oxygen", by="bea")
    assert (event["kind"], event["text"], event["by"]) == ("event", "Oxygen given", "bea")
    dose = await it.entered(verb="note", session="chair-1", text="0.5 mg/kg in 40 min", dose=True)
    assert (dose["kind"], dose["text"]) == ("dose", "dose: 0.5 mg/kg in 40 min")
    score = await it.entered(verb="score", session="chair-1", scale="moaas", value=4)
    assert (score["kind"], score["text"]) == ("score", "MOAA/S 4")
    assert score["content"]["version"].startswith("0-5")
    assert "outside" in (await it.refused(verb="score", session="chair-1", scale="moaas", value=6))["text"]

    # Who knows nothing but the journal, as after a power cut, finds the same session.
    fresh = Desk(it.config, it.station.journal, it.data, it.clock)
    await fresh.load()
    found, kept = fresh.on_bed("chair-1"), it.station.desk.on_bed("chair-1")
    assert found is not None
    assert kept is not None
    assert found.entries == kept.entries == it.session().entries


async def cable_pulled(it: Clinic) -> None:
    """A cuff that is not heard for 12 minutes: a reading becomes overdue, and none is when it is heard again."""
    await it.go_on(MINUTE)
    shown = (await it.show())["cuff"]
    it.cables[1].unplug()
    await until(lambda: it.station.devices[1].state is LinkState.LOST)
    await it.go_on(12 * MINUTE)
    overdue = (await it.show())["cuff"]
    assert (overdue["last_at"], overdue["due_at"]) == (shown["last_at"], shown["due_at"])
    since_due = datetime.fromisoformat(iso(it.now)) - datetime.fromisoformat(shown["due_at"])
    # It is shown to the tenth.
    assert overdue["overdue_s"] == pytest.approx(since_due.total_seconds(), abs=0.1)
    assert overdue["overdue_s"] > 7 * MINUTE
    it.cables[1].plug()
    while it.station.devices[1].state is not LinkState.RECEIVING:
        await it.go_on(1)
        # The port is opened in a thread, for which the clock does not wait.
        await asyncio.sleep(0.01)
    await it.go_on(POLLED)
    assert (await it.show())["cuff"]["overdue_s"] == 0


async def recovery(it: Clinic) -> None:
    """Until 120 minutes after the start: the criteria of the discharge are met one by one."""
    started = it.session().started_at or 0
    answer = await it.do(verb="phase", session="chair-1", step="recovery")
    assert (answer["phase"], answer["possible"]) == ("recovery", ["resume", "close"])
    # The scores of before the infusion say nothing of after it.
    still_open = {"minutes_since_start", "score_moaas", "score_aldrete", "vital_nibp_dia", "item_escort_here"}
    assert unmet(await it.show()) == still_open
    await it.do(verb="score", session="chair-1", scale="moaas", value=3)
    await it.do(verb="score", session="chair-1", scale="aldrete", value=7)
    assert unmet(await it.show()) == still_open
    texts = [f"{each['text']} ({each['detail']})" for each in (await it.show())["discharge"] if not each["met"]]
    assert await it.open_points(verb="close", session="chair-1") == texts

    await check_cuff(it, 30, every=15)
    await it.do(verb="score", session="chair-1", scale="moaas", value=5)
    assert unmet(await it.show()) == still_open - {"score_moaas", "vital_nibp_dia"}
    await late_and_corrected(it)
    await check_cuff(it, 15, every=15)
    await it.do(verb="score", session="chair-1", scale="aldrete", value=9)
    assert unmet(await it.show()) == {"minutes_since_start", "item_escort_here"}
    await check_cuff(it, (started + ns(120) - it.now) // ns(5) * 5, every=15)
    await it.do(verb="check", session="chair-1", item="escort_here", by="bea")
    assert unmet(await it.show()) == {"minutes_since_start"}
    await it.go_on((started + ns(120) - it.now) // NS)
    assert unmet(await it.show()) == set()


async def late_and_corrected(it: Clinic) -> None:
    """An entry is late, another is corrected: that is seen of both, and nothing is gone."""
    happened = it.now - ns(12)
    late = await it.entered(verb="note", session="chair-1", text="was sick", at=iso(happened))
    assert (late["at"], late["entered_at"], late["late_s"]) == (iso(happened), iso(it.now), 12 * MINUTE)
    wrong = await it.entered(verb="score", session="chair-1", scale="pain", value=7)
    await it.do(verb="correct", session="chair-1", number=wrong["number"], value=1, reason="slip", by="bea")
    shown = (await it.show())["entries"]
    now, correction = shown[wrong["number"] - 1], shown[-1]
    assert (now["number"], now["text"], now["by"]) == (wrong["number"], "Pain 1", "anna")
    assert now["corrected_by"] == [correction["number"]]
    assert now["was"]["text"] == "Pain 7"
    assert (correction["kind"], correction["by"]) == ("correction", "bea")
    assert correction["content"] == {"corrects": wrong["number"], "value": 1, "reason": "slip"}
    assert it.session().entries[wrong["number"] - 1].content["value"] == 7
    void = await it.entered(verb="note", session="chair-1", text="of another patient")
    await it.do(verb="correct", session="chair-1", number=void["number"], void=True, reason="wrong chart")
    shown = (await it.show())["entries"]
    assert (shown[-2]["void"], shown[-2]["text"], shown[-1]["void"]) == (True, "of another patient", False)


async def signed(it: Clinic) -> None:
    """Who has seen all of the chart signs it."""
    entries = it.session().entries
    last = len(entries)
    assert [entry.number for entry in entries] == list(range(1, last + 1))
    assert [entry.entered_at for entry in entries] == sorted(entry.entered_at for entry in entries)
    assert "look at it again" in (await it.refused(verb="sign", session=it.name, through=last - 1))["text"]
    answer = await it.do(verb="sign", session=it.name, through=last, by="dr-k")
    assert answer["entries"][0]["text"] == f"chart signed, through entry {last}"
    assert it.session().signed


def check_chart(it: Clinic, history: History, session: Session) -> None:
    """The chart says what the journal's rows say, and its report is of one page and tables."""
    made = build(JournalSource(it.data), session, it.now)
    for vital in ("spo2", "pulse_rate", *PRESSURES):
        # The moment of the closing belongs to it.
        rows = list(history.readings("chair-1", vital, made.span.since, made.span.until + 1))
        track = made.vitals[vital]
        assert track.at.tolist() == [row.observed_at for row in rows]
        told = [None if math.isnan(value) else value for value in track.value.tolist()]
        assert told == [row.value for row in rows]
        assert track.validity.tolist() == [int(row.validity) for row in rows]
        numbers = made.summary.vital(vital)
        assert numbers is not None
        assert numbers.highest is not None
        assert numbers.highest.value == max(valid(rows))
    minutes = {state: round(span.seconds / MINUTE) for state, span in made.phases}
    assert (minutes[State.BASELINE], minutes[State.PAUSED]) == (20, 5)
    assert minutes[State.RECOVERY] >= 60
    assert made.summary.infusion == 40 * MINUTE
    assert made.summary.cuff_readings == len(pressures(history, session))
    # The pressure rose, and came back.
    sys = made.summary.vital("nibp_sys")
    assert sys is not None
    assert sys.rise is not None
    assert sys.rise > 10
    assert sys.back_after is not None
    # While its cable was pulled the station asked for the cuff.
    assert {life.rule for life in made.alerts} >= {"device_lost_cuff"}
    assert [shown.entry.author for shown in session.signatures] == ["dr-k"]
    mark = mark_of(it.data, session)
    assert mark is not None
    assert verify(it.station.journal.path, mark).holds
    report = Report(made, None, it.config.site, mark)
    printed = pdf.render(report)
    assert printed.startswith(b"%PDF-")
    assert printed == pdf.render(report)


async def test_a_visit_from_the_opening_to_the_signed_chart(tmp_path: Path) -> None:
    async with clinic(tmp_path, ONE_CHAIR) as it:
        it.patient.infusion_at = math.inf
        await it.go_on(MINUTE)
        opened = it.now
        await check_in(it)
        await baseline(it)
        await infusion(it)
        await recovery(it)
        closing = {"verb": "close", "session": it.name, "request": "c" * 32}
        answer = await it.do(**closing)
        assert (answer["phase"], answer["possible"]) == ("closed", [])
        assert "reason" not in answer["entries"][0]["content"]
        assert all(criterion["met"] for criterion in answer["entries"][0]["content"]["criteria"])
        closed = it.now
        assert "no session is open" in (await it.refused(verb="phase", session="chair-1", step="resume"))["text"]
        # What comes after it is nobody's.
        await it.go_on(MINUTE)
        shown = await it.show()
        assert (shown["phase"], shown["closed_at"], shown["cuff"]) == ("closed", iso(closed), None)
        assert shown["beds"] == [{"bed": "chair-1", "since": iso(opened), "until": iso(closed)}]
        assert shown["infusion"]["elapsed_s"] == 40 * 60
        await signed(it)

    # The station has stopped; what it recorded is all there, and is the session's.
    history, session = History(it.data), it.session()
    assert it.shown(history, session)["discharge"] == shown["discharge"]
    seconds = [row.observed_at for row in of_stays(history, session, "spo2")]
    assert seconds == list(range(opened, closed, NS))
    rows = pressures(history, session)
    ends = [row.observed_at for row in rows]
    assert ends[0] - opened < ns(5)
    # While its cable was pulled it measured twice, and told of the last when it was heard again.
    apart = sorted(round((later - earlier) / ns(5)) for earlier, later in itertools.pairwise(ends))
    assert apart == [*[1] * (len(apart) - 1), 2]
    heard = [row.received_at or 0 for row in rows if row.observed_at + POLLED * NS > (row.received_at or 0)]
    assert len(heard) == len(rows) - 1
    for at in heard:
        # Just before a measurement is told is when it could be overdue.
        then = Session([entry for entry in session.entries if entry.entered_at < at])
        cuff = it.shown(history, then, at - 1)["cuff"]
        assert cuff is None or cuff["overdue_s"] < POLLED
    assert verify(it.station.journal.path).holds
    assert [made[0].session for made in SessionEntries(it.data).all()] == [it.name]

    journal = Journal(it.data)
    journal.open()
    try:
        desk = Desk(it.config, journal, it.data, it.clock)
        await desk.load()
        assert desk.on_bed("chair-1") is None
        # Whoever was not answered when it ended asks again, and hears what was done then.
        done = await desk.do(REQUEST.validate_python({"by": "anna", **closing}))
        assert (done.session.entries, done.entries) == (session.entries, session.entries[-2:-1])
    finally:
        await journal.close()
    assert it.session().entries == session.entries
    check_chart(it, history, session)


async def test_a_patient_who_moves_keeps_the_recording_of_both_chairs_and_of_before(tmp_path: Path) -> None:
    async with clinic(tmp_path, TWO_CHAIRS) as it:
        began = it.now
        await it.go_on(2 * MINUTE)
        opened = it.now
        it.name = (await it.do(verb="open", bed="chair-1", reference="P-1"))["session"]
        await it.go_on(MINUTE)
        until_opened = {"bed": "chair-1", "since": iso(began), "until": iso(opened)}
        assigned = await it.entered(verb="assign", session=it.name, **until_opened)
        assert assigned["kind"] == "assigned"
        await it.do(verb="phase", session="chair-1", step="baseline")
        baseline_began = it.now
        await it.go_on(MINUTE)
        moved = it.now
        answer = await it.do(verb="move", session="chair-1", bed="chair-2")
        assert (answer["bed"], answer["phase"]) == ("chair-2", "baseline")
        other = (await it.do(verb="open", bed="chair-1", reference="P-2"))["session"]
        told = await it.refused(verb="assign", session=other, **until_opened)
        assert f"was in session {it.name}" in told["text"]
        await it.go_on(MINUTE)
        last = it.now
        shown = await it.show()
        assert [(stay["bed"], stay["since"], stay["until"]) for stay in shown["beds"]] == [
            ("chair-1", iso(opened), iso(moved)),
            ("chair-2", iso(moved), None),
            ("chair-1", iso(began), iso(opened)),
        ]
        # Both halves of the baseline, and the present moment.
        assert shown["baseline"]["spo2"]["readings"] == (last - baseline_began) // NS + 1
        [still_open] = await it.open_points(verb="close", session="chair-2")
        assert still_open == "An infusion was given (none was started)"
        answer = await it.do(verb="close", session="chair-2", reason="went to hospital")
        assert answer["entries"][0]["text"] == "session closed: went to hospital"
        assert [each["met"] for each in answer["entries"][0]["content"]["criteria"]] == [False]
        assert await it.entered(verb="note", session=other, text="waits") is not None
        await it.go_on(MINUTE)

    history, session = History(it.data), it.session()
    rows = of_stays(history, session, "spo2")
    # A stream is believed after its third frame.
    assert [row.observed_at for row in rows] == list(range(rows[0].observed_at, last, NS))
    assert rows[0].observed_at - began <= 3 * NS
    assert {row.bed for row in rows if row.observed_at >= moved} == {"chair-2"}
    assert {row.bed for row in rows if row.observed_at < moved} == {"chair-1"}
    assert verify(it.station.journal.path).holds

    journal = Journal(it.data)
    journal.open()
    try:
        desk = Desk(it.config, journal, it.data, it.clock)
        await desk.load()
        found = desk.on_bed("chair-1")
        assert found is not None
        assert (found.id, found.reference, len(found.entries)) == (other, "P-2", 2)
        assert desk.on_bed("chair-2") is None
    finally:
        await journal.close()
