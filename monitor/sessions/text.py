"""An entry in words, for people: on a chart, in a list, in InfluxDB."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from drivers.clock import NS
from monitor.sessions.entries import Entry, Kind
from monitor.sessions.steps import STEPS, Step

Content = Mapping[str, Any]


def text_of(entry: Entry) -> str:
    """One line; a note keeps the line breaks that it was written with."""
    return _TEXTS[entry.kind](entry.content)


def _step(content: Content) -> str:
    done = STEPS[Step(content["step"])].done
    if confirmed := content.get("confirmed"):
        done += f", confirmed with open: {'; '.join(confirmed)}"
    return _with(done, content.get("reason"))


def _check(content: Content) -> str:
    said = f"skipped, {content['skipped']}" if "skipped" in content else content["answer"]
    return f"{content['title']}: {said}"


def _correction(content: Content) -> str:
    corrects = f"entry {content['corrects']}"
    if content.get("void"):
        return _with(f"{corrects} is void", content["reason"])
    changes = {key: value for key, value in content.items() if key not in {"corrects", "reason"}}
    words = [f"{key.replace('_', ' ')} {_utc(value) if key == 'at' else value}" for key, value in changes.items()]
    return f"{corrects} corrected ({content['reason']}): {', '.join(words)}"


def _limit(content: Content) -> str:
    what = "back to the profile's" if content["limit"] is None else f"set to {content['limit']:g}"
    return _with(f"limit of {content['rule']} {what}", content["reason"])


def local(at: int) -> str:
    """UTC nanoseconds as people here read them: the machine's own time, to the second."""
    return f"{datetime.fromtimestamp(at // NS).astimezone():%Y-%m-%d %H:%M:%S}"


def _utc(at: int) -> str:
    """To the second: what is recorded has to mean the same everywhere."""
    return f"{datetime.fromtimestamp(at // NS, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _with(text: str, more: str | None) -> str:
    return f"{text}: {more}" if more else text


_TEXTS: Mapping[Kind, Callable[[Content], str]] = {
    Kind.OPENED: lambda it: f"session opened, {it['planned_minutes']} min of infusion planned",
    Kind.STEP: _step,
    Kind.CHECK: _check,
    Kind.NOTE: lambda it: str(it["text"]),
    Kind.EVENT: lambda it: _with(it["title"], it["text"]),
    Kind.DOSE: lambda it: f"dose: {it['text']}",
    Kind.SCORE: lambda it: _with(f"{it['title']} {it['value']}", it["text"]),
    Kind.CORRECTION: _correction,
    Kind.MOVED: lambda it: f"moved from {it['from'] or 'no bed'} to {it['to']}",
    Kind.ASSIGNED: lambda it: f"recording of {it['bed']} assigned, {_utc(it['since'])} to {_utc(it['until'])}",
    Kind.LIMIT: _limit,
    Kind.CLOSED: lambda it: _with(STEPS[Step.CLOSE].done, it.get("reason")),
    Kind.SIGNED: lambda it: f"chart signed, through entry {it['through']}",
    Kind.CLOCK_SET: lambda it: f"the station's clock was set by {it['seconds']:+.1f} s",
}
