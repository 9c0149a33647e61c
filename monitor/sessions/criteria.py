"""What a site asks for before an infusion and before a discharge, held against what was recorded.

Nothing here prevents anything: what is open is shown, and who goes on all the same says so and is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import NamedTuple

from drivers.clock import NS
from drivers.vitals import VITALS
from monitor.sessions.entries import Kind
from monitor.sessions.recorded import Recorded
from monitor.sessions.session import Session, Shown
from monitor.sessions.settings import Item, SessionsConfig, VitalBounds, VitalCriterion
from monitor.sessions.steps import Phase, State

MISSED = 2
"""Intervals of cuff readings after which the last one no longer says how the patient is. Of a continuous vital nothing
older than five minutes is looked at (`recorded.FRESH`)."""


class Criterion(NamedTuple):
    """One criterion of the discharge."""

    id: str
    text: str
    met: bool
    detail: str
    """What was found, for people."""


def answer(session: Session, item: Item) -> Shown | None:
    """The last answer to an item of a checklist; None where there is none."""
    return session.latest(Kind.CHECK, "item").get(item.id)


def is_open(found: Shown | None) -> bool:
    """Whether an item is still to be seen to: not answered, or answered by no."""
    if found is None:
        return True
    return "skipped" not in found.content and found.content["answer"].lower() == "no"


def open_before_infusion(session: Session, recorded: Recorded | None, settings: SessionsConfig) -> list[str]:
    """What a person has to confirm who starts the infusion now; `recorded` is None where it cannot be read."""
    items = [item.text for item in settings.checklist if is_open(answer(session, item))]
    if recorded is None:
        return [*items, "baseline vitals cannot be read from the journal"]
    return items + [text for vital, bounds in settings.baseline.items() if (text := _out(vital, bounds, recorded))]


def _out(vital: str, bounds: VitalBounds, recorded: Recorded) -> str:
    """What is wrong with a vital's baseline; empty if nothing is."""
    about = VITALS[vital]
    values = recorded.baseline.get(vital)
    if not values:
        return f"no baseline reading of {about.label}" if bounds.required else ""
    found = median(values)
    if bounds.low is not None and found < bounds.low:
        return f"baseline {about.label} {found:g} {about.unit_label} is below {bounds.low:g}"
    if bounds.high is not None and found > bounds.high:
        return f"baseline {about.label} {found:g} {about.unit_label} is above {bounds.high:g}"
    return ""


def within_bounds(vital: str, bounds: VitalBounds, recorded: Recorded) -> bool | None:
    """Whether a vital's baseline is within the site's bounds; None where there is no reading of it."""
    return not _out(vital, bounds, recorded) if recorded.baseline.get(vital) else None


def discharge(session: Session, recorded: Recorded | None, settings: SessionsConfig, now: int) -> list[Criterion]:
    """Each of the site's criteria, met or open at `now` (UTC nanoseconds)."""
    return list(_discharge(session, recorded, settings, now))


def _discharge(session: Session, recorded: Recorded | None, settings: SessionsConfig, now: int) -> Iterator[Criterion]:
    asked = settings.discharge
    since, start = session.since_start(now), session.start
    if since is None or start is None:
        yield Criterion("infusion", "An infusion was given", met=False, detail="none was started")
        return
    over = session.state in {State.STOPPED, State.RECOVERY, State.CLOSED}
    yield Criterion("infusion", "The infusion is over", over, "stopped" if over else "it was not stopped")
    minutes = since / 60
    yield Criterion(
        "minutes_since_start",
        f"At least {asked.minutes_since_start:g} min since the infusion's start",
        minutes >= asked.minutes_since_start,
        f"{minutes:.0f} min",
    )
    scores = session.latest(Kind.SCORE, "scale")
    for scale, wanted in asked.scores.items():
        found = scores.get(scale)
        words = [f"at least {wanted.at_least}"] if wanted.at_least is not None else []
        words += [f"at most {wanted.at_most}"] if wanted.at_most is not None else []
        text = f"{settings.all_scales[scale].title} {' and '.join(words)}"
        if found is None or found.steady < start.steady:
            yield Criterion(f"score_{scale}", text, met=False, detail="no score since the infusion's start")
        else:
            value = found.content["value"]
            met = (wanted.at_least is None or value >= wanted.at_least) and (
                wanted.at_most is None or value <= wanted.at_most
            )
            yield Criterion(f"score_{scale}", text, met, f"{value}")
    for vital, near in asked.vitals.items():
        yield _back(vital, near, recorded, now, session.by_present_clock(start), settings.cuff_every.recovery)
    for item in asked.checklist:
        found = answer(session, item)
        detail = "not answered" if found is None else str(found.content.get("answer", "skipped"))
        yield Criterion(f"item_{item.id}", item.text, not is_open(found), detail)


def _back(
    vital: str, near: VitalCriterion, recorded: Recorded | None, now: int, started_at: int, cuff_every: float
) -> Criterion:
    about = VITALS[vital]
    name, text = f"vital_{vital}", f"{about.label} no more than {near.by or 0:g} {about.unit_label} from its baseline"
    if near.percent is not None:
        text = f"{about.label} within {near.percent:g} % of its baseline"
    if recorded is None:
        return Criterion(name, text, met=False, detail="cannot be read from the journal")
    values, last = recorded.baseline.get(vital), recorded.latest.get(vital)
    if not values:
        return Criterion(name, text, met=False, detail="no baseline reading")
    if last is None or last[0] < started_at:
        return Criterion(name, text, met=False, detail="no reading since the infusion's start")
    at, value = last
    base = median(values)
    allowed = base * near.percent / 100 if near.percent is not None else near.by or 0
    age = max(0, now - at) / (60 * NS)
    fresh = not about.episodic or age <= MISSED * cuff_every
    detail = f"{value:g}, {age:.0f} min ago; baseline {base:g}" + ("" if fresh else "; too old")
    return Criterion(name, text, fresh and abs(value - base) <= allowed, detail)


def cuff_due_at(session: Session, last_cuff_at: int | None, settings: SessionsConfig) -> int | None:
    """When the next cuff reading is due by the phase's interval, UTC nanoseconds; None where none is asked for."""
    minutes = cuff_every(session, settings)
    if minutes is None:
        return None
    return session.phase_began_at if last_cuff_at is None else last_cuff_at + round(minutes * 60 * NS)


def cuff_every(session: Session, settings: SessionsConfig) -> float | None:
    """The phase's interval of cuff readings, minutes; None where none are asked for."""
    every = settings.cuff_every
    return {Phase.BASELINE: every.baseline, Phase.INFUSION: every.infusion, Phase.RECOVERY: every.recovery}.get(
        session.phase
    )


def question(session: Session, settings: SessionsConfig, now: int) -> str:
    """What people are asked of a session that looks forgotten; empty where it does not."""
    if session.state is State.CLOSED:
        return ""
    planned_end = session.planned_end(now) or 0
    if now - max(session.last_entered_at, planned_end) < settings.ask_after * 60 * NS:
        return ""
    minutes = (now - session.last_entered_at) // (60 * NS)
    return f"Session still open? No entry for {minutes} min, in {session.phase.replace('_', '-')}"
