"""The dashboards' Flux, each query as Grafana sends it: `${site}`, `v.timeRangeStart` and the like are filled in there.

Grafana makes a label of every column in a table's group key, and a field of every other one; so what a table panel is
to show is ungrouped, and what a graph tells apart is grouped by that alone.
"""

from __future__ import annotations

import json
import re

from drivers.vitals import VITALS

CUFF = ("nibp_sys", "nibp_dia", "nibp_mean")


def flux(template: str, **values: str) -> str:
    """The template with each `<name>` replaced; the parts that it was put together from are one chain."""
    filled = re.sub(r"<([a-z_]+)>", lambda place: values[place[1]], template)
    return re.sub(r"\n{2,}  \|>", "\n  |>", filled).strip() + "\n"


def dictionary(values: dict[str, str] | dict[str, int]) -> str:
    """A dictionary as Flux writes it."""
    pairs = (f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items())
    return f"[{', '.join(pairs)}]"


def values_of(tag: str, start: str, *, of_site: bool) -> str:
    """What a variable can be: every value that a tag of readings has had from then on."""
    condition = 'r._measurement == "vitals"' + (' and r.site == "${site}"' if of_site else "")
    return flux(
        """
import "influxdata/influxdb/schema"

schema.tagValues(bucket: v.defaultBucket, tag: "<tag>", predicate: (r) => <condition>, start: <start>)
""",
        tag=tag,
        condition=condition,
        start=start,
    )


_ONE_BED = """
from(bucket: v.defaultBucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "vitals" and r.site == "${site}" and r.bed == "${bed}")
"""


def bound(vital: str, function: str) -> str:
    """The lowest (`min`) or highest (`max`) value of each step of a graph; a step without a value is empty."""
    return flux(
        _ONE_BED
        + """
  |> filter(fn: (r) => r._field == "<vital>")
  |> aggregateWindow(every: v.windowPeriod, fn: <function>, createEmpty: true)
  |> keep(columns: ["_time", "_value", "device"])
""",
        vital=vital,
        function=function,
    )


_QUESTIONABLE = (
    _ONE_BED
    + """
  |> filter(fn: (r) => r._field == "<vital>" or r._field == "<vital>_validity")
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> filter(fn: (r) => exists r.<vital> and exists r.<vital>_validity)
"""
)


def questionable_bounds(vital: str) -> str:
    """Lowest and highest questionable value of each step that has one."""
    return flux(
        _QUESTIONABLE
        + """
  |> aggregateWindow(
    every: v.windowPeriod,
    column: "<vital>",
    createEmpty: false,
    fn: (tables=<-, column) => tables
      |> reduce(
        identity: {lowest: float(v: "+Inf"), highest: float(v: "-Inf")},
        fn: (r, accumulator) => ({
          lowest: if r.<vital> < accumulator.lowest then r.<vital> else accumulator.lowest,
          highest: if r.<vital> > accumulator.highest then r.<vital> else accumulator.highest,
        }),
      ),
  )
  |> keep(columns: ["_time", "lowest", "highest", "device"])
""",
        vital=vital,
    )


def each(vital: str) -> str:
    """Every single value."""
    return flux(
        _ONE_BED
        + """
  |> filter(fn: (r) => r._field == "<vital>")
  |> keep(columns: ["_time", "_value", "device"])
""",
        vital=vital,
    )


def each_questionable(vital: str) -> str:
    """Every single value that is questionable."""
    return flux(
        _QUESTIONABLE
        + """
  |> rename(columns: {<vital>: "_value"})
  |> keep(columns: ["_time", "_value", "device"])
""",
        vital=vital,
    )


LABELS = dictionary({key: vital.label for key, vital in VITALS.items()})

VALIDITY = flux(
    """
import "dict"
import "strings"

labels = <labels>
bed = () => from(bucket: v.defaultBucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "vitals" and r.site == "${site}" and r.bed == "${bed}")

// A step is as good as its worst reading; where there is none it is empty.
valid = bed()
  |> filter(fn: (r) => r._field !~ /_(validity|cause)$/)
  |> aggregateWindow(every: v.windowPeriod, fn: count, createEmpty: false, timeSrc: "_start")
  |> map(fn: (r) => ({r with _value: 0, vital: r._field}))

not_valid = bed()
  |> filter(fn: (r) => r._field =~ /_validity$/)
  |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: false, timeSrc: "_start")
  |> map(fn: (r) => ({r with vital: strings.trimSuffix(v: r._field, suffix: "_validity")}))

union(tables: [valid, not_valid])
  |> map(
    fn: (r) => ({
      _start: r._start,
      _stop: r._stop,
      _time: r._time,
      _value: r._value,
      _field: dict.get(dict: labels, key: r.vital, default: r.vital),
    }),
  )
  |> group(columns: ["_start", "_stop", "_field"])
  |> aggregateWindow(every: v.windowPeriod, fn: max, createEmpty: true)
  |> keep(columns: ["_time", "_value", "_field"])
""",
    labels=LABELS,
)
"""Of each vital of a bed: 0 valid, 1 questionable, 2 no value."""

CAUSES = flux(
    _ONE_BED.replace("from(", 'import "dict"\nimport "strings"\n\nlabels = <labels>\n\nfrom(', 1)
    + """
  |> filter(fn: (r) => r._field =~ /_cause$/)
  |> map(
    fn: (r) => ({
      at: r._time,
      vital: dict.get(
        dict: labels,
        key: strings.trimSuffix(v: r._field, suffix: "_cause"),
        default: strings.trimSuffix(v: r._field, suffix: "_cause"),
      ),
      cause: strings.replaceAll(v: r._value, t: "_", u: " "),
    }),
  )
  |> group(columns: ["vital", "cause"])
  |> sort(columns: ["at"])
  |> reduce(
    identity: {readings: 0, from: time(v: 0), to: time(v: 0)},
    fn: (r, accumulator) => ({
      readings: accumulator.readings + 1,
      from: if accumulator.readings == 0 then r.at else accumulator.from,
      to: r.at,
    }),
  )
  |> group()
  |> sort(columns: ["readings", "vital", "cause"], desc: true)
""",
    labels=LABELS,
)
"""Why readings of a bed were not valid, how many, and from when to when."""

STANDING = flux(
    """
import "dict"

rank = ["high": 0, "medium": 1, "low": 2]

from(bucket: v.defaultBucket)
  |> range(start: -24h)
  |> filter(fn: (r) => r._measurement == "alerts" and r.site == "${site}")
  |> filter(fn: (r) => r._field == "state" or r._field == "text")
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> group(columns: ["bed", "rule"])
  |> sort(columns: ["_time"])
  |> reduce(
    identity: {since: time(v: 0), stands: false, priority: "", kind: "", state: "", alert: ""},
    fn: (r, accumulator) => ({
      since: if accumulator.stands then accumulator.since else r._time,
      stands: r.state != (if r.rule == "audio" or r.rule == "alarm" then "on" else "off"),
      priority: r.priority,
      kind: r.kind,
      state: r.state,
      alert: r.text,
    }),
  )
  |> filter(fn: (r) => r.stands and (r.priority != "none" or r.kind == "other"))
  |> group()
  |> map(fn: (r) => ({r with rank: dict.get(dict: rank, key: r.priority, default: 3)}))
  |> sort(columns: ["rank", "since"])
  |> keep(columns: ["since", "bed", "priority", "kind", "state", "alert"])
"""
)
"""Alerts that something became of within a day and that are not over, and signals that are paused or off."""


def alerts(condition: str) -> str:
    """Every change of an alert condition, the newest first."""
    return flux(
        """
from(bucket: v.defaultBucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => <condition>)
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> group()
  |> sort(columns: ["_time"], desc: true)
  |> keep(columns: ["_time", "bed", "priority", "kind", "rule", "state", "text", "value", "limit", "device"])
""",
        condition=condition,
    )


_DAY = 'strings.substring(v: string(v: time(v: int(v: r._time) + int(v: duration(v: "${offset}")))), start: 0, end: 10)'

RECORDED = flux(
    """
import "strings"
import "timezone"

option location = timezone.fixed(offset: duration(v: "${offset}"))

from(bucket: v.defaultBucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "vitals" and r.site == "${site}" and r._field !~ /_cause$/)
  |> aggregateWindow(every: 1m, fn: count, createEmpty: false, timeSrc: "_start")
  |> group(columns: ["_start", "_stop", "bed"])
  |> unique(column: "_time")
  |> aggregateWindow(every: 1d, fn: count, createEmpty: false, timeSrc: "_start")
  |> group()
  |> map(fn: (r) => ({day: <day>, bed: r.bed, recorded: r._value * 60}))
  |> sort(columns: ["day", "bed"], desc: true)
""",
    day=_DAY,
)
"""Seconds of each day in whose minute a bed gave at least one reading."""

ALERTS_A_DAY = flux(
    """
import "strings"
import "timezone"

option location = timezone.fixed(offset: duration(v: "${offset}"))

from(bucket: v.defaultBucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => r._measurement == "alerts" and r.site == "${site}" and r.kind != "other")
  |> filter(fn: (r) => r._field == "state" or r._field == "why")
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
  |> filter(fn: (r) => r.state == "on" and r.priority != "none")
  |> filter(fn: (r) => not exists r.why or (r.why != "escalated" and r.why != "reminder"))
  |> group(columns: ["_start", "_stop", "bed", "kind", "priority"])
  |> rename(columns: {state: "_value"})
  |> aggregateWindow(every: 1d, fn: count, createEmpty: false, timeSrc: "_start")
  |> group()
  |> map(fn: (r) => ({day: <day>, bed: r.bed, kind: r.kind, priority: r.priority, alerts: r._value}))
  |> sort(columns: ["day", "bed", "priority"], desc: true)
""",
    day=_DAY,
)
"""How many alerts came on, by day, bed and what they were at first."""
