"""The one table of what is measured: names, codes, units, plausible ranges and colours.

Codes: LOINC; MDC number and reference id of ISO/IEEE 11073-10101 (partition * 65536 + term, so 2 * 65536 + 0x4BB8 =
150456 for SpO2); units as UCUM. Plausible ranges are the wider of two published sets (ricu's concept dictionary and
the ranges of the MIMIC-III benchmarks): what lies outside is flagged questionable, never dropped. There is no agreed
standard of colours; these follow what monitors commonly use and avoid the red, yellow and cyan of alerts at full
strength.

LOINC 19889-5 (etco2), 61006-3 (perfusion_index), 76213-8 and 76214-6 (abp_dia, abp_mean) and MDC 151708 are
from memory of the tables and want a look at loinc.org and RTMMS before a certified interface relies on them.
"""

# ruff: noqa: E501 - a table is read across
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vital:
    """One quantity that is measured."""

    key: str
    label: str
    unit: str
    """UCUM."""
    unit_label: str
    """The unit as people read it."""
    loinc: str
    mdc: int
    mdc_ref: str
    plausible: tuple[float, float]
    """Lowest and highest value, in `unit`, that a living patient can have."""
    colour: str
    episodic: bool = False
    """Usually measured now and then (a cuff) rather than all the time; a driver may say otherwise of a reading."""
    decimals: int = 0


_TABLE = (
    Vital("heart_rate", "HR", "/min", "/min", "8867-4", 147842, "MDC_ECG_HEART_RATE", (0, 390), "#43d17c"),
    Vital("pulse_rate", "PR", "/min", "/min", "8889-8", 149530, "MDC_PULS_OXIM_PULS_RATE", (0, 390), "#8fd694"),
    Vital("spo2", "SpO₂", "%", "%", "59408-5", 150456, "MDC_PULS_OXIM_SAT_O2", (20, 100), "#6fb7ff"),
    Vital("nibp_sys", "NIBP sys", "mm[Hg]", "mmHg", "76534-7", 150021, "MDC_PRESS_BLD_NONINV_SYS", (10, 375), "#e8e3ff", episodic=True),
    Vital("nibp_dia", "NIBP dia", "mm[Hg]", "mmHg", "76535-4", 150022, "MDC_PRESS_BLD_NONINV_DIA", (5, 375), "#e8e3ff", episodic=True),
    Vital("nibp_mean", "NIBP mean", "mm[Hg]", "mmHg", "76536-2", 150023, "MDC_PRESS_BLD_NONINV_MEAN", (5, 375), "#e8e3ff", episodic=True),
    Vital("abp_sys", "ABP sys", "mm[Hg]", "mmHg", "76215-3", 150037, "MDC_PRESS_BLD_ART_ABP_SYS", (0, 375), "#ff9d8a"),
    Vital("abp_dia", "ABP dia", "mm[Hg]", "mmHg", "76213-8", 150038, "MDC_PRESS_BLD_ART_ABP_DIA", (0, 375), "#ff9d8a"),
    Vital("abp_mean", "ABP mean", "mm[Hg]", "mmHg", "76214-6", 150039, "MDC_PRESS_BLD_ART_ABP_MEAN", (0, 375), "#ff9d8a"),
    Vital("resp_rate", "RR", "/min", "/min", "9279-1", 151562, "MDC_RESP_RATE", (0, 120), "#d9d9a3"),
    Vital("etco2", "EtCO₂", "mm[Hg]", "mmHg", "19889-5", 151708, "MDC_CONC_AWAY_CO2_ET", (0, 150), "#d0d0d0"),
    Vital("temp", "Temp", "Cel", "°C", "8310-5", 150344, "MDC_TEMP", (26, 45), "#c9b6a0", decimals=1),
    Vital("perfusion_index", "PI", "%", "%", "61006-3", 150488, "MDC_BLD_PERF_INDEX", (0, 30), "#b59ad6", decimals=1),
)  # fmt: skip

VITALS: dict[str, Vital] = {vital.key: vital for vital in _TABLE}
"""Every vital by its key, in the order in which a chart lists them."""

WAVEFORMS: dict[str, str] = {
    "pleth": "MDC_PULS_OXIM_PLETH",
    "ecg": "MDC_ECG_ELEC_POTL",
    "resp": "MDC_TTHOR_RESP",
    "abp": "MDC_PRESS_BLD_ART_ABP",
}
"""Every waveform's name and its MDC reference id."""
