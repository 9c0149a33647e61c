"""The words that a profile is written in: names of vitals, sentences, relative limits, `2 of 3`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict
from pydantic_core import PydanticCustomError

from drivers.vitals import VITALS
from monitor.alerts.rules import Threshold
from monitor.config_base import Section
from monitor.config_faults import no_such_vital

EXAMPLE = "SpO2 < 90 for 10 s, clears at 92, high"
DECIDING = {
    "below": "<limit>",
    "above": "<limit>",
    "falls": "<rate>",
    "rises": "<rate>",
    "all": "<combination>",
    "any": "<combination>",
    "overdue": "<overdue>",
    "stale_after": "<stale>",
    "probe_off_after": "<probe_off>",
}
"""The key that tells what a rule is about, and how pydantic's paths call a rule of that kind."""
MOST_READINGS = 10
"""The `m` of `n of m`: more than that is an hour of cuff readings."""

_NUMBER = r"\d+(?:\.\d+)?"
_SENTENCE = re.compile(
    rf"\s*(?P<vital>[^<>]*?)\s*(?P<sign>[<>])\s*(?P<limit>{_NUMBER})(?:\s+for\s+(?P<delay>{_NUMBER})\s*s)?"
    rf"(?:\s*,\s*clears\s+at\s+(?P<clears>{_NUMBER}))?(?:\s*,\s*(?P<priority>low|medium|high|none))?\s*",
    re.IGNORECASE,
)
_RELATIVE = re.compile(rf"([+-]) ?({_NUMBER}) ?(%)?")
_OF = re.compile(r"([1-9]\d?) of ([1-9]\d?)")


def _names() -> Mapping[str, str]:
    short = {"sbp": "nibp_sys", "dbp": "nibp_dia", "mbp": "nibp_mean"}
    for vital in VITALS.values():
        for name in (vital.key, vital.key.replace("_", " "), vital.label, vital.label.replace("₂", "2")):
            short[name.casefold()] = vital.key
    return short


_NAMES = _names()
"""Every name that a vital can be written by."""


def wrong(text: str) -> PydanticCustomError:
    """A fault with a text of its own."""
    return PydanticCustomError("wrong", "{text}", {"text": text})


def sentence(text: str) -> dict[str, Any]:
    """The keys of a limit that is said in one sentence. Raises `PydanticCustomError` where it is none."""
    found = _SENTENCE.fullmatch(text)
    if found is None:
        raise wrong(f"expected a sentence like `{EXAMPLE}`, or the keys of a rule")
    said: dict[str, Any] = {
        "vital": found["vital"],
        "below" if found["sign"] == "<" else "above": float(found["limit"]),
    }
    if found["delay"] is not None:
        said["for"] = float(found["delay"])
    if found["clears"] is not None:
        said["clears_at"] = float(found["clears"])
    if found["priority"] is not None:
        said["priority"] = found["priority"].lower()
    return said


def vital_named(name: str) -> str:
    """The key of a vital, by any of its names. Raises `PydanticCustomError` where there is none."""
    key = _NAMES.get(name.casefold())
    if key is None:
        raise wrong(no_such_vital(name))
    return key


def relative(text: str) -> str:
    """A limit that is relative to the baseline. Raises `PydanticCustomError` where it is not well said."""
    if not _RELATIVE.fullmatch(text):
        raise wrong('expected a number, or by how much from the baseline, with its sign: "+25 %", "-20 %" or "+15"')
    return text


def readings_named(text: Any) -> Any:
    """`n of m`. Raises `PydanticCustomError` where it is not well said."""
    found = _OF.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise wrong("expected how many of the last readings, like `2 of 3`")
    if int(found[1]) > int(found[2]) or int(found[2]) > MOST_READINGS:
        raise wrong(f"expected `n of m` with n at most m, and m at most {MOST_READINGS}")
    return text


def threshold(value: float | str) -> Threshold:
    """A limit as the engine takes it."""
    if not isinstance(value, str):
        return Threshold(value)
    found = _RELATIVE.fullmatch(value)
    if found is None:
        raise wrong(f"{value!r} is no limit")
    number = float(found[1] + found[2])
    return Threshold(percent=number) if found[3] else Threshold(by=number)


class Part(Section):
    """A part of a profile: its dump has the keys of the YAML."""

    model_config = ConfigDict(serialize_by_alias=True)


def deciding(rule: Mapping[str, Any]) -> list[str]:
    """Those of its keys that tell what a rule is about."""
    return [key for key in DECIDING if rule.get(key) is not None]
