"""What a sink refused: the commands `dead-letters` and `resend` of each sink."""

from __future__ import annotations

import contextlib
import json
import time
from pathlib import Path
from typing import Annotated

import typer

from drivers.clock import iso
from drivers.errors import ConfigError, SinkBusy, SinkRefused
from monitor.cli.options import data_folder
from monitor.sinks.forwarder import FORWARDING, resend_file
from monitor.storage.backlog import Backlog, DeadLetter
from monitor.storage.lock import StationLock

_REQUEST_SECONDS = 30.0
_OUTCOME_SECONDS = 10.0
_LOOK_EVERY = 0.1
_MOST_LETTERS = 100_000

Config = Annotated[Path | None, typer.Option(help="The station's configuration, for where its journal is.")]
DataDir = Annotated[Path | None, typer.Option(help="The journal's folder; else as configured.")]


def add_dead_letters(app: typer.Typer, sink: str, title: str) -> None:
    """Give `app`, which is called like the sink, the two commands; `title` is what people call the sink."""

    @app.command(name="dead-letters", help=f"List what {title} refused for what it is, and why.")
    def dead_letters(
        as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
        data_dir: DataDir = None,
        config: Config = None,
    ) -> None:
        show(data_folder(config, data_dir), sink, as_json=as_json)

    @app.command(
        help=f"Have the running station send again what {title} refused, once the reason is gone; exit code 1 if any "
        "remains.\n\nOnly the station writes its journal: so it is asked, by a file in its folder."
    )
    def resend(data_dir: DataDir = None, config: Config = None) -> None:
        send_again(data_folder(config, data_dir), sink)


def show(folder: Path, sink: str, *, as_json: bool) -> None:
    """Print those that wait."""
    letters = _waiting(folder, sink)
    if not letters and not as_json:
        print("no dead letters")
    for letter in letters:
        if as_json:
            print(json.dumps({**letter._asdict(), "at": iso(letter.at)}, ensure_ascii=False))
        else:
            # The segments of an HL7 message end with a carriage return, which would have each overwrite the last.
            line = letter.line.strip("\r").replace("\r", "\n    ")
            print(f"{letter.id}  {iso(letter.at)}  {letter.reason}\n    {line}")


def send_again(folder: Path, sink: str) -> None:
    """Ask the station to send them again, and print what came of it. Raises SinkRefused where any remains."""
    before = _waiting(folder, sink)
    if not before:
        print("no dead letters")
        return
    if not _station_runs(folder):
        raise SinkRefused(f"no station runs on {folder}: start it, and then say this again")
    _ask(resend_file(folder, sink), sink)
    # The station has taken the request; what it sends may take a while, and what comes of it is in its journal.
    deadline = time.monotonic() + _OUTCOME_SECONDS
    while (left := _still(folder, sink, before)) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY)
    print(f"{len(before) - len(left)} of {len(before)} dead letters were taken")
    if left:
        with contextlib.closing(Backlog(folder)) as backlog:
            row = backlog.sink(sink)
        why = left[0].reason if row.state == FORWARDING else row.detail
        raise SinkRefused(f"{len(left)} still wait (`infusion-monitor {sink} dead-letters` lists them): {why}")


def _waiting(folder: Path, sink: str) -> list[DeadLetter]:
    with contextlib.closing(Backlog(folder)) as backlog:
        return backlog.dead_letters(sink, _MOST_LETTERS)


def _still(folder: Path, sink: str, before: list[DeadLetter]) -> list[DeadLetter]:
    ids = {letter.id for letter in before}
    return [letter for letter in _waiting(folder, sink) if letter.id in ids]


def _station_runs(folder: Path) -> bool:
    try:
        return StationLock(folder).holder() is not None
    except OSError as error:
        raise ConfigError([f"{folder}: {error.strerror}"]) from error


def _ask(request: Path, sink: str) -> None:
    """Leave the request for the station, and wait until it has taken it."""
    try:
        request.touch(mode=0o600)
        deadline = time.monotonic() + _REQUEST_SECONDS
        while request.exists():
            if time.monotonic() > deadline:
                request.unlink(missing_ok=True)
                raise SinkBusy(
                    f"the station did not look at {request} for {_REQUEST_SECONDS:g} s: "
                    f"does its configuration have a section `{sink}`?"
                )
            time.sleep(_LOOK_EVERY)
    except OSError as error:
        raise ConfigError([f"{request}: {error.strerror}"]) from error
