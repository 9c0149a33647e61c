r"""HL7 text: escaping, numbers, times and segments.

A message is text whose segments each end with a carriage return. The delimiters are the usual ones, `|^~\&`.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

from drivers.clock import NS

DELIMITERS = "^~\\&"
"""MSH-2 and BHS-2: components, repetitions, escapes and subcomponents."""

# What separates, and what no segment and no frame may hold: control characters are written as their code.
_SPECIAL = re.compile(r"[|^~\\&\x00-\x1f\x7f]")
_ESCAPES = {"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\", "\\": "\\E\\"}


def escaped(text: str) -> str:
    """`text` as a field, component or subcomponent can hold it."""
    return _SPECIAL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return _ESCAPES.get(found[0]) or f"\\X{ord(found[0]):02X}\\"


def number(value: float) -> str:
    """A finite number as the data type NM has it: all its digits, without an exponent."""
    text = repr(float(value))
    return (format(Decimal(text), "f") if "e" in text else text).removesuffix(".0")


def time(at: int) -> str:
    """UTC nanoseconds as the data type DTM has it: with milliseconds, the rest cut off, and the zone."""
    seconds, fraction = divmod(at, NS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d%H%M%S}.{fraction // 1_000_000:03d}+0000"


def components(*texts: str) -> str:
    """A field of components, each text escaped; empty ones at its end are left out."""
    return "^".join(map(escaped, texts)).rstrip("^")


def segment(name: str, **fields: str) -> str:
    """A segment with these fields, given as `f3="..."` by their numbers and escaped where they have to be."""
    numbered = {int(key[1:]): text for key, text in fields.items() if text}
    return "|".join([name, *(numbered.get(place, "") for place in range(1, max(numbered, default=0) + 1))]) + "\r"
