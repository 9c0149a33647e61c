"""The Flux of what is measured now: the latest reading of each vital, and what it is worth.

No column may hold an empty string: Flux 0.196 (InfluxDB 2.8) loses one where only equal strings came before it, and
the others of the column move up into rows that are not theirs. Hence "none".
"""

from __future__ import annotations

from deploy.grafana.queries import LABELS, dictionary, flux
from drivers.vitals import VITALS
from monitor.live import CUFF_OLD_AFTER, OLD_AFTER

_LATEST = """
import "dict"
import "internal/debug"
import "math"
import "strings"

labels = <labels>
units = <units>
order = <order>
decimals = <decimals>

recent = () => from(bucket: v.defaultBucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)
  |> filter(fn: (r) => <condition>)
part = (tables=<-, name, ending, number, text) => tables
  |> last()
  |> map(
    fn: (r) => ({
      bed: r.bed,
      device: r.device,
      vital: strings.trimSuffix(v: r._field, suffix: ending),
      part: name,
      at: r._time,
      number: number(r: r),
      text: text(r: r),
    }),
  )
never = time(v: 0)
seconds = (later, earlier) => (int(v: later) - int(v: earlier)) / 1000000000
ago = (s) => if s < 120 then string(v: s) + " s"
  else if s < 7200 then string(v: s / 60) + " min"
  else string(v: s / 3600) + " h"
cuff = (r) => r.vital =~ /^nibp_/

// The last value, the last doubt and the last cause of each vital: only what is of its last reading counts.
latest = union(
  tables: [
    recent()
      |> filter(fn: (r) => r._field !~ /_(validity|cause)$/)
      |> part(name: "value", ending: "", number: (r) => r._value, text: (r) => "none"),
    recent()
      |> filter(fn: (r) => r._field =~ /_validity$/)
      |> part(name: "validity", ending: "_validity", number: (r) => float(v: r._value), text: (r) => "none"),
    recent()
      |> filter(fn: (r) => r._field =~ /_cause$/)
      |> part(name: "cause", ending: "_cause", number: (r) => 0.0, text: (r) => r._value),
  ],
)
  |> group(columns: ["bed", "device", "vital"])
  |> reduce(
    identity: {value_at: never, validity_at: never, cause_at: never, value: 0.0, validity: 0.0, cause: "none"},
    fn: (r, accumulator) => ({
      value_at: if r.part == "value" then r.at else accumulator.value_at,
      validity_at: if r.part == "validity" then r.at else accumulator.validity_at,
      cause_at: if r.part == "cause" then r.at else accumulator.cause_at,
      value: if r.part == "value" then r.number else accumulator.value,
      validity: if r.part == "validity" then r.number else accumulator.validity,
      cause: if r.part == "cause" then r.text else accumulator.cause,
    }),
  )
  |> map(fn: (r) => ({r with at: if r.validity_at > r.value_at then r.validity_at else r.value_at}))
  |> map(
    fn: (r) => ({r with
      age: seconds(later: now(), earlier: r.at),
      validity: if r.validity_at == r.at then int(v: r.validity) else 0,
      cause: if r.cause_at == r.at then strings.replaceAll(v: r.cause, t: "_", u: " ") else "none",
    }),
  )
  |> map(
    fn: (r) => ({r with
      state:
        if r.age > (if cuff(r: r) then <cuff_old_after> else <old_after>) then
          "old"
        else if r.validity == 0 then
          "valid"
        else if r.validity == 1 then
          "questionable"
        else
          "no value",
    }),
  )
"""


def _latest(condition: str, then: str) -> str:
    return flux(
        _LATEST + then,
        condition=condition,
        labels=LABELS,
        units=dictionary({key: vital.unit_label for key, vital in VITALS.items()}),
        order=dictionary({key: index for index, key in enumerate(VITALS)}),
        decimals=dictionary({key: vital.decimals for key, vital in VITALS.items() if vital.decimals}),
        old_after=f"{OLD_AFTER:.0f}",
        cuff_old_after=f"{CUFF_OLD_AFTER:.0f}",
    )


NOW = _latest(
    'r._measurement == "vitals" and r.site == "${site}" and r.bed == "${bed}"',
    """
latest
  |> group(columns: ["bed", "vital"])
  |> sort(columns: ["at"])
  |> tail(n: 1)
  |> group()
  |> map(
    fn: (r) => ({
      bed: r.bed,
      order: dict.get(dict: order, key: r.vital, default: 99),
      shown: if r.state == "valid" or r.state == "questionable" then r.value else debug.null(type: "float"),
      name: dict.get(dict: labels, key: r.vital, default: r.vital) + (
        if r.state == "old" then
          " (" + ago(s: r.age) + " old)"
        else if r.state == "valid" and cuff(r: r) then
          ", " + ago(s: r.age)
        else if r.state == "valid" then
          ""
        else if r.cause == "none" then
          " (" + r.state + ")"
        else
          " (" + r.cause + ")"
      ),
    }),
  )
  |> sort(columns: ["order"])
  |> pivot(rowKey: ["bed"], columnKey: ["name"], valueColumn: "shown")
  |> drop(columns: ["bed"])
""",
)
"""The latest value of each vital of a bed: one row, a column for each, whose name says what is wrong with it.

A column of a valid value is called as the vital (a cuff's with its age); so what is to look like a valid value is
recognised by its name, and anything else is not.
"""

LATEST = _latest(
    'r._measurement == "vitals" and r.site == "${site}"',
    """
latest
  |> group()
  |> map(
    fn: (r) => {
      scale = math.pow(x: 10.0, y: float(v: dict.get(dict: decimals, key: r.vital, default: 0)))
      number = string(v: math.round(x: r.value * scale) / scale)
      unit = dict.get(dict: units, key: r.vital, default: "")

      return {
        bed: r.bed,
        order: dict.get(dict: order, key: r.vital, default: 99),
        vital: dict.get(dict: labels, key: r.vital, default: r.vital),
        value: if r.state == "valid" or r.state == "questionable" then number + " " + unit else "--",
        state: r.state,
        cause: if r.cause == "none" then debug.null(type: "string") else r.cause,
        age: r.age,
        device: r.device,
      }
    },
  )
  |> sort(columns: ["bed", "order"])
  |> drop(columns: ["order"])
""",
)
"""The latest reading of each vital of every bed, with what it is worth and its age in seconds; one row each."""
