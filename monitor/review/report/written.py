"""The tables of what people wrote: entries with their corrections, checklist, discharge, signatures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from monitor.review.chart import Chart
from monitor.review.report.language import NONE, Language, duration, message
from monitor.review.report.model import Cell, Column, Section, Table, cells
from monitor.sessions.entries import Kind
from monitor.sessions.session import Session, Shown
from monitor.sessions.text import text_of

_KINDS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.OPENED: message("opening"),
        Kind.STEP: message("step"),
        Kind.CHECK: message("checklist"),
        Kind.NOTE: message("note"),
        Kind.EVENT: message("event"),
        Kind.DOSE: message("dose"),
        Kind.SCORE: message("score"),
        Kind.CORRECTION: message("correction"),
        Kind.MOVED: message("move"),
        Kind.ASSIGNED: message("recording"),
        Kind.LIMIT: message("limit"),
        Kind.CLOSED: message("closing"),
        Kind.SIGNED: message("signature"),
        Kind.CLOCK_SET: message("clock"),
    }
)


def signed_through(session: Session) -> int:
    """The number of the last entry that a signature is of, or is; every number is above that of a chart without one."""
    return session.signatures[-1].entry.number if session.signatures else len(session.entries)


def entries(chart: Chart, language: Language) -> Section:
    """Every entry as it stands, with what was written first."""
    say, session = language.say, chart.session
    columns = (
        Column(say("No."), number=True),
        Column(say("Time")),
        Column(say("Kind")),
        Column(say("Entry"), 5),
        Column(say("By"), 1),
    )
    through = signed_through(session)
    rows = tuple(
        cells(
            str(shown.entry.number),
            language.time(shown.at),
            say(_KINDS[shown.entry.kind]),
            Cell(_text(shown), tuple(_remarks(shown, through, language)), struck=shown.void),
            shown.entry.author or NONE,
        )
        for shown in session.shown
    )
    return Section(say("Entries"), Table(columns, rows))


def checklist(chart: Chart, language: Language) -> Section:
    """The items that were answered or skipped, as they stand."""
    say = language.say
    columns = (Column(say("Item"), 3), Column(say("Answer"), 2), Column(say("By"), 1), Column(say("Time")))
    rows = []
    for shown in chart.session.latest(Kind.CHECK, "item").values():
        content = shown.content
        answer = str(content.get("answer", ""))
        if "skipped" in content:
            answer = say("skipped: {reason}").format(reason=content["skipped"])
        rows.append(cells(content["title"], answer, shown.entry.author or NONE, language.time(shown.at)))
    return Section(say("Checklist"), Table(columns, tuple(rows)))


def discharge(chart: Chart, language: Language) -> Section:
    """The criteria as they stood at the closing."""
    say = language.say
    columns = (Column(say("Criterion"), 3), Column(say("State")), Column(say("Found"), 3))
    criteria = chart.session.steps[-1].content.get("criteria", ())
    rows = tuple(cells(it["text"], say("met") if it["met"] else say("OPEN"), it["detail"]) for it in criteria)
    reason = chart.session.steps[-1].content.get("reason") if criteria else None
    text = (say("Closed with open criteria: {reason}").format(reason=reason),) if reason else ()
    return Section(say("Discharge criteria"), Table(columns, rows), text)


def signatures(chart: Chart, language: Language) -> Section:
    """Who signed the chart, when, and how far."""
    say, session = language.say, chart.session
    columns = (
        Column(say("Signed by"), 2),
        Column(say("Time"), 1),
        Column(say("Through entry"), 1),
        Column(say("State"), 2),
    )
    rows = tuple(
        cells(
            shown.entry.author,
            language.time(shown.at),
            str(shown.content["through"]),
            say("of the chart as it stands")
            if session.signed and shown is session.signatures[-1]
            else say("the chart was amended after it"),
        )
        for shown in session.signatures
    )
    return Section(say("Signatures"), Table(columns, rows))


def _text(shown: Shown) -> str:
    return text_of(shown.entry._replace(content=shown.content))


def _remarks(shown: Shown, through: int, language: Language) -> Iterator[str]:
    say, entry = language.say, shown.entry
    numbers = ", ".join(map(str, shown.corrected_by))
    if shown.void:
        yield say("VOID, by entry no. {numbers}").format(numbers=numbers)
    elif shown.corrected_by:
        first = text_of(entry)
        was = [language.time(entry.at)] if entry.at != shown.at else []
        was += [first] if first != _text(shown) else []
        yield say("corrected by entry no. {numbers}; first written: {text}").format(
            numbers=numbers, text=", ".join(was)
        )
    if shown.late:
        text = say("LATE by {duration}: entered {time}")
        yield text.format(duration=duration(shown.late), time=language.time(entry.entered_at))
    if entry.number > through:
        yield say("ENTERED AFTER THE SIGNATURE")
