"""What the makers of monitors and of recorders call the vitals and the waveforms: one table for every format.

Names are compared without case, blanks and punctuation, and without a unit in brackets: `NBPs [mmHg]` is NBPS. Where
several columns of a file are one vital, the one whose name comes first here is read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

from drivers.vitals import VITALS

_PRESSURE = {
    "sys": ("SYS", "SBP", "SYST", "S"),
    "dia": ("DIA", "DBP", "DIAS", "DIAST", "D"),
    "mean": ("MEAN", "MBP", "MAP", "M"),
}
_CUFF = ("NIBP", "NBP")
_LINE = ("ABP", "ART", "IABP", "ART1", "IBP1", "ART2")

VITAL_NAMES: Mapping[str, tuple[str, ...]] = {
    "heart_rate": ("ECGHR", "HRECG", "HR", "HEARTRATE"),
    "pulse_rate": ("PLETHHR", "PLETHPR", "PLETHPULSERATE", "SPO2PR", "SPO2HR", "PULSESPO2", "PULSE", "PR", "PULSERATE"),
    "spo2": ("PLETHSATO2", "PLETHSPO2", "SPO2", "SPO2SAT"),
    **{
        f"nibp_{part}": tuple(f"{maker}{ending}" for maker in _CUFF for ending in endings)
        for part, endings in _PRESSURE.items()
    },
    **{
        f"abp_{part}": tuple(f"{maker}{ending}" for maker in _LINE for ending in endings)
        for part, endings in _PRESSURE.items()
    },
    "resp_rate": ("RR", "RESPRR", "RESPRATE", "RESP", "CO2RR", "RRCO2", "AWAYRR", "PLETHRR"),
    "etco2": ("ETCO2", "CO2ET", "ENDTIDALCO2", "AWAYCO2ET", "CO2CONC", "CO2"),
    "temp": ("TEMP", "BT", "BODYTEMP", "TEMPBODY", "TEMP1", "T1", "TEMPCORE", "TEMPESOPH", "TEMPSKIN", "TEMP2", "T2"),
    "perfusion_index": ("PLETHPERFREL", "PERFREL", "PERF", "PI", "PERFUSIONINDEX", "SPO2PI"),
}
"""By vital, the best first: what is of the ECG before what may be of any source."""

WAVEFORM_NAMES: Mapping[str, tuple[str, ...]] = {
    "pleth": ("PLETH", "SPO2WAV", "PLETHWAV", "PPG"),
    "ecg": ("ECGII", "II", "MLII", "ECG", "ECG1", "ECGI", "I", "ECGIII", "III", "ECGV", "V", "ECG2"),
    "resp": ("RESP", "RESPWAV", "IMPEDANCE"),
    "abp": ("ABP", "ART", "IABP", "IBP1", "ART1", "ABPWAV", "ARTWAV", "IBP"),
}

FASTEST_NUMERIC = 10.0
"""Values a second: what comes faster is a waveform, whatever its name."""

_KPA, _FAHRENHEIT = (7.500617, 0.0), (5 / 9, -160 / 9)
"""What a unit is to be multiplied by, and what to be added then, to be the vital's own."""
_OWN_UNITS: Mapping[str, frozenset[str]] = {
    "/min": frozenset({"", "MIN", "1MIN", "BPM", "RPM", "PULSEMIN", "BEATSMIN", "BREATHSMIN", "RESPMIN"}),
    "mm[Hg]": frozenset({"", "MMHG"}),
    "%": frozenset({"", "PC", "NU", "PERCENT"}),
    "Cel": frozenset({"", "C", "CEL", "DEGC", "CELSIUS"}),
}

_VITALS = {name: (vital, rank) for vital, names in VITAL_NAMES.items() for rank, name in enumerate(names)}
_WAVEFORMS = {name: (wave, rank) for wave, names in WAVEFORM_NAMES.items() for rank, name in enumerate(names)}


def plain(name: str) -> str:
    """The name as it is compared."""
    folded = unicodedata.normalize("NFKC", re.sub(r"[\[(][^\])]*[\])]", "", name)).upper()
    return re.sub(r"[^A-Z0-9]", "", folded)


def vital_of(name: str) -> tuple[str, int] | None:
    """The vital of a column of that name, and its place in the order of preference; None where it is none."""
    return _VITALS.get(plain(name))


def waveform_of(name: str) -> tuple[str, int] | None:
    """The same of a waveform."""
    return _WAVEFORMS.get(plain(name))


def scale_of(vital: str, unit: str) -> tuple[float, float] | None:
    """What values of that unit are to be multiplied by, and what to be added; None where it is of another quantity.

    A file that names no unit is believed to have the vital's own.
    """
    folded = plain(unit.replace("°", "deg").replace("%", "pc"))
    own = VITALS[vital].unit
    if folded in _OWN_UNITS[own]:
        return 1.0, 0.0
    if own == "mm[Hg]" and folded == "KPA":
        return _KPA
    if own == "Cel" and folded in {"DEGF", "F"}:
        return _FAHRENHEIT
    return None
