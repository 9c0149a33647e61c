"""The steps of an import: read the file, look whether it may go there, then write it into a session that ends last."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from drivers.clock import iso
from drivers.errors import JournalUnusable, StepRefused
from drivers.recordings import formats
from drivers.recordings.bounds import named
from monitor.cli.import_client import ImportClient
from monitor.cli.progress import progress
from monitor.config import StationConfig
from monitor.sessions import importing
from monitor.sessions.importing import Import
from monitor.sessions.portions import portions
from monitor.sessions.session import Session
from monitor.sessions.steps import State
from monitor.sessions.text import local
from monitor.storage.connection import JOURNAL_FILE
from monitor.storage.history import History
from monitor.storage.session_entries import SessionEntries


class Asked(NamedTuple):
    """What the command was asked for."""

    file: Path
    format: str | None
    of: str
    """Whose columns to read, of a file with several devices; all without it."""
    bed: str
    device: str
    reference: str | None
    start: int | None
    """UTC nanoseconds."""
    by: str


def imported(asked: Asked, folder: Path, station: StationConfig, now: int) -> dict[str, Any]:
    """Have it imported into the journal in `folder`, and give what is told of it.

    Raises BadCapture, ExtraMissing, ConfigError, StepRefused, StationSilent and JournalUnusable. Nothing was written
    where it is not StationSilent, or says that the same command goes on with it.
    """
    reference = importing.reference_of(_stem(asked.file)) if asked.reference is None else asked.reference
    importing.check_names(asked.bed, asked.device, reference)
    recording = formats.reader(asked.file, asked.format)(asked.file, asked.of)
    # What a file calls something is written into the chart, which holds text that can be printed.
    recording = replace(recording, ignored=tuple(map(named, recording.ignored)))
    sha256 = formats.sha256(asked.file, asked.format)
    key = importing.key_of(sha256, asked.bed, asked.device, asked.start)
    earlier = _earlier(folder, key)
    begun = None if earlier is None else earlier.opened_at
    placed, times = importing.placed(recording, asked.start, begun, now)
    wanted = Import(placed, times, named(asked.file.name), sha256, asked.bed, asked.device, reference, asked.by, key)
    _check(wanted, earlier, folder, now)
    return _bring(wanted, earlier, ImportClient(folder, lambda: station))


def _check(wanted: Import, earlier: Session | None, folder: Path, now: int) -> None:
    """Raise StepRefused or BadCapture where it cannot go there. Nothing was written yet."""
    if earlier is not None and earlier.state is State.CLOSED:
        raise StepRefused(
            f"{wanted.file} is there already: session {earlier.id}, {wanted.bed}, {local(earlier.opened_at)} to "
            f"{local(earlier.closed_at or 0)}"
        )
    importing.check_times(wanted.file, wanted.recording, now)
    importing.check_values(wanted.file, wanted.recording)
    if not (folder / JOURNAL_FILE).exists():
        return
    stored = map(Session, SessionEntries(folder).all(wanted.since))
    importing.refuse_overlap(wanted, [it for it in stored if earlier is None or it.id != earlier.id])
    traces = History(folder).chart(wanted.bed, wanted.since, wanted.until + 1)
    if others := sorted({it.device for it in traces if len(it.readings.observed_at)} - {wanted.device}):
        raise StepRefused(
            f"{', '.join(others)} measured on {wanted.bed} between {local(wanted.since)} and {local(wanted.until)}: "
            f"two recordings would become one; {importing.ELSEWHERE}"
        )


def _bring(wanted: Import, earlier: Session | None, client: ImportClient) -> dict[str, Any]:
    session = str(client.do(wanted.opening())["session"])
    client.do(wanted.assigning(session))
    client.do(wanted.noting(session))
    recording = wanted.recording
    there = set() if earlier is None else _stored_runs(client.data_dir, wanted)
    size = sum(len(it.t) for it in recording.series.values()) + sum(len(it.samples) for it in recording.waveforms)
    with progress("importing", size) as step:
        client.bring(portions(recording, session, wanted.bed, wanted.device, there), lambda it: step(it.size))
    _check_complete(client.data_dir, wanted)
    done = client.do(wanted.closing(session))
    return {
        "recorded": done["recorded"],
        "session": session,
        "reference": done["reference"],
        "bed": wanted.bed,
        "device": wanted.device,
        "since": iso(wanted.since),
        "until": iso(wanted.until),
        "times": wanted.times,
        "file": wanted.file,
        "sha256": wanted.sha256,
        "readings": {vital: len(series.t) for vital, series in recording.series.items()},
        "waveforms": {wave.name: len(wave.samples) for wave in recording.waveforms},
        "ignored": list(recording.ignored),
    }


def _earlier(folder: Path, key: str) -> Session | None:
    """The session of an earlier attempt at the same import."""
    if not (folder / JOURNAL_FILE).exists():
        return None
    stored = SessionEntries(folder)
    entry = stored.with_request(importing.request_of(key, "open"))
    return None if entry is None else Session(stored.of(entry.session))


def _stored_runs(folder: Path, wanted: Import) -> Collection[tuple[str, int]]:
    """Names and times of the runs of samples that are there: brought again, they would be stored twice."""
    history = History(folder)
    return {
        (wave.name, found.waveform.observed_at)
        for wave in wanted.recording.waveforms
        for found in history.waveforms(wanted.bed, wave.name, wanted.since, wanted.until)
        if found.device == wanted.device
    }


def _check_complete(folder: Path, wanted: Import) -> None:
    """Raise JournalUnusable where the journal has not all of its readings."""
    traces = History(folder).chart(wanted.bed, wanted.since, wanted.until + 1)
    there = {it.vital: len(it.readings.observed_at) for it in traces if it.device == wanted.device}
    for vital, series in wanted.recording.series.items():
        asked, found = importing.distinct(series), there.get(vital, 0)
        if found < asked:
            raise JournalUnusable(
                f"of {asked} readings of {vital} the journal has {found}: the session stays open; the same command "
                "goes on with it"
            )


def _stem(file: Path) -> str:
    return file.name.partition(".")[0] or file.name
