"""What the report of a session says: one model of it, which `pdf` and `html` put on paper.

It is made of the chart alone, and says no time but those of the chart: so the same chart gives the same report.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

import monitor
from drivers.clock import NS
from monitor.review.chart import Chart
from monitor.review.report import happened, measured, written
from monitor.review.report.drawing import draw
from monitor.review.report.language import NONE, Language, duration, label
from monitor.review.report.model import Document, Section
from monitor.review.summary import BACK_WITHIN, DESATURATED, VitalSummary
from monitor.review.tracks import SPEAKS_FOR
from monitor.storage.verify import Head

_FIGURES = {"a4": 884.0, "letter": 784.0}
"""How high the drawing is, so that it fills the first page."""
PAPERS = tuple(_FIGURES)


class Report(NamedTuple):
    """What is to be put on paper, and how."""

    chart: Chart
    """As it stands."""
    signed: Chart | None
    """As it was signed last, where that is what is to be printed."""
    site: str
    """Empty where it is not known."""
    mark: Head | None
    """Of what is printed, see `session_mark`."""
    language: str = "en"
    """One of `words.LANGUAGES`."""
    paper: str = "a4"
    """One of `PAPERS`."""
    zone: tzinfo = UTC
    """Whose times it tells."""
    from_influxdb: bool = False
    """Where the record has no marks."""


def document(report: Report) -> Document:
    """The report in words."""
    chart = report.signed or report.chart
    language = Language(report.language, report.zone, chart.session.opened_at)
    say = language.say
    title = say("Infusion chart: {reference}").format(reference=chart.session.reference)
    numbers = tuple(_numbers(chart, language))
    mark = _mark(report, language)
    session = chart.session
    return Document(
        language=report.language,
        paper=report.paper,
        title=title,
        facts=tuple(_facts(report, chart, language)),
        state=tuple(_state(report, language)),
        settled=report.signed is None and session.signed,
        figure=draw(chart, language, _FIGURES[report.paper]),
        figure_text=f"{title}. " + "; ".join(f"{name}: {value}" for name, value in numbers),
        numbers=numbers,
        sections=tuple(_sections(chart, language)),
        notes_title=say("Notes"),
        notes=tuple(_notes(report, language)),
        boxes=say("Characters that no font here has are printed as boxes: the report as HTML shows them."),
        check=f"infusion-monitor verify --head {report.mark}" if report.mark else "",
        footer=(
            " · ".join((session.reference, say("session {session}").format(session=session.id))),
            " · ".join((f"infusion-monitor {monitor.__version__}", say("record mark {mark}").format(mark=mark))),
        ),
        page=say("Page {page} of {pages}"),
        none=say("None."),
        dated=datetime.fromtimestamp(chart.span.until // NS, UTC),
    )


def _facts(report: Report, chart: Chart, language: Language) -> Iterator[tuple[str, str]]:
    say, session = language.say, chart.session
    yield say("Reference"), session.reference
    yield say("Session"), session.id
    if report.site:
        yield say("Site"), report.site
    beds = dict.fromkeys(stay.bed for stay in session.stays)
    yield say("Beds") if len(beds) > 1 else say("Bed"), ", ".join(beds) or NONE
    yield say("Opened"), language.dated(session.opened_at)
    if session.closed_at is None:
        yield say("Closed"), say("STILL OPEN, as of {time}").format(time=language.dated(chart.span.until))
    else:
        yield say("Closed"), language.dated(session.closed_at)
    planned = f"{language.number(session.planned_minutes)} min"
    if session.started_at is None:
        yield say("Infusion"), say("none was started; planned {planned}").format(planned=planned)
    else:
        ran = duration(chart.summary.infusion)
        yield say("Infusion"), say("ran {ran}; planned {planned}").format(ran=ran, planned=planned)
    yield say("Alert profile"), session.profile
    yield say("Recorded"), duration(chart.summary.recorded)
    yield say("Times in"), language.zone_name(*chart.span)


def _state(report: Report, language: Language) -> Iterator[str]:
    say, session = language.say, report.chart.session
    if not session.signatures:
        yield say("NOT SIGNED") if session.closed_at is not None else say("NOT SIGNED: the session is open")
        return
    last = session.signatures[-1]
    text = say("Signed by {by}, {time}, through entry {number}.")
    yield text.format(by=last.entry.author, time=language.dated(last.at), number=last.content["through"])
    after = ", ".join(str(entry.number) for entry in session.entries if entry.number > last.entry.number)
    if after and report.signed is not None:
        yield say("This is the version that was signed. THE CHART WAS AMENDED SINCE, by entry no. {numbers}.").format(
            numbers=after
        )
    elif after:
        yield say("AMENDED SINCE THE SIGNATURE, by entry no. {numbers}.").format(numbers=after)


def _numbers(chart: Chart, language: Language) -> Iterator[tuple[str, str]]:
    say, summary = language.say, chart.summary
    spo2, sys = summary.vital("spo2"), summary.vital("nibp_sys") or summary.vital("abp_sys")
    if spo2 is not None and spo2.lowest is not None:
        text = f"{language.value('spo2', spo2.lowest.value)} ({language.time(spo2.lowest.at)})"
        yield say("Lowest {vital}").format(vital=label("spo2")), text
    if summary.desaturated is not None:
        name = say("{vital} below {limit}").format(vital=label("spo2"), limit=f"{language.number(DESATURATED)} %")
        yield name, duration(summary.desaturated)
    if sys is not None and sys.highest is not None:
        text = f"{language.value(sys.vital, sys.highest.value)} ({language.time(sys.highest.at)})"
        yield say("Highest {vital}").format(vital=label(sys.vital)), text
        if sys.rise is not None:
            yield say("Largest rise"), f"{'+' if sys.rise > 0 else ''}{language.value(sys.vital, sys.rise)}"
    yield say("Coverage"), _coverage(summary.vitals, language)
    yield say("Cuff readings"), language.number(summary.cuff_readings)
    yield say("Alerts"), _alerts(chart, language)


def _coverage(vitals: tuple[VitalSummary, ...], language: Language) -> str:
    known = [it for it in vitals if it.coverage is not None and it.vital in ("spo2", "pulse_rate", "heart_rate")]
    return ", ".join(f"{label(it.vital)} {language.percent(it.coverage or 0)}" for it in known) or NONE


def _alerts(chart: Chart, language: Language) -> str:
    counts = {priority: sum(life.priority is priority for life in chart.alerts) for priority in happened.PRIORITIES}
    parts = [
        f"{language.number(count)} {language.say(happened.PRIORITIES[priority])}"
        for priority, count in counts.items()
        if count
    ]
    total = language.number(len(chart.alerts))
    return f"{total} ({', '.join(parts)})" if parts else total


def _sections(chart: Chart, language: Language) -> Iterator[Section]:
    yield measured.summary(chart, language)
    yield happened.course(chart, language)
    yield happened.alerts(chart, language)
    yield happened.silences(chart, language)
    yield written.entries(chart, language)
    yield written.checklist(chart, language)
    yield written.discharge(chart, language)
    yield written.signatures(chart, language)
    yield measured.cuff_readings(chart, language)
    yield measured.values(chart, language)
    yield happened.limits(chart, language)
    yield measured.devices(chart, language)
    yield measured.device_events(chart, language)
    yield measured.gaps(chart, language)


def _notes(report: Report, language: Language) -> Iterator[str]:
    say = language.say
    yield say(
        "Records and alerts only: the program that made this chart never controls a pump, never doses and never "
        "starts a measurement on a device."
    )
    yield say(
        "Nothing is smoothed or filled in. Of each step of the drawing the lowest and the highest value are both "
        "drawn, and where there was no value there is a gap. Lowest, highest and baseline are of valid readings; the "
        "baseline is their median in the baseline phase."
    )
    yield say(
        "Coverage: the share of the time from opening to closing with a value that is not older than {seconds} s. "
        "Time below {limit} counts questionable values too. Back at baseline: how long after the infusion's end the "
        "value was within {percent} % of its baseline and stayed so to the end."
    ).format(seconds=SPEAKS_FOR // NS, limit=f"{language.number(DESATURATED)} %", percent=language.number(BACK_WITHIN))
    yield say("What people wrote and the texts of alerts and devices are printed as they were recorded.")
    if report.mark is not None:
        yield say("This command checks that the journal still holds what this chart was made of:")


def _mark(report: Report, language: Language) -> str:
    if report.mark is not None:
        return str(report.mark)
    return language.say("not known from InfluxDB") if report.from_influxdb else language.say("not sealed yet")
