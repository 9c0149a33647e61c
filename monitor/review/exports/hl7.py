"""A session as a batch of HL7 v2.6 messages in order of time, as the sink sends them, but with every reading.

PCD-01 (ORU^R01) for what a device measured at one moment, PCD-04 (ORU^R40) for each change of an alert and of the
signals of the bed. `docs/hl7.md` tells the fields.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import BinaryIO

from monitor.alerts.conditions import AlertEvent
from monitor.hl7.alerts import alerted, is_over
from monitor.hl7.message import Names, Visit, batch
from monitor.hl7.observations import Observation, observed
from monitor.review.chart import Chart
from monitor.review.exports.registry import Export


class Hl7Exporter:
    """See the module."""

    name = "hl7"
    suffix = ".hl7"
    media_type = "text/plain; charset=utf-8"
    extra = ""

    def write(self, export: Export, file: BinaryIO) -> None:
        """See `Exporter.write`."""
        chart, names = export.chart, Names.of(export.site)
        told = [*_observations(chart, names), *_alerts(chart, names)]
        messages = (text for _, text in sorted(told, key=itemgetter(0)))
        parts = batch(names, chart.span.since, chart.session.id, messages)
        file.writelines(part.encode("utf-8", "replace") for part in parts)


EXPORTER = Hl7Exporter()


def _observations(chart: Chart, names: Names) -> Iterator[tuple[int, str]]:
    moments: defaultdict[tuple[int, str], list[Observation]] = defaultdict(list)
    for vital, track in chart.vitals.items():
        columns = (track.at, track.device, track.value, track.validity, track.cause)
        for at, device, value, validity, cause in zip(*(one.tolist() for one in columns), strict=True):
            number = None if value != value else value  # noqa: PLR0124 - NaN is the one number that is not itself
            moments[at, track.devices[device]].append(Observation(vital, number, validity, track.causes[cause]))
    for (at, device), observations in moments.items():
        yield at, observed(names, _visit(chart, _bed_at(chart, at)), device, at, observations)


def _alerts(chart: Chart, names: Names) -> Iterator[tuple[int, str]]:
    for changes in (*(life.changes for life in chart.alerts), *_silences(chart.silences)):
        for event in changes:
            yield event.at, alerted(names, _visit(chart, event.bed), event, changes[0])


def _silences(events: Iterable[AlertEvent]) -> Iterator[list[AlertEvent]]:
    """What was told of each pause of the audio or of all signals of a bed, from its beginning to its end."""

    def signal(event: AlertEvent) -> tuple[str, str]:
        return event.bed, event.rule

    for _, told in groupby(sorted(events, key=signal), signal):
        changes: list[AlertEvent] = []
        for event in told:
            changes.append(event)
            if is_over(event):
                yield changes
                changes = []
        if changes:
            yield changes


def _visit(chart: Chart, bed: str) -> Visit:
    return Visit(bed, chart.session.reference, chart.session.id)


def _bed_at(chart: Chart, at: int) -> str:
    """Where the patient was: the last bed that the session was on by then."""
    there = [stay for stay in chart.session.stays if stay.since <= at and (stay.until is None or at <= stay.until)]
    return max(there, key=lambda it: it.since).bed if there else chart.session.last_bed
