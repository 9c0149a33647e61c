"""How a report says things in the language of its reader: words, times, numbers.

What people wrote, and what the station told when it happened, is not translated: it stays as it was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from types import MappingProxyType

from babel.dates import format_date, format_skeleton
from babel.numbers import format_decimal

from drivers.clock import NS
from drivers.vitals import VITALS
from monitor.words import catalogue

NONE = "--"
"""In place of a value that there is not."""
_LONGEST = 1e12
"""Below that a number is told with all its digits; what is above is none of a patient, and no line has room for it."""


def message(text: str) -> str:
    """Marks a text that `Language.say` translates later, for the catalogue."""
    return text


NAMES: Mapping[str, str] = MappingProxyType(
    {
        "heart_rate": message("Heart rate"),
        "pulse_rate": message("Pulse rate"),
        "spo2": message("Oxygen saturation"),
        "nibp_sys": message("Systolic pressure, cuff"),
        "nibp_dia": message("Diastolic pressure, cuff"),
        "nibp_mean": message("Mean pressure, cuff"),
        "abp_sys": message("Systolic pressure, arterial"),
        "abp_dia": message("Diastolic pressure, arterial"),
        "abp_mean": message("Mean pressure, arterial"),
        "resp_rate": message("Respiratory rate"),
        "etco2": message("End-tidal CO₂"),
        "temp": message("Temperature"),
        "perfusion_index": message("Perfusion index"),
    }
)
"""What the labels of the vitals stand for."""


@dataclass(frozen=True)
class Language:
    """A language of `words.LANGUAGES`, and the time zone of the clinic."""

    code: str
    zone: tzinfo
    day: int
    """Times of this day (a moment in it, UTC nanoseconds) are told without it."""

    def say(self, text: str) -> str:
        """A message of the catalogue `report`, in English where that has none."""
        return catalogue("report", self.code).get(text, text)

    def moment(self, at: int) -> datetime:
        """UTC nanoseconds as a time of that zone, to the second."""
        return datetime.fromtimestamp(at // NS, UTC).astimezone(self.zone)

    def time(self, at: int) -> str:
        """To the second, with the day where that is another one."""
        moment = self.moment(at)
        clock = _skeleton("Hms", moment, self.code)
        return clock if self._same_day(moment) else f"{_skeleton('MMMd', moment, self.code)} {clock}"

    def hour(self, at: int) -> str:
        """To the minute, with the day where that is another one."""
        moment = self.moment(at)
        clock = self.clock(at)
        return clock if self._same_day(moment) else f"{_skeleton('MMMd', moment, self.code)} {clock}"

    def _same_day(self, moment: datetime) -> bool:
        return moment.date() == self.moment(self.day).date()

    def clock(self, at: int) -> str:
        """To the minute, and nothing else."""
        return _skeleton("Hm", self.moment(at), self.code)

    def date(self, at: int) -> str:
        """The day in full."""
        return format_date(self.moment(at), "long", locale=self.code)

    def dated(self, at: int) -> str:
        """Day and time, to the second."""
        return f"{self.date(at)}, {_skeleton('Hms', self.moment(at), self.code)}"

    def zone_name(self, since: int, until: int) -> str:
        """Of the zone, with its distance from UTC then; both where the clocks were changed."""
        named = getattr(self.zone, "key", None)
        offsets = dict.fromkeys(_offset(self.moment(at)) for at in (since, until))
        text = " / ".join(offsets)
        return f"{named} ({text})" if named else text

    def number(self, value: float, decimals: int = 0) -> str:
        """With so many decimals, or up to two where the value has more; without any where it has too many digits."""
        if not abs(value) < _LONGEST:
            return f"{value:g}"
        return format_decimal(value, f"#,##0.{'0' * decimals}{'#' * (2 - decimals)}", locale=self.code)

    def value(self, vital: str, value: float | None, *, unit: bool = True) -> str:
        """Of that vital, with its unit; `NONE` without a value."""
        if value is None or value != value:  # noqa: PLR0124 - NaN is the one number that is not itself
            return NONE
        about = VITALS.get(vital)
        number = self.number(value, about.decimals if about else 0)
        return f"{number} {about.unit_label}" if unit and about else number

    def percent(self, value: float) -> str:
        """A whole number of percent; what is not quite all is never called 100."""
        return f"{self.number(min(99, round(value)) if value < 100 else 100)} %"


def label(vital: str) -> str:
    """What a vital is called everywhere in the program, in every language."""
    return VITALS[vital].label if vital in VITALS else vital


def duration(seconds: float) -> str:
    """`45 s`, `12:05 min`, `2:00:05 h`: the same in every language."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    if minutes >= 60:
        return f"{minutes // 60}:{minutes % 60:02}:{rest:02} h"
    return f"{minutes}:{rest:02} min" if minutes else f"{rest} s"


def _skeleton(skeleton: str, moment: datetime, code: str) -> str:
    return format_skeleton(skeleton, moment, locale=code)


def _offset(moment: datetime) -> str:
    offset = moment.utcoffset() or timedelta()
    minutes = round(offset.total_seconds() / 60)
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
