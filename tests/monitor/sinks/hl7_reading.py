"""What a receiver makes of the messages: read by the library `hl7`, or by hand where there are thousands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import hl7

from drivers.vitals import VITALS

VITAL_OF = {f"{about.mdc}^{about.mdc_ref}^MDC": key for key, about in VITALS.items()}

Told = tuple[str, int, str, float | None, str, str, str]
"""OBX-18, the time in milliseconds since 1970, vital, value, OBX-8, OBX-11, cause."""


def milliseconds(text: str) -> int:
    return round(datetime.strptime(text, "%Y%m%d%H%M%S.%f%z").timestamp() * 1000)


def readings_told(message: str) -> list[Told]:
    """The readings of a PCD-01 message, without looking at what escapes: none of these fields has any."""
    told: list[Told] = []
    for line in message.split("\r"):
        cells = [*line.split("|"), *[""] * 20]
        if cells[0] == "OBX" and cells[14]:
            vital = VITAL_OF.get(cells[3]) or cells[3].split("^")[0]
            assert (cells[2] == "NM") == bool(cells[5])
            value = float(cells[5]) if cells[5] else None
            told.append((cells[18], milliseconds(cells[14]), vital, value, cells[8], cells[11], ""))
        elif cells[0] == "NTE":
            told[-1] = (*told[-1][:-1], cells[3])
    return told


def alert_told(message: str) -> dict[str, Any]:
    """A PCD-04 message in words."""
    parsed = hl7.parse(message)
    event, source, *facets = parsed.segments("OBX")
    phase, state, inactivation, priority, kind = (str(facet[5]) for facet in facets)
    place = str(event[4]).removesuffix(".1")
    assert [str(line[4]) for line in parsed.segments("OBX")] == [f"{place}.{number}" for number in range(1, 8)]
    vital = VITAL_OF.get(str(source[3]), "")
    return {
        "at": milliseconds(str(event[14])),
        "order": str(parsed.segment("OBR")[3]),
        "code": str(event[3]),
        "text": parsed.unescape(str(event[5])),
        "flags": str(event[8]),
        "vital": vital,
        "value": float(str(source[5])) if vital and str(source[5]) else None,
        "limits": str(source[7]) if vital else "",
        "source": "" if vital else parsed.unescape(str(source[5])),
        "phase": phase,
        "state": state,
        "inactivation": inactivation,
        "priority": priority,
        "type": kind,
        "actor": parsed.unescape(str(facets[2][16])) if len(facets[2]) > 16 else "",
        "bed": str(parsed.segment("PV1")[3]),
    }
