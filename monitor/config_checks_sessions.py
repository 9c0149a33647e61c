"""What is wrong with the `sessions` section of a configuration each of whose keys is well formed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from drivers.vitals import VITALS
from monitor.config import StationConfig
from monitor.config_faults import Fault, Path_, implausible, no_such_vital, twice
from monitor.sessions.scales import SCALES, Scale
from monitor.sessions.settings import (
    DischargeConfig,
    OwnScale,
    ScoreCriterion,
    SessionsConfig,
    VitalBounds,
    VitalCriterion,
)


def check_sessions(config: StationConfig) -> Iterator[Fault]:
    """Ids used twice, vitals and scales that there are not, bounds and criteria that nothing can meet."""
    sessions = config.sessions
    yield from _check_ids(sessions)
    for vital, bounds in sessions.baseline.items():
        yield from _check_bounds(vital, bounds, ("sessions", "baseline", vital))
    for index, scale in enumerate(sessions.scales):
        yield from _check_scale(scale, ("sessions", "scales", index))
    yield from _check_discharge(sessions.discharge, sessions.all_scales, ("sessions", "discharge"))


def _check_ids(sessions: SessionsConfig) -> Iterator[Fault]:
    # One name space for both: an answer in the chart names its item, not its list.
    checklists: tuple[tuple[Path_, str, str], ...] = tuple(
        ((*where, index), item.id, item.text)
        for where, items in (
            (("sessions", "checklist"), sessions.checklist),
            (("sessions", "discharge", "checklist"), sessions.discharge.checklist),
        )
        for index, item in enumerate(items)
    )
    events: tuple[tuple[Path_, str, str], ...] = tuple(
        (("sessions", "events", index), event.id, event.text) for index, event in enumerate(sessions.events)
    )
    for items, what in ((checklists, "checklist item"), (events, "one-touch event")):
        yield from twice([((*where, "id"), name) for where, name, _ in items], what)
        yield from twice([((*where, "text"), text) for where, _, text in items], what)
    scales = [(("sessions", "scales", index, "id"), scale.id) for index, scale in enumerate(sessions.scales)]
    yield from twice(scales, "scale")


def _check_bounds(vital: str, bounds: VitalBounds, where: Path_) -> Iterator[Fault]:
    if vital not in VITALS:
        yield where, no_such_vital(vital)
        return
    low, high = bounds.low, bounds.high
    if low is None and high is None and not bounds.required:
        yield where, "give low, high or `required: true`: without any of them this line asks for nothing"
    for side, bound in (("low", low), ("high", high)):
        if bound is not None and (problem := implausible(vital, bound)):
            yield (*where, side), problem
    if low is not None and high is not None and low >= high:
        yield (*where, "low"), f"low bound {low:g} is not below high bound {high:g}"


def _check_scale(scale: OwnScale, where: Path_) -> Iterator[Fault]:
    if scale.id in SCALES:
        yield (*where, "id"), f"{scale.id!r} is the shipped scale {SCALES[scale.id].title}: give yours another id"
    if scale.lowest >= scale.highest:
        yield (*where, "lowest"), f"lowest {scale.lowest} is not below highest {scale.highest}"


def _check_discharge(discharge: DischargeConfig, scales: Mapping[str, Scale], where: Path_) -> Iterator[Fault]:
    for name, score in discharge.scores.items():
        here = (*where, "scores", name)
        if name in scales:
            yield from _check_score(score, scales[name], here)
        else:
            yield here, f"there is no scale {name!r}; there are: {', '.join(scales)}"
    for vital, criterion in discharge.vitals.items():
        yield from _check_vital(vital, criterion, (*where, "vitals", vital))


def _check_score(score: ScoreCriterion, scale: Scale, where: Path_) -> Iterator[Fault]:
    if score.at_least is None and score.at_most is None:
        yield where, "give at_least, at_most or both"
    for side, number in (("at_least", score.at_least), ("at_most", score.at_most)):
        if number is not None and not scale.lowest <= number <= scale.highest:
            yield (*where, side), f"{number} is outside {scale.title}, {scale.lowest} to {scale.highest}"
    if score.at_least is not None and score.at_most is not None and score.at_least > score.at_most:
        yield (*where, "at_least"), f"at_least {score.at_least} is above at_most {score.at_most}"


def _check_vital(vital: str, criterion: VitalCriterion, where: Path_) -> Iterator[Fault]:
    if vital not in VITALS:
        yield where, no_such_vital(vital)
    elif (criterion.percent is None) == (criterion.by is None):
        yield where, f"give percent (of the baseline) or by (in {VITALS[vital].unit_label}), one of the two"
