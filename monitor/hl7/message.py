"""What every message has: who sends it to whom, of whom and where, and an id that is made of what it says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from monitor.hl7.text import DELIMITERS, components, escaped, segment, time

SENDER = "infusion-monitor"
"""The sending application, where a configuration names no other."""
OBSERVATIONS = "ORU^R01^ORU_R01"
"""MSH-9 of PCD-01: what devices measured at one moment."""
ALERT = "ORU^R40^ORU_R40"
"""MSH-9 of PCD-04: one change of one alert."""

_PROFILES = {
    OBSERVATIONS: "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO",
    ALERT: "IHE_PCD_ACM_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.4.1^ISO",
}
_ID_DIGITS = 20
"""Hexadecimal digits of a message's id: as many characters as the shortest MSH-10 of any version takes."""


class Names(NamedTuple):
    """Who sends, and to whom. All but `site` are fields as they stand in a message: `^` parts their components."""

    site: str
    """The authority of every identifier: of beds, devices, sessions and alerts."""
    sending_application: str
    sending_facility: str
    receiving_application: str = ""
    receiving_facility: str = ""

    @classmethod
    def of(cls, site: str) -> Names:
        """Of messages that are for nobody in particular."""
        return cls(site, SENDER, escaped(site))


class Visit(NamedTuple):
    """Where something was recorded, and of which session."""

    bed: str
    """Empty for the station itself."""
    reference: str = ""
    """The patient's pseudonym, as it was given when the session was opened; empty where none was, or no session is."""
    session: str = ""


def message(names: Names, kind: str, at: int, visit: Visit, body: str) -> str:
    """A whole message of that kind, of a moment (UTC nanoseconds); `body` are its segments after PV1.

    Its time, MSH-7, is that moment too: it is made of the record and nothing else, so that one that is sent again is
    the same to the last byte, its id (MSH-10) among them.
    """
    told = segment("PID", f3=_identifier(visit.reference, names, "PI"), f5="^^^^^^S" if visit.reference else "^^^^^^U")
    place = components(names.site, "", visit.bed)
    told += segment("PV1", f2="O", f3=place, f19=_identifier(visit.session, names, "VN")) + body
    named = "\n".join((*names, kind, str(at), told))
    control_id = hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()[:_ID_DIGITS]
    return _header(names, kind, at, control_id) + told


def id_of(text: str) -> str:
    """The id (MSH-10) of a message."""
    return text.split("|", 10)[9]


def batch(names: Names, at: int, session: str, messages: Iterable[str]) -> Iterable[str]:
    """The parts of a batch, a file of messages, which has a time (UTC nanoseconds) and the session as its name."""
    yield "BHS|" + segment(
        DELIMITERS,
        f1=names.sending_application,
        f2=names.sending_facility,
        f3=names.receiving_application,
        f4=names.receiving_facility,
        f5=time(at),
        f7=components(session),
    )
    count = 0
    for text in messages:
        count += 1
        yield text
    yield segment("BTS", f1=str(count))


def _identifier(text: str, names: Names, kind: str) -> str:
    return components(text, "", "", names.site, kind) if text else ""


def _header(names: Names, kind: str, at: int, control_id: str) -> str:
    # After MSH-2 the field n stands at place n - 2 of what follows.
    return "MSH|" + segment(
        DELIMITERS,
        f1=names.sending_application,
        f2=names.sending_facility,
        f3=names.receiving_application,
        f4=names.receiving_facility,
        f5=time(at),
        f7=kind,
        f8=control_id,
        f9="P",
        f10="2.6",
        # One acknowledgement, of the application: whether the message was taken.
        f13="NE",
        f14="AL",
        f16="UNICODE UTF-8",
        f19=_PROFILES[kind],
    )
