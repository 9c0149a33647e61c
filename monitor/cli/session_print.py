"""What `infusion-monitor session` prints: for people, in local time, and as JSON. All of it from what `view` gives."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from drivers.errors import (
    AlertActionRefused,
    ConfigError,
    ConfirmationNeeded,
    InfusionMonitorError,
    JournalUnusable,
    StationSilent,
    StepRefused,
)
from drivers.vitals import VITALS
from monitor.sessions import view

WIDTH = 96

_STATES = {
    "check_in": "check-in",
    "running": "infusion running",
    "paused": "infusion paused",
    "stopped": "infusion stopped",
}
_MARKS = {"open": "[ ]", "answered": "[x]", "skipped": "[-]"}
_GOES_ON = {
    "phase": "To go on all the same, say it again with --confirm; that is recorded.",
    "close": "To close all the same, say it again with --reason TEXT.",
}


def as_json(content: Mapping[str, Any]) -> str:
    """One line."""
    return json.dumps(content, ensure_ascii=False)


def error(found: InfusionMonitorError) -> dict[str, Any]:
    """An error as an object, in the form of `view.refusal`."""
    if isinstance(found, StepRefused):
        return view.refusal(found)
    kinds = (
        (AlertActionRefused, "refused"),
        (StationSilent, "silent"),
        (ConfigError, "invalid"),
        (JournalUnusable, "journal"),
    )
    kind = next((name for class_, name in kinds if isinstance(found, class_)), "failed")
    return {"error": kind, "text": str(found), "possible": [], "open": []}


def error_text(found: InfusionMonitorError, verb: str) -> str:
    """An error in words; where it is a refusal, with what can be done."""
    lines = [f"infusion-monitor: {found}"]
    if isinstance(found, ConfirmationNeeded):
        lines.append(_GOES_ON.get(verb, ""))
    elif isinstance(found, StepRefused) and not all(word in str(found) for word in found.possible):
        lines.append(f"Possible: {', '.join(found.possible)}")
    return "\n".join(line for line in lines if line)


def answer(content: Mapping[str, Any]) -> str:
    """What was done, a line for each entry."""
    where = content["bed"] or "no bed"
    return "\n".join(
        f"{where}  {content['session']}  {' '.join(entry['text'].split())} {_near_now(entry['at'])}{_late(entry)}"
        for entry in content["entries"]
    )


def row(content: Mapping[str, Any]) -> str:
    """A line of a list."""
    until = f", closed {_near_now(content['closed_at'])}" if content["closed_at"] else ""
    infusion = content["infusion"]
    ran = f"{_minutes(infusion['elapsed_s'])} of {content['planned_minutes']} min" if infusion else ""
    return (
        f"{content['bed'] or 'no bed':10}  {content['session']}  {content['reference']:12}  "
        f"{_state(content['state']):16}  {ran:16}  opened {_near_now(content['opened_at'])}{until}"
    )


def chart(content: Mapping[str, Any]) -> str:
    """The whole session on a page of `WIDTH` columns."""
    day = _local(content["opened_at"]).date()

    def time(text: str) -> str:
        moment = _local(text)
        return f"{moment:%H:%M:%S}" if moment.date() == day else f"{moment:%Y-%m-%d %H:%M:%S}"

    lines = [
        f"{content['bed'] or 'no bed'}  {content['session']}  {content['reference']}",
        f"{_state(content['state'])}; opened {day} {time(content['opened_at'])}"
        + (f", closed {time(content['closed_at'])}" if content["closed_at"] else "")
        + f"; alert profile {content['profile']}",
        "",
        *_head(content, time),
    ]
    if content["checklist"]:
        lines += ["", "Before the infusion", *(_item(item, time) for item in content["checklist"])]
    if content["baseline"]:
        lines += ["", "Baseline (median)", *(_vital(*one) for one in content["baseline"].items())]
    if content["discharge"]:
        lines += ["", "Discharge"]
        for criterion in content["discharge"]:
            lines += _wrapped(
                f"  {'[x]' if criterion['met'] else '[ ]'} ", f"{criterion['text']}: {criterion['detail']}"
            )
    lines += ["", "Entries"]
    for entry in content["entries"]:
        lines += _entry(entry, time)
    return "\n".join(lines)


def _head(content: Mapping[str, Any], time: Any) -> Iterator[str]:
    if infusion := content["infusion"]:
        text = f"started {time(infusion['started_at'])}, has run {_minutes(infusion['elapsed_s'])}"
        text += f" of {content['planned_minutes']} min planned"
        if infusion["planned_end"]:
            text += f", planned end {time(infusion['planned_end'])}"
        if infusion["overrun_s"]:
            text += f", OVERRUN by {_minutes(infusion['overrun_s'])}"
        yield from _wrapped("Infusion  ", text)
    else:
        yield f"Infusion  not started; {content['planned_minutes']} min planned"
    if cuff := content["cuff"]:
        last = f"last {time(cuff['last_at'])}" if cuff["last_at"] else "none yet"
        due = f"OVERDUE by {_minutes(cuff['overdue_s'])}" if cuff["overdue_s"] else f"due {time(cuff['due_at'])}"
        yield f"Cuff      {due}; every {cuff['every_min']} min, {last}"
    if content["limits"]:
        limits = ", ".join(f"{rule} {limit:g}" for rule, limit in content["limits"].items())
        yield from _wrapped("Limits    ", f"{limits}; set for this session")
    if len(content["beds"]) > 1:
        stays = (
            f"{it['bed']} {time(it['since'])} to {time(it['until']) if it['until'] else 'now'}"
            for it in content["beds"]
        )
        yield from _wrapped("Beds      ", "; ".join(stays))
    if content["possible"]:
        yield f"Possible  {', '.join(content['possible'])}"
    if content["asked"]:
        yield from _wrapped("ASKED     ", content["asked"])


def _item(item: Mapping[str, Any], time: Any) -> str:
    mark, text = _MARKS[item["state"]], item["text"]
    said = f"skipped, {item['reason']}" if item["reason"] else item["answer"]
    if said:
        text += f": {said} ({item['by']}, {time(item['at'])})"
    return "\n".join(_wrapped(f"  {mark} ", text))


def _vital(key: str, found: Mapping[str, Any]) -> str:
    about = VITALS.get(key)
    label, unit = (about.label, about.unit_label) if about else (key, "")
    if found["median"] is None:
        return f"  [ ] {label}: no reading"
    count = found["readings"]
    text = f"{label}: {found['median']:g} {unit} of {count} reading{'s' * (count != 1)}"
    if found["within"] is None:
        return f"      {text}"
    bounds = [
        f"{word} {found[key]:g}" for word, key in (("at least", "low"), ("at most", "high")) if found[key] is not None
    ]
    return f"  {'[x]' if found['within'] else '[ ]'} {text}, to be {' and '.join(bounds)}"


def _entry(entry: Mapping[str, Any], time: Any) -> list[str]:
    marks = "VOID " if entry["void"] else ""
    marks += f"{_late(entry).strip()} " if entry["late_s"] else ""
    after = f" ({entry['by']})"
    if entry["corrected_by"]:
        after += f" corrected by {', '.join(map(str, entry['corrected_by']))}"
    first, *more = entry["text"].splitlines() or [""]
    head = f"{entry['number']:4}  {time(entry['at'])}  "
    lines = _wrapped(head, f"{marks}{first}{'' if more else after}")
    for line in more[:-1]:
        lines += _wrapped(" " * len(head), line)
    if more:
        lines += _wrapped(" " * len(head), f"{more[-1]}{after}")
    if (was := entry["was"]) and not entry["void"]:
        when = f"{time(was['at'])} " if was["at"] != entry["at"] else ""
        lines += _wrapped(" " * len(head), f"was: {when}{' '.join(was['text'].split())}")
    return lines


def _wrapped(head: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)) or [head.rstrip()]


def _late(entry: Mapping[str, Any]) -> str:
    return f"  LATE {entry['late_s'] // 60:.0f} min" if entry["late_s"] else ""


def _state(state: str) -> str:
    return _STATES.get(state, state)


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def _local(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone()


def _near_now(text: str) -> str:
    """With the date, where that is not today's."""
    moment = _local(text)
    return (
        f"{moment:%H:%M:%S}" if moment.date() == datetime.now().astimezone().date() else f"{moment:%Y-%m-%d %H:%M:%S}"
    )
