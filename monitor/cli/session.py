"""`infusion-monitor session`: the visit of a patient, from opening to closing, and what was written about it.

Exit codes: 0 done and on disk; 1 refused, or a confirmation is needed; 2 wrong use or configuration; 3 taken, but the
journal cannot be written yet; 4 it is not known whether it was done, and saying it again with --request is safe.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from drivers.clock import SystemClock, iso
from drivers.errors import ConfigError, InfusionMonitorError, StepRefused
from monitor.cli import session_print
from monitor.cli.desk_client import DeskClient
from monitor.cli.moments import moment
from monitor.cli.options import (
    AsJson,
    By,
    Config,
    DataDir,
    configuration,
    data_folder,
    exit_code,
    login,
    say_whether_recorded,
)
from monitor.sessions import recorded, view
from monitor.sessions.session import Session
from monitor.sessions.steps import State, Step
from monitor.storage.history import History
from monitor.storage.session_entries import SessionEntries

session_app = typer.Typer(
    help="The visits of patients: open, go on, chart, close; and what was written. Works beside a station and without.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_STEPS = ", ".join(step.value for step in Step if step is not Step.CLOSE)

Which = Annotated[str, typer.Argument(metavar="SESSION", help="A session, or the bed on which it is open.")]
At = Annotated[
    str | None,
    typer.Option(metavar="T", help="When it happened: 2026-11-25T09:00:00Z, or 30s, 10m, 2h ago; else now."),
]
Again = Annotated[
    str | None,
    typer.Option("--request", metavar="ID", help="32 digits of 0-9a-f: said again with the same, it is done once."),
]


@session_app.command(name="open")
def open_(
    bed: Annotated[
        str | None, typer.Argument(help="Where; without it, for a recording that is assigned later.")
    ] = None,
    *,
    reference: Annotated[str, typer.Option(help="A pseudonym of the patient, without blanks.")],
    planned_minutes: Annotated[int | None, typer.Option(help="Of infusion; else as configured.")] = None,
    profile: Annotated[str | None, typer.Option(help="The alert profile; else as configured.")] = None,
    by: By = None,
    at: At = None,
    request: Again = None,
    as_json: AsJson = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Open a session."""
    fields = {"bed": bed, "reference": reference, "planned_minutes": planned_minutes, "profile": profile}
    _do("open", fields, by, at, request, as_json, config, data_dir)


@session_app.command()
def phase(
    session: Which,
    step: Annotated[str, typer.Argument(help=f"One of {_STEPS}.")],
    confirm: Annotated[bool, typer.Option("--confirm", help="Start though something is open; it is recorded.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why.")] = None,
    by: By = None,
    at: At = None,
    request: Again = None,
    as_json: AsJson = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Go on to the next step."""
    fields = {"session": session, "step": step, "confirm": confirm, "reason": reason}
    _do("phase", fields, by, at, request, as_json, config, data_dir)


@session_app.command()
def check(
    session: Which,
    item: Annotated[str, typer.Argument(help="The item's id.")],
    answer: Annotated[str | None, typer.Argument(help="What was found; else yes.")] = None,
    skip: Annotated[str | None, typer.Option(metavar="REASON", help="Skip it, and why.")] = None,
    by: By = None,
    at: At = None,
    request: Again = None,
    as_json: AsJson = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Answer an item of a checklist, or skip it."""
    fields = {"session": session, "item": item, "answer": answer, "skip": skip}
    _do("check", fields, by, at, request, as_json, config, data_dir)


@session_app.command()
def note(
    session: Which,
    text: Annotated[str | None, typer.Argument(help="What to write.")] = None,
    event: Annotated[str | None, typer.Option(metavar="ID", help="One of the site's events.")] = None,
    dose: Annotated[bool, typer.Option("--dose", help="The text is a dose or a rate; nothing acts on it.")] = False,
    by: By = None,
    at: At = None,
    request: Again = None,
    as_json: AsJson = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Write a note, an event or a dose."""
    fields = {"session": session, "text": text, "event": event, "dose": dose}
    _do("note", fields, by, at, request, as_json, config, data_dir)


@session_app.command()
def score(
    session: Which,
    scale: Annotated[str, typer.Argument(help="The scale's id.")],
    value: float,
    text: Annotated[str | None, typer.Argument(help="A remark.")] = None,
    by: By = None,
    at: At = None,
    request: Again = None,
    as_json: AsJson = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Record a score."""
    fields = {"session": session, "scale": scale, "value": value, "text": text}
    _do("score", fields, by, at, request, as_json, config, data_dir)


@session_app.command()
def correct(
    session: Which,
    number: Annotated[int, typer.Argument(help="The entry's number, as `show` has it.")],
    reason: Annotated[str, typer.Option(help="Why.")],
    text: Annotated[str | None, typer.Option(help="The right text.")] = None,
    answer: Annotated[str | None, typer.Option(help="The right answer.")] = None,
    value: Annotated[float | None, typer.Option(help="The right value.")] = None,
    reference: Annotated[str | None, typer.Option(help="The right reference.")] = None,
    planned_minutes: Annotated[int | None, typer.Option(help="The right number.")] = None,
    void: Annotated[bool, typer.Option("--void", help="It should not be there; it stays, struck out.")] = False,
    by: By = None,
    at: Annotated[str | None, typer.Option(metavar="T", help="The right time.")] = None,
    request: Again = None,
    as_json: AsJson = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Say what is to stand in place of an earlier entry; both stay."""
    fields = {
        "session": session,
        "number": number,
        "reason": reason,
        "text": text,
        "answer": answer,
        "value": value,
        "reference": reference,
        "planned_minutes": planned_minutes,
        "void": void,
    }
    _do("correct", fields, by, at, request, as_json, config, data_dir)


@session_app.command()
def move(
    session: Which,
    bed: Annotated[str, typer.Argument(help="Where to.")],
    by: By = None,
    at: At = None,
    request: Again = None,
    as_json: AsJson = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Move the patient, and the session, to another bed."""
    _do("move", {"session": session, "bed": bed}, by, at, request, as_json, config, data_dir)


@session_app.command()
def assign(
    session: Which,
    bed: Annotated[str, typer.Argument(help="Where the recording was made.")],
    since: Annotated[str, typer.Option(metavar="T", help="Its beginning.")],
    until: Annotated[str, typer.Option(metavar="T", help="Its end.")],
    by: By = None,
    request: Again = None,
    as_json: AsJson = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Make a recording that was made without a session a part of this one."""
    with _errors("assign", as_json):
        span = {"since": iso(moment(since, "--since")), "until": iso(moment(until, "--until"))}
        _do("assign", {"session": session, "bed": bed, **span}, by, None, request, as_json, config, data_dir)


@session_app.command()
def limit(
    session: Which,
    rule: Annotated[str, typer.Argument(help="The rule of the session's alert profile.")],
    number: Annotated[float | None, typer.Argument(help="The limit for this session, in the vital's unit.")] = None,
    *,
    reset: Annotated[bool, typer.Option("--reset", help="In place of NUMBER: the profile's limit again.")] = False,
    reason: Annotated[str, typer.Option(help="Why.")],
    by: By = None,
    request: Again = None,
    as_json: AsJson = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Set the limit of an alert for this session, within the bounds that the profile allows."""
    with _errors("limit", as_json):
        if (number is None) is not reset:
            raise ConfigError(["say NUMBER, or --reset: one of the two"])
        fields = {"session": session, "rule": rule, "limit": number, "reason": reason}
        _do("limit", fields, by, None, request, as_json, config, data_dir)


@session_app.command()
def close(
    session: Which,
    reason: Annotated[str | None, typer.Option(help="Needed where criteria of the discharge are open.")] = None,
    by: By = None,
    at: At = None,
    request: Again = None,
    as_json: AsJson = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Close the session."""
    _do("close", {"session": session, "reason": reason}, by, at, request, as_json, config, data_dir)


@session_app.command()
def sign(
    session: Which,
    through: Annotated[
        int, typer.Option(metavar="NUMBER", help="The last entry that you have seen, as `session show` numbers them.")
    ],
    by: By = None,
    request: Again = None,
    as_json: AsJson = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """Sign the chart of a closed session; what is entered later asks for a new signature."""
    _do("sign", {"session": session, "through": through}, by, None, request, as_json, config, data_dir)


@session_app.command(name="list")
def list_(
    bed: Annotated[str | None, typer.Option(help="Only those that were on this bed.")] = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are open.")] = False,
    since: Annotated[
        str | None, typer.Option(metavar="T", help="Only those in which something was entered from then on.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """List the sessions of the journal."""
    with _errors("list", as_json):
        after = None if since is None else moment(since, "--since")
        now = SystemClock.now_ns()
        found = 0
        for entries in SessionEntries(data_folder(config, data_dir)).all(after):
            session = Session(entries)
            if only_open and session.state is State.CLOSED:
                continue
            if bed is not None and bed not in {stay.bed for stay in session.stays}:
                continue
            found += 1
            row = view.brief(session, now)
            print(session_print.as_json(row) if as_json else session_print.row(row))
        if not found and not as_json:
            print("no sessions")


@session_app.command()
def show(session: Which, as_json: AsJson = False, config: Config = None, data_dir: DataDir = None) -> None:
    """Print a session's chart."""
    with _errors("show", as_json):
        settings = configuration(config)
        folder = data_dir or Path(settings.data_dir)
        found = _found(SessionEntries(folder), session)
        now = SystemClock.now_ns()
        chart = view.full(found, settings.sessions, recorded.read(History(folder), found, now), now)
        print(session_print.as_json(chart) if as_json else session_print.chart(chart))


def _found(stored: SessionEntries, name: str) -> Session:
    if entries := stored.of(name):
        return Session(entries)
    for entries in stored.maybe_open():
        session = Session(entries)
        if session.bed == name:
            return session
    raise StepRefused(f"there is no session {name}, and none is open on a bed of that name")


def _do(
    verb: str,
    fields: dict[str, Any],
    by: str | None,
    at: str | None,
    request: str | None,
    as_json: bool,
    config: Path | None,
    data_dir: Path | None,
) -> None:
    """Have it done, and print what became of it."""
    with _errors(verb, as_json):
        said = {
            "verb": verb,
            **fields,
            "by": by or login(),
            "at": None if at is None else iso(moment(at, "--at")),
            "request": request or uuid4().hex,
        }
        client = DeskClient(data_folder(config, data_dir), lambda: configuration(config))
        # What is left out is as it is by itself, but for a limit: none is the profile's again.
        answer = client.do({key: value for key, value in said.items() if value is not None or key == "limit"})
        print(session_print.as_json(answer) if as_json else session_print.answer(answer))
        say_whether_recorded(answer, as_json=as_json)


@contextmanager
def _errors(verb: str, as_json: bool) -> Iterator[None]:
    try:
        yield
    except InfusionMonitorError as error:
        if as_json:
            print(session_print.as_json(session_print.error(error)))
        else:
            print(session_print.error_text(error, verb), file=sys.stderr)
        raise typer.Exit(exit_code(error)) from error
