"""What what-if found, in figures: how often, how long, and what another profile would change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from drivers.clock import NS
from drivers.recordings.recording import Recording
from monitor.alerts.conditions import URGENCY, Priority
from monitor.alerts.rules import Profile
from monitor.alerts.what_if import conditions, judge
from monitor.alerts.what_if_columns import Moment
from monitor.alerts.what_if_steps import Change

_LISTED = 10
"""Onsets of one rule, of one recording, that are named in the text."""

Runs = Sequence[tuple[int, int | None]]
"""When a condition began and ended, UTC nanoseconds; None where it stood at the end."""


class Judged(NamedTuple):
    """A recording by one profile."""

    recording: Recording
    priorities: Mapping[str, Priority]
    """Every condition that was judged."""
    runs: Mapping[str, Runs]
    """Of each of them."""

    @property
    def hours(self) -> float:
        """How long the recording is."""
        return (self.recording.ended - self.recording.began) / 3600

    def seconds(self, at: int) -> float:
        """UTC nanoseconds as seconds on the recording's own scale; whole ones are integers."""
        seconds = round((at - self.recording.origin) / NS, 6)
        return int(seconds) if seconds.is_integer() else seconds

    def onsets(self, rule: str) -> list[float]:
        """When a condition began; seconds on the recording's own scale."""
        return [self.seconds(begin) for begin, _ in self.runs.get(rule, ())]


class Figures(NamedTuple):
    """Of one condition, or of all of one priority, over all recordings."""

    onsets: int
    seconds: float
    """In which it was on; of several, in which any of them was."""
    longest: float
    """Seconds."""


def judged(profile: Profile, recording: Recording, visits: Sequence[Moment] = ()) -> Judged:
    """What the profile says to a recording."""
    priorities = conditions(profile, recording)
    return Judged(recording, priorities, _runs(judge(profile, recording, visits), priorities))


def as_json(found: Iterable[Judged]) -> dict[str, dict[str, dict[str, list[float]]]]:
    """By recording and condition the `onsets` and the `ends`, seconds on the recording's own scale."""
    return {
        one.recording.name: {
            rule: {
                "onsets": [one.seconds(begin) for begin, _ in runs],
                "ends": [one.seconds(end) for _, end in runs if end is not None],
            }
            for rule, runs in one.runs.items()
        }
        for one in found
    }


def text(profile: str, found: Sequence[Judged]) -> Iterator[str]:
    """Lines for people: each condition that came on, and each priority."""
    hours = sum(one.hours for one in found)
    yield f"{profile}: {_many(len(found), 'recording')}, {hours:.2f} h"
    yield ""
    yield f"{'condition':28} {'priority':8} {'onsets':>7} {'per hour':>9} {'time on':>9} {'longest':>9}"
    never = []
    for rule, priority in _priorities(found).items():
        figures = of_condition(found, rule)
        if figures.onsets:
            yield _line(rule, priority, figures, hours)
        else:
            never.append(rule)
    for priority in sorted(Priority, key=lambda it: -URGENCY[it]):
        figures = of_priority(found, priority)
        if figures.onsets:
            yield _line("all together", priority, figures, hours)
    if never:
        yield f"never on: {', '.join(never)}"


def differences(names: tuple[str, str], before: Sequence[Judged], after: Sequence[Judged]) -> Iterator[str]:
    """Lines for people: what becomes of each condition if `after` takes the place of `before`."""
    old, new = names
    hours = sum(one.hours for one in after)
    yield f"{new} in place of {old}"
    yield f"{'condition':28} {'onsets':>16} {'per hour':>18} {'time on':>22}"
    rules = {**_priorities(before), **_priorities(after)}
    changed = False
    for rule in rules:
        was, now = of_condition(before, rule), of_condition(after, rule)
        lines = list(_moved(rule, before, after))
        if was == now and not lines:
            continue
        changed = True
        yield (
            f"{rule:28} {f'{was.onsets} -> {now.onsets}':>16} "
            f"{f'{_per(was.onsets, hours)} -> {_per(now.onsets, hours)}':>18} "
            f"{f'{_clock(was.seconds)} -> {_clock(now.seconds)}':>22}"
        )
        yield from lines
    for priority in sorted(Priority, key=lambda it: -URGENCY[it]):
        was, now = of_priority(before, priority), of_priority(after, priority)
        if was.onsets or now.onsets:
            yield f"all of {priority:8} {'':12} {f'{was.onsets} -> {now.onsets}':>16}".rstrip()
    if not changed:
        yield "no difference"


def of_condition(found: Iterable[Judged], rule: str) -> Figures:
    """The figures of one condition."""
    return _figures((one, one.runs.get(rule, ())) for one in found)


def of_priority(found: Sequence[Judged], priority: Priority) -> Figures:
    """The figures of all conditions of that priority."""
    together = []
    onsets = 0
    for one in found:
        several = [runs for rule, runs in one.runs.items() if one.priorities[rule] is priority]
        onsets += sum(map(len, several))
        together.append((one, _union(one, several)))
    return _figures(together)._replace(onsets=onsets)


def _runs(changes: Iterable[Change], names: Iterable[str]) -> dict[str, Runs]:
    moments: dict[str, list[int]] = {name: [] for name in names}
    for change in changes:
        moments[change.rule].append(change.at)
    return {
        name: [(at[i], at[i + 1] if i + 1 < len(at) else None) for i in range(0, len(at), 2)]
        for name, at in moments.items()
    }


def _figures(found: Iterable[tuple[Judged, Runs]]) -> Figures:
    lasted = [(_end(one, end) - begin) / NS for one, runs in found for begin, end in runs]
    return Figures(len(lasted), sum(lasted), max(lasted, default=0.0))


def _end(one: Judged, end: int | None) -> int:
    return one.recording.at(one.recording.ended) if end is None else end


def _union(one: Judged, several: Iterable[Runs]) -> list[tuple[int, int]]:
    """The stretches in which any of them is on."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted((begin, _end(one, end)) for runs in several for begin, end in runs):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return merged


def _moved(rule: str, before: Sequence[Judged], after: Sequence[Judged]) -> Iterator[str]:
    for was, now in zip(before, after, strict=True):
        old, new = was.onsets(rule), now.onsets(rule)
        for sign, word, onsets in (("-", "gone", set(old) - set(new)), ("+", "new", set(new) - set(old))):
            if onsets:
                listed = ", ".join(f"{one:.12g}" for one in sorted(onsets)[:_LISTED])
                more = f" and {len(onsets) - _LISTED} more" if len(onsets) > _LISTED else ""
                yield f"  {sign} {word} in {now.recording.name}, s: {listed}{more}"


def _priorities(found: Iterable[Judged]) -> dict[str, Priority]:
    return {rule: priority for one in found for rule, priority in one.priorities.items()}


def _line(name: str, priority: Priority, figures: Figures, hours: float) -> str:
    return (
        f"{name:28} {priority:8} {figures.onsets:7,} {_per(figures.onsets, hours):>9} "
        f"{_clock(figures.seconds):>9} {_clock(figures.longest):>9}"
    )


def _per(onsets: int, hours: float) -> str:
    return f"{onsets / hours:.2f}" if hours else "-"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _many(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
