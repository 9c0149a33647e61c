"""kill -9 of the station, and of commands, during session steps: each is whole or not there, and the caller knew which.

`CRASHES=50` in the environment is the whole show. With `--log-cli-level=INFO` it tells at the end what there was.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from drivers.errors import StationSilent, StepRefused
from monitor import config_file
from monitor.cli import desk_client
from monitor.cli.desk_client import DeskClient
from monitor.config import StationConfig
from monitor.sessions.entries import Entry, Kind
from monitor.sessions.requests import Request
from monitor.sessions.session import Session
from monitor.sessions.steps import STEPS, State, Step, possible
from monitor.storage.session_entries import SessionEntries
from tests.monitor.program import COMMAND, ROOT, call

CRASHES = int(os.environ.get("CRASHES", "10"))
BEDS = [f"chair-{number}" for number in range(1, 5)]
_log = logging.getLogger(__name__)


class Clinic:
    """What was asked for, and what the callers were told."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.file = folder / "clinic.yaml"
        beds = [
            {"id": bed, "devices": [{"id": "a", "driver": "nonin", "url": f"{folder}/no-port-{bed}"}]} for bed in BEDS
        ]
        self.file.write_text(f"beds: {json.dumps(beds)}\n")
        self.configuration = config_file.load(self.file)
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.done: dict[str, dict[str, Any]] = {}
        self.refused: set[str] = set()
        self.unanswered = 0
        self.alone = 0
        self.killed_commands = 0
        self.failures: list[BaseException] = []

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*COMMAND, "run", "--port", "0", "--data-dir", str(self.data), "--config", str(self.file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )

    def rows(self) -> dict[str, Entry]:
        """What SQLite itself finds in the journal, by request."""
        if not (self.data / "journal.db").exists():
            return {}
        question = "SELECT session, number, kind, at, entered_at, author, bed, content, request FROM session_entries"
        with contextlib.closing(sqlite3.connect(f"file:{self.data / 'journal.db'}?mode=ro", uri=True)) as connection:
            if not connection.execute("PRAGMA user_version").fetchone()[0]:
                return {}  # killed before there was a table
            found = connection.execute(question).fetchall()
        entries = [Entry(*row[:2], Kind(row[2]), *row[3:7], json.loads(row[7]), row[8]) for row in found]
        assert len({entry.request for entry in entries}) == len(entries)
        return {entry.request: entry for entry in entries}

    def assert_as_told(self) -> None:
        with self.lock:
            done, refused = dict(self.done), set(self.refused)
        rows = self.rows()
        for request, answer in done.items():
            entry, [told] = rows[request], answer["entries"]
            assert (entry.session, entry.number, entry.kind) == (answer["session"], told["number"], told["kind"])
            assert (entry.author, entry.bed, entry.content) == (told["by"], told["bed"], told["content"])
        assert not refused & rows.keys()


class Client(DeskClient):
    """One that counts what it decides itself."""

    def __init__(self, clinic: Clinic) -> None:
        def configuration() -> StationConfig:
            return clinic.configuration

        super().__init__(clinic.data, configuration)
        self._clinic = clinic

    async def _do_here(self, request: Request) -> dict[str, Any]:
        answer = await super()._do_here(request)
        with self._clinic.lock:
            self._clinic.alone += 1
        return answer

    def _ask(self, body: bytes, seconds: float) -> dict[str, Any]:
        try:
            return super()._ask(body, seconds)
        except desk_client._NoAnswer:
            with self._clinic.lock:
                self._clinic.unanswered += 1
            raise


class Caller(threading.Thread):
    """A person who goes on and on, at one bed."""

    def __init__(self, clinic: Clinic, bed: str, seed: int) -> None:
        super().__init__(name=f"caller {seed}")
        self._clinic = clinic
        self._bed = bed
        self._chance = random.Random(seed)
        self._possible = ["open"]
        self._client = Client(clinic)

    def run(self) -> None:
        try:
            while not self._clinic.ended.is_set():
                self._ask({**self._next(), "by": self.name, "request": uuid4().hex})
                time.sleep(self._chance.uniform(0, 0.02))
        except BaseException as error:
            self._clinic.failures.append(error)
            raise

    def _next(self) -> dict[str, Any]:
        """As a rule something that is possible, by what this caller was told last."""
        chance, bed = self._chance, self._bed
        if "open" in self._possible or chance.random() < 0.1:
            return {"verb": "open", "bed": bed, "reference": f"P-{chance.randrange(100)}"}
        if chance.random() < 0.5:
            step = chance.choice(self._possible if chance.random() < 0.8 else [step.value for step in Step])
            if step == Step.CLOSE:
                return {"verb": "close", "session": bed, "reason": "the end"}
            return {"verb": "phase", "session": bed, "step": step, "confirm": True}
        return {
            "session": bed,
            **chance.choice(
                [
                    {"verb": "note", "text": f"note {chance.randrange(1000)}"},
                    {"verb": "check", "item": chance.choice(["consent", "escort", "none"])},
                    {"verb": "score", "scale": "pain", "value": chance.randrange(13)},
                    {"verb": "correct", "number": chance.randrange(1, 8), "void": True, "reason": "a slip"},
                    {"verb": "move", "bed": bed},
                ]
            ),
        }

    def _ask(self, fields: dict[str, Any]) -> None:
        if fields["verb"] == "note" and self._chance.random() < 0.2:
            self._by_a_command_that_dies(fields)
        while True:
            try:
                answer = self._client.do(fields)
            except StationSilent:
                # It says that the same can be said again: no answer leaves anybody in doubt for good.
                continue
            except StepRefused as refusal:
                self._learn(refusal)
                with self._clinic.lock:
                    self._clinic.refused.add(fields["request"])
                return
            self._possible = answer["possible"] or ["open"]
            with self._clinic.lock:
                self._clinic.done[fields["request"]] = answer
            return

    def _learn(self, refusal: StepRefused) -> None:
        if "no session is open" in str(refusal):
            self._possible = ["open"]
        elif "has an open session" in str(refusal):
            self._possible = [step.value for step in possible(State.CHECK_IN)]
        elif "is not possible" in str(refusal):
            self._possible = list(refusal.possible)

    def _by_a_command_that_dies(self, fields: dict[str, Any]) -> None:
        """The same as a command of its own, killed at some moment; whether it was done is for the next to find out."""
        text = ["note", fields["session"], fields["text"]]
        where = ["--by", fields["by"], "--request", fields["request"], "--data-dir", str(self._clinic.data)]
        command = subprocess.Popen(
            [*COMMAND, "session", *text, *where, "--config", str(self._clinic.file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )
        time.sleep(self._chance.uniform(0.3, 1.2))
        command.kill()
        if command.wait() == -signal.SIGKILL:
            with self._clinic.lock:
                self._clinic.killed_commands += 1


@contextlib.contextmanager
def calling(clinic: Clinic) -> Iterator[None]:
    # Two at the first bed.
    callers = [Caller(clinic, bed, seed) for seed, bed in enumerate([BEDS[0], *BEDS])]
    for caller in callers:
        caller.start()
    try:
        yield
    finally:
        clinic.ended.set()
        for caller in callers:
            caller.join()


def assert_in_order(entries: list[Entry]) -> None:
    """What was entered follows the table of steps, with void steps taken back."""
    state = [State.CHECK_IN]
    assert [entry.number for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[0].kind is Kind.OPENED
    for entry in entries[1:]:
        if entry.kind in {Kind.STEP, Kind.CLOSED}:
            rule = STEPS[Step.CLOSE if entry.kind is Kind.CLOSED else Step(entry.content["step"])]
            assert state[-1] in rule.after
            state.append(rule.to)
        elif entry.kind is Kind.CORRECTION and entries[entry.content["corrects"] - 1].kind in {Kind.STEP, Kind.CLOSED}:
            state.pop()
    assert Session(entries).state is state[-1]


@pytest.mark.timeout(120 + 10 * CRASHES)
def test_a_step_is_whole_or_not_there_and_the_caller_knew_which(tmp_path: Path) -> None:
    chance = random.Random(6)
    clinic = Clinic(tmp_path)
    began = time.monotonic()
    with calling(clinic):
        for crash in range(CRASHES):
            station = clinic.start()
            try:
                time.sleep(chance.uniform(0, 0.7) if crash % 3 == 0 else chance.uniform(1.0, 2.5))
                assert station.poll() is None, "the station ended by itself"
            finally:
                station.kill()
                station.wait()
            clinic.assert_as_told()
            time.sleep(chance.uniform(0, 0.8) if crash % 2 else 0)
    assert clinic.failures == []
    clinic.assert_as_told()

    rows = clinic.rows()
    assert set(rows) == set(clinic.done)
    sessions = list(SessionEntries(clinic.data).all())
    assert sum(map(len, sessions)) == len(rows)
    for entries in sessions:
        assert_in_order(entries)
    beds = [session.bed for session in map(Session, sessions) if session.bed]
    assert len(beds) == len(set(beds))
    with contextlib.closing(sqlite3.connect(clinic.data / "journal.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    held = call("verify", "--data-dir", clinic.data)
    assert held.returncode == 0, held.stdout
    assert clinic.alone
    _log.info(
        "%d kills of the station and %d of commands in %.0f s: %d steps done, %d of them by a command itself, "
        "%d refused, %d times no answer, %d sessions",
        *(CRASHES, clinic.killed_commands, time.monotonic() - began, len(clinic.done), clinic.alone),
        *(len(clinic.refused), clinic.unanswered, len(sessions)),
    )
