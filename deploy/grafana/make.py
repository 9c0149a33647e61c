"""Writes `dashboards/*.json`: `python -m deploy.grafana.make` in the project's folder.

They are made and not drawn, so that every vital has its name, unit and colour from `drivers.vitals`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from deploy.grafana import latest, panels, queries
from deploy.grafana.panels import SOURCE, Json, target
from drivers.vitals import VITALS

FOLDER = Path(__file__).with_name("dashboards")

_NOT_THE_PAGE = (
    "From the record in InfluxDB, some seconds late, and only while that is fed. What is to be seen at once is on the "
    "station's own page; the bedside monitor is the alarm."
)


def _variable(name: str, label: str, query: str, *, repeated: bool = False) -> Json:
    everything: Json = {"multi": True, "includeAll": True, "current": {"text": ["All"], "value": ["$__all"]}}
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": SOURCE,
        "query": {"refId": "InfluxVariableQueryEditor-VariableQuery", "query": query},
        "refresh": 2,
        "sort": 1,
        **(everything if repeated else {"multi": False, "includeAll": False}),
    }


def _site(start: str) -> Json:
    return _variable("site", "Site", queries.values_of("site", start, of_site=False))


def _bed(start: str, *, repeated: bool = False) -> Json:
    return _variable("bed", "Bed", queries.values_of("bed", start, of_site=True), repeated=repeated)


def _offset() -> Json:
    hours = [*range(15), *range(-12, 0)]
    options = [f"{hour}h" for hour in hours] + [
        "3h30m",
        "4h30m",
        "5h30m",
        "5h45m",
        "6h30m",
        "9h30m",
        "-3h30m",
        "-9h30m",
    ]
    return {
        "type": "custom",
        "name": "offset",
        "label": "Days begin at midnight, UTC plus",
        "query": ",".join(options),
        "current": {"text": "0h", "value": "0h"},
        "multi": False,
        "includeAll": False,
    }


def _dashboard(
    uid: str,
    title: str,
    description: str,
    *,
    since: str,
    refresh: str,
    variables: Sequence[Json],
    shown: Sequence[Json],
) -> Json:
    return {
        "uid": f"infusion-{uid}",
        "title": title,
        "description": description,
        "tags": ["infusion-monitor"],
        "schemaVersion": 39,
        "editable": False,
        "graphTooltip": 1,
        "time": {"from": since, "to": "now"},
        "refresh": refresh,
        "timezone": "browser",
        "links": [panels.link("dashboards", "Infusion monitor", tags=["infusion-monitor"])],
        "annotations": {"list": []},
        "templating": {"list": list(variables)},
        "panels": [{"id": number, **one} for number, one in enumerate(shown, 1)],
    }


def wall() -> Json:
    """All beds now."""
    bed = panels.numbers(
        "$bed",
        f"{_NOT_THE_PAGE} Coloured as the vital: valid and of now. Grey: not so, and its name says why.",
        (0, 0, 12, 5),
        latest.NOW,
    )
    link = panels.link("link", "This bed", url="/d/infusion-bed?var-site=${site}&var-bed=${bed}")
    return _dashboard(
        "wall",
        "Wall",
        f"Every bed now. {_NOT_THE_PAGE}",
        since="now-1h",
        refresh="5s",
        variables=[_site("-24h"), _bed("-24h", repeated=True)],
        shown=[
            panels.table(
                "Alerts that stand",
                "Alerts of the last 24 hours that are not over, and signals that are paused or off. Those of a station "
                "that was killed stand here until it runs again.",
                (0, 0, 24, 6),
                queries.STANDING,
                ("since", "bed", "priority", "kind", "alert", "state"),
                [panels.coloured("priority", panels.PRIORITIES), panels.bed_link("bed")],
            ),
            {
                **bed,
                "repeat": "bed",
                "repeatDirection": "h",
                "maxPerRow": 3,
                "links": [link],
                "gridPos": {"x": 0, "y": 6, "w": 8, "h": 5},
            },
            panels.table(
                "The latest reading of every vital",
                "With its age. What is not valid, and what is too old to stand for now (10 s; a cuff pressure 15 "
                "minutes), is listed and shows no value.",
                (0, 11, 24, 12),
                latest.LATEST,
                ("bed", "vital", "value", "state", "cause", "age", "device"),
                [
                    panels.coloured("vital", {vital.label: vital.colour for vital in VITALS.values()}),
                    panels.coloured("state", panels.STATES),
                    panels.in_unit("age", "s"),
                    panels.bed_link("bed"),
                ],
            ),
        ],
    )


_GRAPHS = (
    ("Heart and pulse rate", ("heart_rate", "pulse_rate"), 8),
    ("Oxygen saturation", ("spo2",), 8),
    ("Cuff pressure", queries.CUFF, 8),
    ("Arterial pressure", ("abp_sys", "abp_dia", "abp_mean"), 7),
    ("Breathing", ("resp_rate", "etco2"), 7),
    ("Temperature", ("temp",), 6),
    ("Perfusion index", ("perfusion_index",), 6),
)

_LINES = (
    "Highest and lowest value of each step; a step without a value is a gap. Values that are questionable are marked "
    "once more in their own colour; readings without a value are in the bands below."
)
_POINTS = "Each measurement is a point, and questionable ones have their own colour. Nothing is drawn between two."


def _graph(title: str, vitals: Sequence[str], place: tuple[int, int, int, int]) -> Json:
    targets, overrides = [], []
    for index, key in enumerate(vitals):
        vital, ref = VITALS[key], "ABC"[index]
        if vital.episodic:
            targets += [target(f"{ref}1", queries.each(key)), target(f"{ref}2", queries.each_questionable(key))]
            overrides += panels.point_overrides(vital, f"{ref}1", f"{ref}2")
        else:
            targets += [
                target(f"{ref}1", queries.bound(key, "max")),
                target(f"{ref}2", queries.bound(key, "min")),
                target(f"{ref}3", queries.questionable_bounds(key)),
            ]
            overrides += panels.line_overrides(vital, f"{ref}1", f"{ref}2", f"{ref}3")
    return panels.graph(title, _POINTS if VITALS[vitals[0]].episodic else _LINES, place, targets, overrides)


def bed() -> Json:
    """One bed over time."""
    shown, y = [], 0
    for title, vitals, height in _GRAPHS:
        shown.append(_graph(title, vitals, (0, y, 24, height)))
        y += height
    shown.append(
        panels.validity(
            "Validity",
            "The worst reading of each step: valid, questionable, no value. Where nothing is drawn no reading came.",
            (0, y, 24, 8),
            queries.VALIDITY,
        )
    )
    shown.append(
        panels.table(
            "Why readings were not valid",
            "How many readings had which cause, from the first to the last.",
            (0, y + 8, 24, 7),
            queries.CAUSES,
            ("vital", "cause", "readings", "from", "to"),
            [panels.coloured("vital", {vital.label: vital.colour for vital in VITALS.values()})],
        )
    )
    shown.append(
        panels.table(
            "Alerts",
            "Each coming on and going off, the newest first.",
            (0, y + 15, 24, 10),
            queries.alerts('r._measurement == "alerts" and r.site == "${site}" and r.bed == "${bed}"'),
            ("_time", "priority", "state", "text", "value", "limit", "kind", "rule", "device", "bed"),
            [panels.coloured("priority", panels.PRIORITIES)],
        )
    )
    return _dashboard(
        "bed",
        "One bed",
        "What one bed measured, as it was recorded: nothing smoothed, nothing filled in.",
        since="now-1h",
        refresh="10s",
        variables=[_site("-30d"), _bed("-30d")],
        shown=shown,
    )


def sessions() -> Json:
    """What is known of the past by day, until sessions themselves are recorded."""
    return _dashboard(
        "sessions",
        "Sessions",
        "The record does not have the sessions themselves yet. What it shows now: for each bed and day how long "
        "readings were recorded and which alerts came on, and every alert.",
        since="now-7d",
        refresh="",
        variables=[_site("-30d"), _offset()],
        shown=[
            panels.table(
                "Recorded",
                "All minutes of the day in which the bed gave at least one reading, valid or not.",
                (0, 0, 10, 11),
                queries.RECORDED,
                ("day", "bed", "recorded"),
                [panels.in_unit("recorded", "s"), panels.bed_link("bed")],
            ),
            panels.table(
                "Alerts a day",
                "How many came on.",
                (10, 0, 14, 11),
                queries.ALERTS_A_DAY,
                ("day", "bed", "priority", "kind", "alerts"),
                [panels.coloured("priority", panels.PRIORITIES), panels.bed_link("bed")],
            ),
            panels.table(
                "Alerts",
                "Each coming on and going off, the newest first.",
                (0, 11, 24, 14),
                queries.alerts('r._measurement == "alerts" and r.site == "${site}"'),
                ("_time", "bed", "priority", "state", "text", "value", "limit", "kind", "rule", "device"),
                [panels.coloured("priority", panels.PRIORITIES), panels.bed_link("bed")],
            ),
        ],
    )


def dashboards() -> dict[str, str]:
    """Every file's name and content."""
    return {
        f"{made['uid'].removeprefix('infusion-')}.json": json.dumps(made, indent=2, ensure_ascii=False) + "\n"
        for made in (wall(), bed(), sessions())
    }


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for name, content in dashboards().items():
        (FOLDER / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
