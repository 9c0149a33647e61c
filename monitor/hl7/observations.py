"""PCD-01 (ORU^R01): what one device measured at one moment.

The containment in OBX-4 (device, module, channel, metric) is the same for a vital in every message. Numbers and names
of the modules are those of ISO/IEEE 11073-10101, as monitors on the market send them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from drivers.events import Cause, Validity, is_provisional
from drivers.vitals import VITALS
from monitor.hl7.message import OBSERVATIONS, Names, Visit, message
from monitor.hl7.text import components, escaped, number, segment, time

NOWHERE = "1.0.0.0"
"""OBX-4 of the device as a whole."""
DEVICE = "69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC"
UNITS = {
    "/min": "264864^MDC_DIM_BEAT_PER_MIN^MDC",
    "%": "262688^MDC_DIM_PERCENT^MDC",
    "mm[Hg]": "266016^MDC_DIM_MMHG^MDC",
    "Cel": "268192^MDC_DIM_DEGC^MDC",
}
"""OBX-6 by UCUM unit; breaths have their own."""
_BREATHS = "264928^MDC_DIM_RESP_PER_MIN^MDC"

_ECG = ("69798^MDC_DEV_ECG_VMD^MDC", "69799^MDC_DEV_ECG_CHAN^MDC")
_OXIMETER = ("69642^MDC_DEV_ANALY_SAT_O2_VMD^MDC", "69643^MDC_DEV_ANALY_SAT_O2_CHAN^MDC")
_PRESSURE = ("69854^MDC_DEV_METER_PRESS_BLD_VMD^MDC", "69855^MDC_DEV_METER_PRESS_BLD_CHAN^MDC")
_BREATH = ("69722^MDC_DEV_ANALY_RESP_RATE_VMD^MDC", "69723^MDC_DEV_ANALY_RESP_RATE_CHAN^MDC")
_THERMOMETER = ("69902^MDC_DEV_METER_TEMP_VMD^MDC", "69903^MDC_DEV_METER_TEMP_CHAN^MDC")
# Modules and channels are numbered in this order; a vital that stands in none hangs on the device itself.
_MODULES: tuple[tuple[tuple[str, str], tuple[tuple[str, ...], ...]], ...] = (
    (_ECG, (("heart_rate",),)),
    (_OXIMETER, (("spo2", "pulse_rate", "perfusion_index"),)),
    (_PRESSURE, (("nibp_sys", "nibp_dia", "nibp_mean"), ("abp_sys", "abp_dia", "abp_mean"))),
    (_BREATH, (("resp_rate",),)),
    (_THERMOMETER, (("temp",),)),
)


class Observation(NamedTuple):
    """One reading of a message."""

    vital: str
    value: float | None
    """In the vital's unit."""
    validity: int
    """`Validity` as a number."""
    cause: str


class Coded(NamedTuple):
    """What a message calls a vital."""

    code: str
    """OBX-3."""
    unit: str
    """OBX-6."""
    place: str
    """OBX-4."""
    containers: tuple[tuple[str, str], ...]
    """The module and the channel that it is in: the place and the code of each."""
    episodic: bool

    @property
    def rank(self) -> list[int]:
        """For sorting: a module's channels and their metrics come one after the other."""
        return [int(part) for part in self.place.split(".")]


def observed(names: Names, visit: Visit, device: str, at: int, observations: Iterable[Observation]) -> str:
    """The message of what a device measured at one moment, UTC nanoseconds."""
    moment, equipment = time(at), equipment_of(names, visit, device)
    order = components(f"{visit.bed}.{device}.{at}", names.site)
    body = [
        segment("OBR", f1="1", f2=order, f3=order, f4="182777000^monitoring of patient^SCT", f7=moment),
        segment("OBX", f1="1", f3=DEVICE, f4=NOWHERE, f11="X", f18=equipment),
    ]
    count, told = 1, set[str]()
    for coded, one in sorted(((coded_as(one.vital), one) for one in observations), key=lambda it: it[0].rank):
        for place, code in coded.containers:
            if place not in told:
                told.add(place)
                count += 1
                body.append(segment("OBX", f1=str(count), f3=code, f4=place, f11="X"))
        count += 1
        body.append(_measured(count, coded, one, moment, equipment))
    return message(names, OBSERVATIONS, at, visit, "".join(body))


def equipment_of(names: Names, visit: Visit, device: str) -> str:
    """OBX-18 of a device: its name is unique on its bed only."""
    return components(f"{visit.bed}.{device}", names.site)


@cache
def coded_as(vital: str) -> Coded:
    """What a message calls that vital; one that is not in the table is called by its own name."""
    about = VITALS.get(vital)
    if about is None:
        return Coded(components(vital, vital, "L"), "", "1.0.0.99", (), episodic=False)
    code = components(str(about.mdc), about.mdc_ref, "MDC")
    unit = _BREATHS if vital == "resp_rate" else UNITS[about.unit]
    for module, ((module_code, channel_code), channels) in enumerate(_MODULES, start=1):
        for channel, vitals in enumerate(channels, start=1):
            if vital in vitals:
                place = f"1.{module}.{channel}.{vitals.index(vital) + 1}"
                containers = (f"1.{module}.0.0", module_code), (f"1.{module}.{channel}.0", channel_code)
                return Coded(code, unit, place, containers, about.episodic)
    return Coded(code, unit, f"1.0.0.{list(VITALS).index(vital) + 1}", (), about.episodic)


def _measured(count: int, coded: Coded, one: Observation, moment: str, equipment: str) -> str:
    value = one.value
    known = value is not None and math.isfinite(value) and one.validity != Validity.INVALID
    told = segment(
        "OBX",
        f1=str(count),
        f2="NM" if known else "",
        f3=coded.code,
        f4=coded.place,
        f5=number(value) if known and value is not None else "",
        f6=coded.unit,
        f8=_status(one, known=known),
        f11="R" if known else "X",
        f14=moment,
        f17="APERIODIC^APERIODIC" if coded.episodic else "",
        f18=equipment,
    )
    return told + segment("NTE", f1="1", f3=escaped(one.cause)) if one.cause else told


def _status(one: Observation, *, known: bool) -> str:
    """OBX-8, after MeasurementStatus of ISO/IEEE 11073-10201: empty where nothing is to be said."""
    if not known:
        return "NAV" if one.cause == Cause.NO_DATA else "INV"
    doubts = ["QUES"] if one.validity == Validity.QUESTIONABLE else []
    return "~".join([*doubts, "EARLY"] if is_provisional(one.cause) else doubts)
