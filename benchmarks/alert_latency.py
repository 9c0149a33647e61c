"""How long an alert takes from the write of its reading's last byte until it is told, whatever disk and sink do.

Frames are outside and inside a limit without a delay in turn, so that each turns an alert on or off. It counts as told
when the last of the board's listeners is called: after the page, the journal and the notifiers. The station's log goes,
in its usual form, to a place that takes everything.

Each station is first as it should be. After some frames the trouble begins, and the others are measured only once it
shows; afterwards the journal is held against what was told. The cases are gone through in turn, several times.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import logging
import os
import resource
import socket
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    closing,
    contextmanager,
    redirect_stderr,
)
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from benchmarks.bystanders import Bystanders
from benchmarks.clinic import configuration
from benchmarks.numbered import Numbered, running
from benchmarks.streams import Kind
from benchmarks.table import Table, quantile
from drivers.clock import SystemClock
from monitor import config_file
from monitor.alerts.conditions import AlertEvent, AlertState
from monitor.alerts.profile_file import DEFAULT
from monitor.cli.logs import LogFormat, set_up_logs
from monitor.sinks.forwarder import WAITING
from monitor.station import Station
from monitor.storage.backlog import Backlog
from monitor.storage.database import Database, Written
from monitor.storage.history import History

AIM_TIMES, AIM_MS = 2.0, 2.0
"""The 99th percentile in trouble: so many times that of a healthy station, or so many milliseconds."""
_ROUNDS = 4
_SAMPLES = 150
"""Of each case in a round."""
_WARM_UP = 20
DEVICE = Kind("nonin", {"format": "8"})
_RULE, _LIMIT = "bench", 120
KEYS = [(rate, 97) for turn in range(380) for rate in (_LIMIT + 1 + turn % 19, 60 + turn % 40)]
"""Outside and inside in turn; neither lasts, so that no other rule comes on."""
_PATIENCE = 20.0


class _Running(NamedTuple):
    """A station, and what can be made to fail."""

    station: Station
    folder: Path
    """Its data."""
    sink: socket.socket
    """Where its InfluxDB is said to be."""


@dataclass
class _Case:
    title: str
    trouble: Callable[[_Running], AbstractAsyncContextManager[None]]
    """It begins, and shows, where its `with` begins."""
    sink: bool = False
    """Whether an InfluxDB is configured."""
    listens: bool = False
    """Whether somebody is at its port."""
    seconds: list[float] = field(default_factory=list)
    bystanders: list[float] = field(default_factory=list)
    kept: int = 0
    """Changes of the alert that the journal has afterwards."""


def measure() -> Table:
    """Every case in every round."""
    table = Table(
        f"Alert latency: last byte written to a pseudo-terminal -> alert told, {_ROUNDS * _SAMPLES} changes each",
        f"p99 in trouble within {AIM_TIMES:g} times that of the healthy station, or under {AIM_MS:g} ms",
        ("station", "p50 ms", "p99 ms", "max ms", "p99, times healthy", "told", "in the journal", "bystanders %"),
        notes=[
            "Commits fail: the kernel refuses this process's writes to files (RLIMIT_FSIZE), as a full disk would. A",
            "commit hangs: `Database.write` is replaced by one that waits until the case is over, as for a disk that",
            "does not answer. The sink has nobody at its port, or somebody who takes what is sent and never answers.",
            "In the journal: once the trouble is over and the station has ended. bystanders: the CPU that all other",
            "programs took, in percent of one core; where that is much, p99 and maximum are the machine's scheduler's.",
        ],
    )
    cases = [
        _Case("healthy, no sink", _no_trouble),
        _Case("commits fail", _commits_fail),
        _Case("a commit hangs", _commit_hangs),
        _Case("sink: nobody listens", _nobody_listens, sink=True),
        _Case("sink: never answers", _never_answers, sink=True, listens=True),
    ]
    # A station loads the client when it has something to send for the first time: not in one case out of five.
    importlib.import_module("monitor.sinks.influxdb_post")
    with _logs_to_nowhere():
        for _ in range(_ROUNDS):
            for case in cases:
                # The rubbish of an earlier measurement is not the station's to clear away.
                gc.collect()
                asyncio.run(_run(case))
    healthy = _p99(cases[0])
    for case in cases:
        _add(table, case, healthy)
    return table


def _p99(case: _Case) -> float:
    return quantile(sorted(case.seconds), 0.99) * 1e3


def _add(table: Table, case: _Case, healthy: float) -> None:
    times = sorted(case.seconds)
    p50, p99, most = (quantile(times, share) * 1e3 for share in (0.5, 0.99, 1.0))
    told = _ROUNDS * (_WARM_UP + _SAMPLES)
    busy = sum(case.bystanders) / len(case.bystanders)
    figures = (f"{p50:.2f}", f"{p99:.2f}", f"{most:.2f}", f"{p99 / healthy:.2f}")
    table.rows.append((case.title, *figures, str(told), str(case.kept), f"{busy:.0f}"))
    table.raw.append(
        {"case": case.title, "seconds": case.seconds, "kept": case.kept, "bystanders_percent": case.bystanders}
    )
    if p99 > AIM_TIMES * healthy and p99 >= AIM_MS:
        table.missed.append(f"{case.title} ({p99:.1f} ms, {p99 / healthy:.1f} times)")
    if case.kept != told:
        table.missed.append(f"{case.title}: {case.kept} of {told} changes are in the journal")


async def _run(case: _Case) -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sink = stack.enter_context(_port(listens=case.listens))
        device = await stack.enter_async_context(Numbered(DEVICE, KEYS))
        settings = config_file.load(configured(folder, device.address, sink if case.sink else None))
        station = Station(settings, SystemClock(), data_dir=folder, port=0)
        came: list[tuple[float, AlertEvent]] = []

        def heard(_bed: str, events: Sequence[AlertEvent]) -> None:
            now = time.perf_counter()
            came.extend((now, event) for event in events if event.rule == _RULE)

        station.alarms.board.add_listener(heard)
        async with running(station, [device.address]):
            sent = await device.write(_WARM_UP)
            async with case.trouble(_Running(station, folder, sink)):
                bystanders = Bystanders()
                sent += await device.write(_SAMPLES)
                case.bystanders.append(bystanders.percent)
                await asyncio.sleep(0.2)
        _check([event for _, event in came], [written.key[0] for written in sent], case.title)
        kept = [event for event in History(folder).alerts() if event.rule == _RULE]
        case.kept += len(kept)
    case.seconds += [told - written.at for (told, _), written in zip(came, sent, strict=True)][_WARM_UP:]


def _check(told: list[AlertEvent], rates: list[int], case: str) -> None:
    """Raise RuntimeError unless each frame turned the alert on or off, in order."""
    expected = [(AlertState.ON if rate > _LIMIT else AlertState.OFF, rate) for rate in rates]
    if [(event.state, event.value) for event in told] != expected:
        raise RuntimeError(f"{case}: {len(told)} changes of {len(rates)} were told, or not in order")


def configured(folder: Path, address: str, sink: socket.socket | None = None) -> Path:
    """The configuration's file, beside its profile: the shipped one with a rule that has no delay."""
    whole: dict[str, Any] = json.loads(configuration([DEVICE], [address]))
    profile = {
        "profile": _RULE,
        "extends": DEFAULT,
        "rules": {_RULE: {"vital": "pulse_rate", "above": _LIMIT, "priority": "medium"}},
    }
    whole["alerts"] = {"profile": _RULE, "profiles": ["bench.yaml"]}
    (folder / "bench.yaml").write_text(json.dumps(profile), encoding="utf-8")
    if sink is not None:
        (folder / "token").write_text("token", encoding="utf-8")
        url = f"http://127.0.0.1:{sink.getsockname()[1]}"
        whole["influxdb"] = {"url": url, "org": "clinic", "bucket": "vitals", "token_file": str(folder / "token")}
    file = folder / "clinic.yaml"
    file.write_text(json.dumps(whole), encoding="utf-8")
    return file


@asynccontextmanager
async def _no_trouble(_: _Running) -> AsyncIterator[None]:
    yield


@asynccontextmanager
async def _commits_fail(it: _Running) -> AsyncIterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, hard))
    try:
        # Something to commit.
        it.station.journal.record_audit("bench", "the disk is full", "")
        await _until(lambda: it.station.journal.health.error is not None, "commit that fails")
        yield
        if it.station.journal.health.error is None:
            raise RuntimeError("the disk took something")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@asynccontextmanager
async def _commit_hangs(it: _Running) -> AsyncIterator[None]:
    write, hangs, over = Database.write, threading.Event(), threading.Event()

    def hanging(database: Database, *work: Any) -> Written:
        hangs.set()
        over.wait()
        return write(database, *work)

    with mock.patch.object(Database, "write", hanging):
        try:
            it.station.journal.record_audit("bench", "the disk does not answer", "")
            await _until(hangs.is_set, "commit that hangs")
            yield
        finally:
            over.set()


@asynccontextmanager
async def _nobody_listens(it: _Running) -> AsyncIterator[None]:
    with closing(Backlog(it.folder, waveforms=False)) as backlog:
        await _until(lambda: backlog.sink("influxdb").state == WAITING, "sink that waits")
        yield


@asynccontextmanager
async def _never_answers(it: _Running) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    connection, _ = await asyncio.wait_for(loop.sock_accept(it.sink), _PATIENCE)
    with connection:
        await asyncio.wait_for(loop.sock_recv(connection, 1), _PATIENCE)
        yield


async def _until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {_PATIENCE:g} s")
        await asyncio.sleep(0.05)


@contextmanager
def _port(*, listens: bool) -> Iterator[socket.socket]:
    """A port that nobody else takes meanwhile."""
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        port.setblocking(False)
        if listens:
            port.listen()
        yield port


@contextmanager
def _logs_to_nowhere() -> Iterator[None]:
    """What the station says is made up as ever, and let go."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        with redirect_stderr(nowhere):
            set_up_logs(LogFormat.TEXT)
        try:
            yield
        finally:
            root.setLevel(level)
            root.handlers[:] = handlers
