"""The tables of what happened: the course, alerts, silences, limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from monitor.alerts.conditions import AlertState, Kind, Priority, Why
from monitor.review.alert_lives import AlertLife
from monitor.review.chart import Chart
from monitor.review.report.lanes import PHASES
from monitor.review.report.language import NONE, Language, duration, label, message
from monitor.review.report.model import Cell, Column, Section, Table, cells
from monitor.review.tracks import Span

PRIORITIES: Mapping[Priority, str] = MappingProxyType(
    {Priority.HIGH: message("high"), Priority.MEDIUM: message("medium"), Priority.LOW: message("low")}
)


def course(chart: Chart, language: Language) -> Section:
    """The parts of the visit."""
    say = language.say
    columns = (
        Column(say("Phase"), 2),
        Column(say("From"), 1),
        Column(say("Until"), 1),
        Column(say("Duration"), 1, number=True),
    )
    rows = tuple(
        cells(say(PHASES[state]), language.time(span.since), language.time(span.until), duration(span.seconds))
        for state, span in chart.phases
    )
    stays, end = chart.session.stays, chart.span.until
    text = "; ".join(
        f"{stay.bed}: {language.time(stay.since)} – {language.time(end if stay.until is None else stay.until)}"
        for stay in stays
    )
    moved = (say("Beds: {beds}.").format(beds=text),) if len(stays) > 1 else ()
    return Section(say("Course"), Table(columns, rows), moved)


def alerts(chart: Chart, language: Language) -> Section:
    """Each alert with its whole life."""
    say = language.say
    columns = (
        Column(say("No."), number=True),
        Column(say("Began")),
        Column(say("Priority")),
        Column(say("Alert"), 3),
        Column(say("Value"), number=True),
        Column(say("Limit"), number=True),
        Column(say("Acknowledged"), 1),
        Column(say("Over")),
        Column(say("In alert"), number=True),
    )
    rows = tuple(_alert(number, life, chart.span, language) for number, life in enumerate(chart.alerts, 1))
    return Section(say("Alerts"), Table(columns, rows))


def silences(chart: Chart, language: Language) -> Section:
    """When the audio or all signals were paused, off or on again."""
    say = language.say
    columns = (Column(say("Time")), Column(say("What"), 3), Column(say("By"), 1))
    rows = tuple(cells(language.time(event.at), event.text, event.actor or NONE) for event in chart.silences)
    return Section(say("Alerts silenced"), Table(columns, rows))


def limits(chart: Chart, language: Language) -> Section:
    """Which limits were in force when."""
    say = language.say
    columns = (
        Column(say("Vital"), 1),
        Column(say("Limit"), 1, number=True),
        Column(say("Priority"), 1),
        Column(say("From"), 1),
        Column(say("Until"), 1),
        Column(say("Rule"), 2),
    )
    rows = []
    for span in chart.limits:
        limit = span.limit
        remarks = (say("set for this session"),) if limit.set_for_session else ()
        rows.append(
            cells(
                label(limit.vital),
                f"{'<' if limit.side == 'low' else '>'} {language.value(limit.vital, limit.number)}",
                say(PRIORITIES[limit.priority]),
                language.time(span.since),
                language.time(span.until),
                Cell(limit.rule, remarks),
            )
        )
    text = say("Computed from the alert profile {profile} as it was when the session was opened.")
    known = (text.format(profile=chart.session.profile),) if chart.limits else ()
    return Section(say("Limits in force"), Table(columns, tuple(rows)), known)


def _alert(number: int, life: AlertLife, span: Span, language: Language) -> tuple[Cell, ...]:
    first, seen = life.changes[0], life.acknowledged
    technical = () if life.kind is Kind.PHYSIOLOGICAL else (language.say("technical"),)
    return cells(
        str(number),
        language.time(life.began),
        Cell(language.say(PRIORITIES[life.priority]), technical),
        Cell(life.text, tuple(_later(life, language))),
        language.value(first.vital, first.value),
        language.value(first.vital, first.limit),
        NONE if seen is None else Cell(language.time(seen.at), (seen.actor,) if seen.actor else ()),
        _over(life, language),
        duration(life.seconds(span.until)),
    )


def _later(life: AlertLife, language: Language) -> Iterator[str]:
    """What became of it besides being seen and being over: another priority, seen again, come again."""
    before, seen = life.changes[0], life.acknowledged
    for change in life.changes[1:]:
        words = ""
        if change.priority is not before.priority and change.priority in PRIORITIES:
            words = language.say("priority {priority}").format(priority=language.say(PRIORITIES[change.priority]))
        elif change.state is AlertState.ACKNOWLEDGED and change is not seen and change.why == Why.OPERATOR:
            words = language.say("acknowledged again: {by}").format(by=change.actor)
        elif change.state is AlertState.ON and before.state is AlertState.LATCHED:
            words = language.say("came again")
        if words:
            yield f"{language.time(change.at)}  {words}"
        before = change


def _over(life: AlertLife, language: Language) -> Cell:
    if life.present_until is None:
        return Cell(language.say("stood at the end"))
    over = language.time(life.present_until)
    if life.ended == life.present_until:
        return Cell(over)
    if life.ended is None:
        return Cell(over, (language.say("shown to the end"),))
    shown = language.say("shown until {time}").format(time=language.time(life.ended))
    return Cell(over, tuple(filter(None, (shown, life.over_by))))
