"""kill -9 of the station and of commands at any moment of a session's steps: each step is whole or not there.

And whoever asked for it knows which. `CRASHES=50` in the environment is the whole show, without it it is a fifth of
that. With `--log-cli-level=INFO` it tells at the end what was asked, and what became of it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from drivers.clock import iso
from drivers.errors import StationSilent, StepRefused
from monitor import config_file
from monitor.cli import desk_client
from monitor.cli.desk_client import DeskClient
from monitor.sessions.entries import Entry, Kind
from monitor.sessions.requests import Request
from monitor.sessions.session import Session
from monitor.sessions.steps import STEPS, State, Step
from monitor.storage.session_entries import entry_of
from tests.monitor.program import COMMAND, ROOT, RunningStation, call, wait_for

CRASHES = int(os.environ.get("CRASHES", "10"))
CALLERS = 5
"""Threads of this process, each with its own `DeskClient`; two more make each step of one bed twice at once."""
COMMANDERS = 2
"""Threads that have commands run, and kill some of them."""
BEDS = ["chair-1", "chair-2", "chair-3"]
FOR_TWO = "chair-4"
"""Where two people do the same at once, and nobody else does anything."""
PATIENCE = 1.0
"""Seconds: shorter than a person's, so that a station's death is more than a delay."""
LONGEST_PAUSE = 1.5
"""Seconds from a station's death to the next one."""

_POSITIONAL = {
    "open": ["bed"],
    "phase": ["session", "step"],
    "check": ["session", "item", "answer"],
    "note": ["session", "text"],
    "score": ["session", "scale", "value"],
    "correct": ["session", "number"],
    "move": ["session", "bed"],
    "close": ["session"],
}
_KINDS = {
    "open": Kind.OPENED,
    "phase": Kind.STEP,
    "check": Kind.CHECK,
    "note": Kind.NOTE,
    "score": Kind.SCORE,
    "correct": Kind.CORRECTION,
    "move": Kind.MOVED,
    "close": Kind.CLOSED,
}
_READ = """
import json, sqlite3, sys
connection = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, isolation_level=None)
connection.execute("BEGIN")
there = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'session_entries'").fetchone()[0]
rows = connection.execute(
    "SELECT session, number, kind, at, entered_at, author, bed, content, request FROM session_entries ORDER BY id"
).fetchall() if there else []
print(json.dumps([rows, connection.execute("PRAGMA integrity_check").fetchall()]))
"""

_log = logging.getLogger(__name__)

Fields = dict[str, Any]
Answer = dict[str, Any]
Ask = Callable[[Fields], Answer]
"""Raises StepRefused, or StationSilent where it is not known whether it was done."""


class Stand(NamedTuple):
    """How a bed's session stood in the last answer about it."""

    session: str
    possible: tuple[str, ...]
    step: int | None = None
    """The number of the last step's entry, where it is known."""
    note: int | None = None
    """The number of a note's."""


class Callers:
    """What those who ask were told, all of them together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.done: dict[str, tuple[Fields, Answer]] = {}
        self.refused: set[str] = set()
        self.asked: set[str] = set()
        self.counts: Counter[str] = Counter()
        self._stands: dict[str, Stand] = {}

    def settle(self, ask: Ask, fields: Fields) -> Answer | None:
        """Ask until it is known what became of the request: the answer, or None where it was refused."""
        request = fields["request"]
        with self._lock:
            self.asked.add(request)
        for attempt in itertools.count():
            assert attempt < 100, f"never answered: {fields}"
            try:
                answer = ask(fields)
            except StepRefused as error:
                with self._lock:
                    self.refused.add(request)
                    self._learn_from_refusal(fields, error)
                return None
            except StationSilent:
                self.count("again")
                continue
            if answer["recorded"]:
                with self._lock:
                    self.done[request] = (fields, answer)
                    self._learn(fields, answer)
                return answer
            self.count("again")
        raise AssertionError

    def count(self, what: str) -> None:
        with self._lock:
            self.counts[what] += 1

    def answered(self, answer: Answer, began: int) -> None:
        """Count what had been done before it was asked for at `began` (UTC nanoseconds): nobody was told then."""
        with self._lock:
            self.counts["was done"] += answer["entries"][0]["entered_at"] < iso(began)

    def told(self) -> tuple[dict[str, tuple[Fields, Answer]], set[str]]:
        """What is done, and what was refused, for sure and from now on."""
        with self._lock:
            return dict(self.done), set(self.refused)

    def stand(self, bed: str) -> Stand | None:
        with self._lock:
            return self._stands.get(bed)

    def _learn(self, fields: Fields, answer: Answer) -> None:
        bed, verb, [entry] = answer["bed"], fields["verb"], answer["entries"]
        before = self._stands.get(bed)
        stand = Stand(answer["session"], tuple(answer["possible"]))
        if before is not None and before.session == stand.session:
            stand = before._replace(possible=stand.possible)
        if verb in {"phase", "close"}:
            stand = stand._replace(step=entry["number"])
        elif verb == "note":
            stand = stand._replace(note=entry["number"])
        elif verb == "correct" and fields.get("void"):
            stand = stand._replace(step=None)
        elif verb == "move":
            self._stands.pop(entry["content"]["from"], None)
        self._stands[bed] = stand

    def _learn_from_refusal(self, fields: Fields, error: StepRefused) -> None:
        steps = tuple(step for step in error.possible if step in set(Step))
        for bed, stand in self._stands.items():
            if steps and fields["verb"] in {"phase", "close"} and fields["session"] in {bed, stand.session}:
                self._stands[bed] = stand._replace(possible=steps)
                return
        if fields["verb"] == "open":
            # Somebody is there, and the next wrong step tells what is possible.
            self._stands[fields["bed"]] = Stand(fields["bed"], tuple(Step))


class Counting(DeskClient):
    """Counts what it did itself, while no station ran, and what a station that died had done."""

    def __init__(self, data_dir: Path, configuration: Path, callers: Callers) -> None:
        super().__init__(data_dir, lambda: config_file.load(configuration, here=False))
        self._callers = callers

    async def _do_here(self, request: Request) -> dict[str, Any]:
        began = time.time_ns()
        answer = await super()._do_here(request)
        self._callers.count("by a command itself")
        self._callers.answered(answer, began)
        return answer

    def _ask(self, body: bytes, seconds: float) -> dict[str, Any]:
        began = time.time_ns()
        answer = super()._ask(body, seconds)
        self._callers.answered(answer, began)
        return answer


class Commander:
    """Asks by commands, and kills some of them in the middle."""

    def __init__(self, arguments: list[str], callers: Callers, chance: random.Random) -> None:
        self._arguments = arguments
        self._callers = callers
        self._chance = chance
        self._takes = 1.0

    def ask(self, fields: Fields) -> Answer:
        began, began_at = time.monotonic(), time.time_ns()
        command = subprocess.Popen(
            [*COMMAND, "session", *_words(fields), *self._arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        try:
            # Most of its time is Python's start.
            may_take = self._takes * self._chance.uniform(0.6, 1.1) if self._chance.random() < 0.6 else 60.0
            said, why = command.communicate(timeout=may_take)
        except subprocess.TimeoutExpired:
            self._callers.count("commands killed")
            raise StationSilent from None
        finally:
            # Whatever ends the test, this must not outlive it.
            if command.returncode is None:
                command.kill()
                command.communicate()
        self._takes = time.monotonic() - began
        assert command.returncode in {0, 1, 3, 4}, why
        answer: Answer = json.loads(said)
        if command.returncode == 4:
            raise StationSilent(answer["text"])
        if command.returncode == 1:
            assert answer["error"] in {"refused", "confirm"}, answer
            raise StepRefused(answer["text"], answer["possible"])
        assert answer["recorded"] is (command.returncode == 0)
        self._callers.answered(answer, began_at)
        return answer


def _words(fields: Fields) -> list[str]:
    """What a person types for that request."""
    verb = fields["verb"]
    words = [verb, "--json", *(str(fields[name]) for name in _POSITIONAL[verb] if name in fields)]
    for name, value in fields.items():
        if name not in {"verb", *_POSITIONAL[verb]}:
            words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    return words


def _draw(chance: random.Random, callers: Callers, by: str) -> Fields:
    """The next request: some can be done, as far as is known, and as many cannot."""
    bed, right = chance.choice(BEDS), chance.random() < 0.6
    fields: Fields = {"request": f"{chance.getrandbits(128):032x}", "by": by}
    stand = callers.stand(bed)
    closed = stand is None or not stand.possible
    if chance.random() < 0.1 or (closed and right and chance.random() < 0.8):
        return fields | {"verb": "open", "bed": bed, "reference": f"P-{chance.randrange(1000)}"}
    if stand is None:
        return fields | {"verb": "phase", "session": bed, "step": "baseline"}
    # A closed session is on no bed.
    fields["session"] = stand.session if closed else chance.choice([bed, stand.session])
    text = f"words {chance.getrandbits(32)}"
    if chance.random() < 0.4 and not closed:
        step = chance.choice([step for step in Step if (step in stand.possible) is right] or list(Step))
        if step is Step.CLOSE:
            return fields | {"verb": "close", "reason": text}
        confirm = {"confirm": True} if right and step is Step.START else {}
        return fields | {"verb": "phase", "step": step.value, **confirm}
    correction: Fields = {"verb": "correct", "number": 999, "reason": "a slip", "text": text}
    if right and stand.step is not None and chance.random() < 0.3:
        del correction["text"]
        correction |= {"number": stand.step, "void": True}
    elif right and stand.note is not None:
        correction["number"] = stand.note
    return fields | chance.choice(
        [
            {"verb": "check", "item": "consent" if right else "shoes", "answer": text},
            {"verb": "note", "text": text} | ({} if right else {"event": "dancing"}),
            {"verb": "score", "scale": "moaas", "value": chance.randrange(6) if right else 9},
            correction,
            {"verb": "move", "bed": chance.choice(BEDS) if right else FOR_TWO + "0"},
        ]
    )


def _as_asked(fields: Fields, entry: Entry) -> bool:
    """Whether the entry says what was asked for."""
    content = {
        key: value for key, value in fields.items() if key not in {"verb", "request", "by", "session", "confirm"}
    }
    bed = content.pop("bed", None)
    if fields["verb"] == "open":
        place = entry.bed == bed
    else:
        place = fields["session"] in {entry.session, entry.bed, entry.content.get("from")}
        content |= {"to": bed} if bed else {}
    if fields["verb"] == "correct":
        content["corrects"] = content.pop("number")
    said = content.items() <= entry.content.items()
    return said and place and (entry.kind, entry.author) == (_KINDS[fields["verb"]], fields["by"])


class Chart:
    """The journal's sessions, as SQLite itself reads them, followed in the order in which they were decided."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self.entries: list[Entry] = []
        self._by_request: dict[str, Entry] = {}
        self._sessions: dict[str, Session] = {}
        self._held: set[str] = set()

    def check(self, callers: Callers) -> None:
        """Hold what the callers were told so far against what is there."""
        done, refused = callers.told()
        self._read()
        there = self._by_request.keys()
        assert done.keys() <= there, "lost"
        assert not refused & there
        for request in done.keys() - self._held:
            fields, answer = done[request]
            [answered] = answer["entries"]
            entry = self._by_request[request]
            assert _as_asked(fields, entry), (fields, entry)
            assert answered == {**answered, **self._shown(entry, answered["corrected_by"])}
            assert answer["session"] == entry.session
        self._held = set(done)
        ours = {entry.request for entry in self.entries if entry.kind is not Kind.CLOCK_SET}
        assert ours <= callers.asked

    def _shown(self, entry: Entry, corrected_by: list[int]) -> dict[str, Any]:
        """What an answer that was given when the entry had these corrections has to say."""
        last = max([entry.number, *corrected_by])
        shown = Session(self._sessions[entry.session].entries[:last]).shown[entry.number - 1]
        return {
            "number": entry.number,
            "kind": entry.kind.value,
            "at": iso(shown.at),
            "entered_at": iso(entry.entered_at),
            "late_s": 0,
            "by": entry.author,
            "bed": entry.bed,
            "content": shown.content,
            "void": shown.void,
            "corrected_by": list(shown.corrected_by),
        }

    def _read(self) -> None:
        """Read what is there: nothing of before is lost or changed, and what is new could follow it."""
        if not self._journal.exists():
            return
        # In a process of its own: a command in a thread of this one opens and closes the file, which takes away every
        # lock that this process has on it.
        read = subprocess.run(
            [sys.executable, "-c", _READ, str(self._journal)], capture_output=True, text=True, timeout=60, check=False
        )
        assert read.returncode == 0, read.stderr
        rows, sound = json.loads(read.stdout)
        assert sound == [["ok"]]
        entries = [entry_of(row) for row in rows]
        assert entries[: len(self.entries)] == self.entries
        for entry in entries[len(self.entries) :]:
            self._follow(entry)
        self.entries = entries

    def _follow(self, entry: Entry) -> None:
        assert entry.request not in self._by_request
        self._by_request[entry.request] = entry
        before = self._sessions.get(entry.session)
        if before is None:
            assert (entry.number, entry.kind) == (1, Kind.OPENED)
            session = Session([entry])
        else:
            assert entry.number == len(before.entries) + 1
            assert entry.kind is not Kind.OPENED
            if entry.kind in {Kind.STEP, Kind.CLOSED}:
                step = Step(entry.content.get("step", Step.CLOSE))
                assert before.state in STEPS[step].after
            assert entry.kind is not Kind.MOVED or before.state is not State.CLOSED
            session = before.followed_by(entry)
        self._sessions[entry.session] = session
        on_it = [other.id for other in self._sessions.values() if session.bed and other.bed == session.bed]
        assert on_it in ([], [session.id])


class Clinic:
    """A station that dies, and those who go on asking."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self._configuration = folder / "clinic.yaml"
        oximeter = {"id": "oximeter", "driver": "nonin", "url": "simulated"}
        beds = [{"id": bed, "devices": [oximeter]} for bed in (*BEDS, FOR_TWO)]
        self._configuration.write_text(f"beds: {json.dumps(beds)}\n")
        self._arguments = ["--config", str(self._configuration), "--data-dir", str(self.data)]
        self.log = folder / "station.log"
        self.callers = Callers()
        self.chart = Chart(self.data / "journal.db")
        self._over = threading.Event()
        self.killed_at_start = 0

    def client(self) -> DeskClient:
        return Counting(self.data, self._configuration, self.callers)

    @contextlib.contextmanager
    def asking(self) -> Iterator[Callable[[], None]]:
        """Have everybody ask until the end; gives what raises an error that one of them has met."""
        with ThreadPoolExecutor(CALLERS + COMMANDERS + 3) as pool:
            asking: list[Future[None]] = [pool.submit(self._two_at_once, pool)]
            asking += [pool.submit(self._ask, self.client().do, f"caller {number}") for number in range(CALLERS)]
            for number in range(COMMANDERS):
                commander = Commander(self._arguments, self.callers, random.Random(100 + number))
                asking.append(pool.submit(self._ask, commander.ask, f"commander {number}"))

            def none_failed() -> None:
                for one in asking:
                    if one.done():
                        one.result()

            try:
                yield none_failed
            finally:
                self._over.set()
            for one in asking:
                one.result()

    def _ask(self, ask: Ask, by: str) -> None:
        chance = random.Random(by)
        while not self._over.is_set():
            self.callers.settle(ask, _draw(chance, self.callers, by))

    def _two_at_once(self, pool: ThreadPoolExecutor) -> None:
        """Walk through one session after the other, each step done by two at once: it is done by one of them."""
        chance = random.Random(7)
        clients = {"Anna": self.client(), "Bea": self.client()}
        phases = ["baseline", "start", "pause", "resume", "stop", "recovery"]
        walk: list[Mapping[str, Any]] = [
            {"verb": "open", "bed": FOR_TWO, "reference": "P-2"},
            *({"verb": "phase", "session": FOR_TWO, "step": phase} for phase in phases),
            {"verb": "close", "session": FOR_TWO, "reason": "went home"},
        ]
        for step in itertools.cycle(walk):
            if self._over.is_set():
                return
            confirm = {"confirm": True} if step.get("step") == "start" else {}
            both = [
                pool.submit(
                    self.callers.settle,
                    client.do,
                    {**step, **confirm, "by": by, "request": f"{chance.getrandbits(128):032x}"},
                )
                for by, client in clients.items()
            ]
            answers = [one.result() for one in both]
            assert sum(answer is not None for answer in answers) == 1, step
            self.callers.count("by one of two")

    def kill(self, chance: random.Random, crash: int) -> None:
        """Start a station and kill it: while it starts, right when it has, or later."""
        with self.log.open("a") as log:
            station = subprocess.Popen(
                [*COMMAND, "run", "--port", "0", *self._arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
            )
        assert station.stdout is not None
        try:
            if crash % 3 == 0:
                time.sleep(chance.uniform(0, 1.2))
            else:
                station.stdout.readline()
                time.sleep(chance.uniform(0, 0.1 if crash % 3 == 1 else 2.0))
            assert station.poll() is None, self.log.read_text()
        finally:
            # Whatever ends the test, this must not outlive it.
            station.kill()
            said, _ = station.communicate()
        self.killed_at_start += crash % 3 == 0 and not said

    def verified(self) -> None:
        held = call("verify", "--data-dir", self.data)
        assert held.returncode == 0, held.stdout + held.stderr


@pytest.mark.slow
@pytest.mark.timeout(300 + 10 * CRASHES)
def test_each_step_is_whole_or_not_there_and_the_caller_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_client, "PATIENCE", PATIENCE)
    chance = random.Random(5)
    clinic = Clinic(tmp_path)
    callers, chart, counts = clinic.callers, clinic.chart, clinic.callers.counts
    RunningStation(clinic.data, *clinic._arguments[:2]).stop()
    began = time.monotonic()
    with clinic.asking() as none_failed:
        for crash in range(CRASHES):
            clinic.kill(chance, crash)
            died = time.monotonic()
            chart.check(callers)
            if crash % 5 == 4:
                clinic.verified()
            none_failed()
            time.sleep(max(0.0, died + chance.uniform(0, LONGEST_PAUSE) - time.monotonic()))
        elapsed = time.monotonic() - began

        # Whatever the pauses came to: some is done by nobody but the callers, and then some by a station that stays.
        enough = counts["by a command itself"] + 5
        wait_for(lambda: counts["by a command itself"] >= enough or none_failed())
        station = RunningStation(clinic.data, *clinic._arguments[:2])
        try:
            enough = len(callers.done) + 10
            wait_for(lambda: len(callers.done) >= enough or none_failed())
        except BaseException:
            station.stop()
            raise
    try:
        chart.check(callers)
        before = len(chart.entries)
        done, refused = callers.told()
        assert done.keys() | refused == callers.asked
        assert not done.keys() & refused
        client = clinic.client()
        for fields, answer in random.Random(6).sample(list(done.values()), min(len(done), 50)):
            again = client.do(fields)
            assert again["session"] == answer["session"]
            assert again["entries"][0]["number"] == answer["entries"][0]["number"]
    finally:
        code, _ = station.stop()
    assert code == 0
    chart.check(callers)
    made = sum(entry.kind is not Kind.CLOCK_SET for entry in chart.entries)
    assert made == len(done)
    assert sum(entry.kind is not Kind.CLOCK_SET for entry in chart.entries[before:]) == 0
    clinic.verified()
    log = clinic.log.read_text()
    assert "[info" in log
    assert "[error" not in log
    assert "Traceback" not in log
    _log.info(
        "%d kills of the station in %.0f s, %d of them before it said that it runs, and %d of commands: of %d requests "
        "%d were done, %d of them by a command's own desk in a thread, and %d refused; %d times nobody could say and "
        "it was asked again; %d answers were of what had been done before; %d steps by two at once were one's",
        *(CRASHES, elapsed, clinic.killed_at_start, counts["commands killed"], len(callers.asked)),
        *(len(done), counts["by a command itself"], len(refused), counts["again"], counts["was done"]),
        counts["by one of two"],
    )
