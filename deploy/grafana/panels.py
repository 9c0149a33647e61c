"""Panels as Grafana's dashboard files have them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from drivers.vitals import VITALS, Vital

Json = dict[str, Any]

SOURCE = {"type": "influxdb", "uid": "infusion-influxdb"}
"""The data source, as provisioning/datasources/influxdb.yaml names it."""
QUIET = "#8593a1"
"""The colour of what is not to be taken for a valid value of now."""
PRIORITIES = {"high": "#d3122e", "medium": "#ffd21f", "low": "#35d3e6"}
"""As on the station's page."""
QUESTIONABLE = "#d98ad9"
VALIDITIES = {0: ("valid", "#3f8f63"), 1: ("questionable", QUESTIONABLE), 2: ("no value", "#5a4a66")}
STATES = {"valid": "#3f8f63", "questionable": QUESTIONABLE, "no value": "#b3a3c2", "old": QUIET}
STEP = "5s"
"""The finest step of a graph: a device that speaks as seldom as that makes an unbroken line."""
ROWS = 10_000
"""Asked for by tables, where a graph asks for as many points as it is wide; Grafana cuts off at ten times as many."""
_LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": list[str]()}


def target(ref: str, query: str) -> Json:
    """A query of a panel."""
    return {"refId": ref, "datasource": SOURCE, "query": query}


def _override(matcher: str, options: str, **properties: Any) -> Json:
    """What is different for some fields; `__` in a property's name stands for a dot."""
    values = [{"id": name.replace("__", "."), "value": value} for name, value in properties.items()]
    return {"matcher": {"id": matcher, "options": options}, "properties": values}


def _fixed(colour: str) -> Json:
    return {"mode": "fixed", "fixedColor": colour}


def panel(kind: str, title: str, description: str, place: tuple[int, int, int, int], targets: Sequence[Json]) -> Json:
    """What panels of every kind have; `place` is x, y, width and height on a grid of 24 columns."""
    x, y, width, height = place
    return {
        "type": kind,
        "title": title,
        "description": description,
        "gridPos": {"x": x, "y": y, "w": width, "h": height},
        "datasource": SOURCE,
        "targets": list(targets),
    }


def graph(
    title: str, description: str, place: tuple[int, int, int, int], targets: Sequence[Json], overrides: Iterable[Json]
) -> Json:
    """A graph over time that neither smooths nor connects across a gap."""
    custom = {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 1,
        "fillOpacity": 0,
        "spanNulls": False,
        "showPoints": "always",
        "pointSize": 3,
        "axisPlacement": "auto",
    }
    return {
        **panel("timeseries", title, description, place, targets),
        "interval": STEP,
        "fieldConfig": {"defaults": {"color": _fixed(QUIET), "custom": custom}, "overrides": list(overrides)},
        "options": {
            "legend": _LEGEND,
            "tooltip": {"mode": "multi", "sort": "none"},
        },
    }


def _look(vital: Vital) -> Json:
    return {"unit": vital.unit_label, "decimals": vital.decimals}


def line_overrides(vital: Vital, highest: str, lowest: str, questionable: str) -> list[Json]:
    """A vital whose highest and lowest value of each step are two lines with a band between them."""
    names = f"{vital.label} highest", f"{vital.label} lowest"
    colour = _fixed(vital.colour)
    return [
        _override(
            "byFrameRefID",
            highest,
            displayName=names[0],
            color=colour,
            **_look(vital),
            custom__fillBelowTo=names[1],
            custom__fillOpacity=25,
        ),
        _override("byFrameRefID", lowest, displayName=names[1], color=colour, **_look(vital)),
        _points("byFrameRefID", questionable, f"{vital.label} questionable", QUESTIONABLE, vital),
    ]


def point_overrides(vital: Vital, single: str, questionable: str) -> list[Json]:
    """A vital whose values are points: each is one measurement, and nothing is known between two of them."""
    return [
        _points("byFrameRefID", single, vital.label, vital.colour, vital),
        _points("byFrameRefID", questionable, f"{vital.label} questionable", QUESTIONABLE, vital),
    ]


def _points(matcher: str, options: str, name: str, colour: str, vital: Vital) -> Json:
    return _override(
        matcher,
        options,
        displayName=name,
        color=_fixed(colour),
        **_look(vital),
        custom__drawStyle="points",
        custom__pointSize=6,
    )


def validity(title: str, description: str, place: tuple[int, int, int, int], query: str) -> Json:
    """Bands over time that say of each vital whether its readings were valid."""
    mappings = [
        {"type": "value", "options": {str(number): {"text": text, "color": colour, "index": number}}}
        for number, (text, colour) in VALIDITIES.items()
    ]
    defaults = {
        "color": _fixed(QUIET),
        "mappings": mappings,
        "custom": {"fillOpacity": 90, "lineWidth": 0, "spanNulls": False},
    }
    return {
        **panel("state-timeline", title, description, place, [target("A", query)]),
        "interval": STEP,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": {
            "mergeValues": True,
            "showValue": "never",
            "alignValue": "left",
            "rowHeight": 0.8,
            "legend": _LEGEND,
            "tooltip": {"mode": "single", "sort": "none"},
        },
    }


def numbers(title: str, description: str, place: tuple[int, int, int, int], query: str) -> Json:
    """The latest values of one bed, large. Only what is called as a vital is, alone, has the vital's colour."""
    overrides = []
    for vital in VITALS.values():
        name = re.escape(vital.label)
        overrides.append(_override("byRegexp", f"/^{name}( |,|$)/", **_look(vital)))
        age = r"(, \d+ (s|min|h))?" if vital.episodic else ""
        overrides.append(_override("byRegexp", f"/^{name}{age}$/", color=_fixed(vital.colour)))
    return {
        **panel("stat", title, description, place, [target("A", query)]),
        "fieldConfig": {"defaults": {"color": _fixed(QUIET), "noValue": "--"}, "overrides": overrides},
        "options": {
            "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
            "textMode": "value_and_name",
            "colorMode": "value",
            "graphMode": "none",
            "justifyMode": "auto",
            "orientation": "vertical",
            "wideLayout": True,
            "showPercentChange": False,
            "percentChangeColorMode": "standard",
        },
    }


def table(
    title: str,
    description: str,
    place: tuple[int, int, int, int],
    query: str,
    columns: Sequence[str],
    overrides: Iterable[Json] = (),
) -> Json:
    """A table with its columns in that order; they come in another one."""
    return {
        **panel("table", title, description, place, [target("A", query)]),
        "maxDataPoints": ROWS,
        "fieldConfig": {
            "defaults": {"custom": {"align": "left", "filterable": True, "inspect": False}},
            "overrides": [*overrides],
        },
        "options": {"showHeader": True, "cellHeight": "sm", "frameIndex": 0},
        "transformations": [
            {"id": "organize", "options": {"indexByName": {name: index for index, name in enumerate(columns)}}}
        ],
    }


def coloured(column: str, colours: Mapping[str, str]) -> Json:
    """Words of a column, each in its colour."""
    mapping = {word: {"text": word, "color": colour, "index": n} for n, (word, colour) in enumerate(colours.items())}
    return _override(
        "byName", column, mappings=[{"type": "value", "options": mapping}], custom__cellOptions={"type": "color-text"}
    )


def in_unit(column: str, unit: str) -> Json:
    """Numbers of a column in a unit, `s` for a duration."""
    return _override("byName", column, unit=unit)


def link(kind: str, title: str, *, url: str = "", tags: Sequence[str] = ()) -> Json:
    """A dashboard's or panel's link: of kind `link` to an address, or `dashboards` to those of these tags."""
    return {
        "type": kind,
        "title": title,
        "url": url,
        "tags": list(tags),
        "icon": "external link",
        "tooltip": "",
        "asDropdown": False,
        "targetBlank": False,
        "includeVars": kind == "dashboards",
        "keepTime": False,
    }


def bed_link(column: str) -> Json:
    """Beds of a column that lead to their dashboard."""
    url = "/d/infusion-bed?var-site=${site}&var-bed=${__value.raw}"
    return _override("byName", column, links=[{"title": "This bed", "url": url}])
