"""`infusion-monitor alert`: what stands now, and what people do to it, until a page has buttons for that.

Exit codes: 0 done, or it was so before; 1 refused, or no station runs; 2 wrong use or configuration; 3 done, and not on
disk yet; 4 it is not known whether it was done.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from drivers.clock import SystemClock
from drivers.errors import AlertActionRefused, InfusionMonitorError
from monitor.alerts import actions
from monitor.alerts.board import STATION
from monitor.alerts.conditions import ALARM, AUDIO, AlertEvent
from monitor.alerts.rules import Signals
from monitor.alerts.signals import restored
from monitor.cli import session_print
from monitor.cli.desk_client import AlertClient
from monitor.cli.options import AsJson, By, Config, DataDir, data_folder, exit_code, login, say_whether_recorded
from monitor.config_checks import THE_STATION
from monitor.storage.standing import standing

alert_app = typer.Typer(
    help="What stands now, and acknowledging, pausing and switching it. `alerts` prints all that was recorded.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


class What(StrEnum):
    """Which signals."""

    AUDIO = AUDIO
    ALARM = ALARM


Bed = Annotated[str, typer.Argument(help=f"The bed, or `{THE_STATION}` for the station itself.")]
Which = Annotated[What, typer.Argument(help="What sounds, or all signals of the bed.")]


@alert_app.command(name="list")
def list_(
    bed: Annotated[
        str | None, typer.Argument(help=f"Only this bed, or `{THE_STATION}` for the station itself.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for each bed one.")] = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Print what stands; where no station runs, what stood when the last one ended."""
    with _errors(as_json):
        folder = data_folder(config, data_dir)
        beds = AlertClient(folder).stands()
        runs = beds is not None
        if beds is None:
            beds = _recorded(folder, bed)
        shown = [one for one in beds if bed is None or one["bed"] == _name(bed)]
        if not shown:
            names = ", ".join(_where(one) for one in beds)
            raise AlertActionRefused(f"there is no bed {bed!r}; there are: {names}")
        if not runs and not as_json:
            print(
                f"infusion-monitor: NO STATION RUNS on {folder}: this stood when the last one ended",
                file=sys.stderr,
                flush=True,
            )
        for one in shown:
            if as_json:
                print(session_print.as_json({"station_runs": runs, **one}))
            else:
                print("\n".join(_lines(one, runs=runs)))


@alert_app.command()
def acknowledge(
    bed: Bed,
    rules: Annotated[
        list[str] | None, typer.Argument(metavar="RULE", help="Which, as `list` names them; else all that stand.")
    ] = None,
    by: By = None,
    as_json: AsJson = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Say that you have seen alerts: they are silent until they end, and what comes on later sounds."""
    _do("acknowledge", bed, {"rules": rules} if rules else {}, by, as_json, config, data_dir)


@alert_app.command()
def pause(
    bed: Bed,
    what: Which,
    seconds: Annotated[float | None, typer.Option(help="How long; else as the alert profile has it.")] = None,
    by: By = None,
    as_json: AsJson = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Have no audio, or no signals at all, for a time."""
    more = {} if seconds is None else {"seconds": seconds}
    _do("pause", bed, {"what": what.value, **more}, by, as_json, config, data_dir)


@alert_app.command()
def off(
    bed: Bed, what: Which, by: By = None, as_json: AsJson = False, config: Config = None, data_dir: DataDir = None
) -> None:
    """Have no audio, or no signals at all, until they are switched on; where the alert profile allows that."""
    _do("off", bed, {"what": what.value}, by, as_json, config, data_dir)


@alert_app.command()
def on(
    bed: Bed, what: Which, by: By = None, as_json: AsJson = False, config: Config = None, data_dir: DataDir = None
) -> None:
    """End a pause, or switch on what was off."""
    _do("on", bed, {"what": what.value}, by, as_json, config, data_dir)


def _do(
    verb: str,
    bed: str,
    fields: dict[str, Any],
    by: str | None,
    as_json: bool,
    config: Path | None,
    data_dir: Path | None,
) -> None:
    """Have it done, and print what was told of it, and what stands then."""
    with _errors(as_json):
        said = {"verb": verb, "bed": _name(bed), "by": by or login(), **fields}
        answer = AlertClient(data_folder(config, data_dir)).do(said)
        print(session_print.as_json(answer) if as_json else "\n".join(_told(answer)))
        say_whether_recorded(answer, as_json=as_json)


def _told(answer: dict[str, Any]) -> Iterator[str]:
    """What was done, and what stands then."""
    for event in answer["told"]:
        yield f"{_where(answer)}  {event['state']}: {event['text']}"
    if not answer["told"]:
        yield f"{_where(answer)}  it was so before"
    yield "now:"
    yield from _lines(answer, runs=True)


def _recorded(folder: Path, bed: str | None) -> list[dict[str, Any]]:
    """What the journal says of all beds of which it says something, of that bed, and of the station itself."""
    by_bed: dict[str, list[tuple[AlertEvent, int]]] = {} if bed is None else {_name(bed): []}
    for one in standing(folder):
        by_bed.setdefault(one.event.bed, []).append(one)
    station = by_bed.pop(STATION, [])
    now, at = SystemClock.monotonic(), SystemClock.now_ns()
    return [
        # Nobody is told anything now: no rule of a profile matters.
        actions.standing(name, restored(Signals(), several, now, at), now)
        for name, several in (*sorted(by_bed.items()), (STATION, station))
    ]


def _lines(content: dict[str, Any], *, runs: bool) -> Iterator[str]:
    """What stands on a bed, one line each."""
    where = f"{_where(content):12}"
    for alert in content["alerts"]:
        by = f" by {alert['actor']}" if alert["state"] == "acknowledged" else ""
        yield (
            f"{where}  {alert['priority']:6}  {alert['state'] + by:12}  since {_local(alert['since'])}  "
            f"{alert['rule']}: {' '.join(alert['text'].split())}"
        )
    if not content["alerts"]:
        yield f"{where}  no alerts"
    for what in What:
        signals = content[what.value]
        if signals["state"] != "on":
            left = f", {signals['for_s']:.0f} s left" if runs and signals["for_s"] is not None else ""
            yield (
                f"{where}  {what.value} {signals['state']} by {signals['by']}  since {_local(signals['since'])}{left}"
            )


def _name(bed: str) -> str:
    return STATION if bed == THE_STATION else bed


def _where(content: dict[str, Any]) -> str:
    return content["bed"] or THE_STATION


def _local(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S}"


@contextmanager
def _errors(as_json: bool) -> Iterator[None]:
    try:
        yield
    except InfusionMonitorError as error:
        if as_json:
            print(session_print.as_json(session_print.error(error)))
        else:
            print(f"infusion-monitor: {error}", file=sys.stderr)
        raise typer.Exit(exit_code(error)) from error
