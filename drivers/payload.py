"""What drivers of JSON messages share: strict decoding, paths into a payload, times and units.

Nothing here raises but `Refused`, and its text never repeats what came.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator

from drivers.clock import NS

_LARGEST = 64 * 1024
"""Bytes of one message."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLOCK_SET_NS = 10**18
"""2001-09-09: what claims to be earlier comes from a clock that was never set."""
_SIZES: Final = ((10**9, NS), (10**12, 10**6), (10**15, 10**3), (10**18, 1))
"""The smallest number of each unit that is a time since 1970, and its nanoseconds; the largest is a hundredfold."""

ABSENT: Final = object()
"""What `Place.find` gives where nothing stands."""

SAME: Final = (1.0, 0.0)
_KILOPASCAL = (1 / 0.133322387415, 0.0)
"""133.322387415 Pa is one conventional millimetre of mercury (NIST SP 811)."""
UNITS: Final = {
    "%": {"%": SAME, "percent": SAME, "1": (100.0, 0.0), "fraction": (100.0, 0.0)},
    "/min": dict.fromkeys(("/min", "1/min", "bpm"), SAME),
    "mm[Hg]": {"mm[Hg]": SAME, "mmHg": SAME, "kPa": _KILOPASCAL},
    "Cel": dict.fromkeys(("Cel", "degC", "°C", "C"), SAME)
    | dict.fromkeys(("[degF]", "degF", "°F", "F"), (5 / 9, -160 / 9)),
}
"""By a vital's own unit: the units that convert to it, UCUM and common spellings, as (scale, offset)."""


class Refused(ValueError):
    """A payload that is no message; its text never repeats what came."""


def _path(text: str) -> str:
    if not all(text.split(".")):
        raise ValueError("expected a path such as vitals.0.value: names or list positions, joined by dots")
    return text


Path = Annotated[str, AfterValidator(_path)]
"""Names and list positions joined by dots: `vitals.0.value`."""


class Place:
    """A compiled path."""

    def __init__(self, path: str) -> None:
        self.first, *rest = path.split(".")
        self._rest = tuple((name, int(name) if re.fullmatch("[0-9]{1,6}", name) else -1) for name in rest)

    def find(self, payload: dict[str, Any]) -> Any:
        """What stands there, or `ABSENT`."""
        node = payload.get(self.first, ABSENT)
        for name, position in self._rest:
            if isinstance(node, dict):
                node = node.get(name, ABSENT)
            elif isinstance(node, list) and 0 <= position < len(node):
                node = node[position]
            else:
                return ABSENT
        return node


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("a name twice in one object")
    return found


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise Refused("a whole number of more than 20 digits")
    return int(digits)


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer)


def decode(data: bytes) -> dict[str, Any]:
    """The object in a payload. Raises `Refused` for anything else, a name given twice included."""
    if len(data) > _LARGEST:
        raise Refused("larger than 64 KiB")
    try:
        payload = _DECODER.decode(data.decode())
    except Refused:
        raise
    except UnicodeDecodeError:
        raise Refused("not UTF-8") from None
    except RecursionError:
        raise Refused("nested too deeply") from None
    except ValueError:
        raise Refused("not JSON") from None
    if not isinstance(payload, dict):
        raise Refused("not a JSON object")
    return payload


def instant(found: Any) -> int | None:
    """UTC nanoseconds of a text or number that is a time."""
    at = 0
    if isinstance(found, str):
        try:
            moment = datetime.fromisoformat(found)
        except ValueError:
            return None
        if moment.tzinfo is None:
            return None
        at = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    elif isinstance(found, int | float) and not isinstance(found, bool):
        for smallest, nanoseconds in _SIZES:
            if smallest <= found < smallest * 100:
                at = round(found * nanoseconds)
    return at if at >= _CLOCK_SET_NS else None
