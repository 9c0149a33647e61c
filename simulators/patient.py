"""A patient who is not there: heart rate, SpO2, pressures and breathing that move as under a ketamine infusion.

Everything is a pure function of the seed and the time, so that the same patient can be asked twice, at any speed,
by several devices at once.

The course of the circulation under 0.5 mg/kg in 40 minutes: a rise that approaches its peak at the end of the
infusion and fades after it,

    rise(t) = A (1 - e^(-t/12)) / (1 - e^(-40/12))    for t up to 40 minutes
    rise(t) = A e^(-(t - 40)/25)                      afterwards

with A drawn for each patient around the published means (systolic +14 mmHg with a spread of 11, diastolic +9 (8),
heart rate +3 (7) per minute; after the cohorts of Yale, Emory and Wan). SpO2 stays at 96 to 99 %: ketamine itself
does not lower it; episodes come from the scenario.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Episode:
    """Something that happens to the patient again and again: `duration` seconds from `first`, every `every` seconds."""

    first: float
    duration: float
    every: float
    spo2_falls_by: float = 0.0
    """Percent, at the deepest."""
    probe_off: bool = False

    def depth(self, t: float) -> float:
        """0 outside the episode, rising to 1 in its middle and falling again."""
        since = t - self.first
        if since < 0:
            return 0.0
        phase = since % self.every
        if phase >= self.duration:
            return 0.0
        edge = self.duration / 4
        return min(1.0, phase / edge, (self.duration - phase) / edge)


@dataclass(frozen=True, slots=True)
class Pressure:
    """One cuff determination, mmHg."""

    sys: int
    dia: int
    mean: int


_INFUSION_MIN = 40.0


@dataclass
class Patient:
    """One simulated patient. Times are seconds since the station or the scenario started."""

    seed: int = 1
    infusion_at: float = 60.0
    """When the infusion starts, in seconds."""
    episodes: tuple[Episode, ...] = ()
    cuff_every: float = 300.0
    """Seconds between cuff determinations."""
    cuff_takes: float = 30.0
    """Seconds that one determination takes."""
    _base: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        draw = random.Random(self.seed)
        self._base = {
            "heart_rate": draw.gauss(72, 7),
            "spo2": draw.uniform(97, 98.6),
            "sys": draw.gauss(122, 8),
            "dia": draw.gauss(76, 5),
            "resp_rate": draw.gauss(14, 1.5),
            "perfusion": draw.uniform(2, 6),
            "sys_rise": max(2.0, draw.gauss(14, 11)),
            "dia_rise": max(1.0, draw.gauss(9, 8)),
            "heart_rate_rise": draw.gauss(3, 7),
            "phase": draw.uniform(0, 2 * math.pi),
        }

    def heart_rate(self, t: float) -> float:
        """Beats per minute, with the respiratory sinus arrhythmia and a slow wander."""
        base = self._base
        breathing = 2.0 * math.sin(2 * math.pi * base["resp_rate"] / 60 * t)
        return (
            base["heart_rate"]
            + base["heart_rate_rise"] * _course(t - self.infusion_at)
            + breathing
            + self._wander(t, 2.0)
        )

    def spo2(self, t: float) -> float:
        """Percent."""
        fall = max((episode.spo2_falls_by * episode.depth(t) for episode in self.episodes), default=0.0)
        return min(100.0, self._base["spo2"] + self._wander(t, 0.5) - fall)

    def resp_rate(self, t: float) -> float:
        """Breaths per minute."""
        return self._base["resp_rate"] + self._wander(t, 1.0)

    def perfusion_index(self, t: float) -> float:
        """Percent."""
        return max(0.1, self._base["perfusion"] + self._wander(t, 0.6))

    def probe_off(self, t: float) -> bool:
        """Whether the oximeter's probe has come off the finger."""
        return any(episode.probe_off and episode.depth(t) > 0 for episode in self.episodes)

    def pressure(self, t: float) -> Pressure:
        """What a cuff determination that ends at `t` finds."""
        base, course = self._base, _course(t - self.infusion_at)
        noise = random.Random(f"{self.seed}:{t:.0f}")
        sys = base["sys"] + base["sys_rise"] * course + noise.gauss(0, 4)
        dia = base["dia"] + base["dia_rise"] * course + noise.gauss(0, 3)
        dia = min(dia, sys - 15)
        return Pressure(round(sys), round(dia), round(dia + 0.36 * (sys - dia)))

    def last_cuff_at(self, t: float) -> float:
        """When the newest cuff determination ended; the first one just before the start, at -10 s."""
        return math.floor((t + 10) / self.cuff_every) * self.cuff_every - 10

    def cuff_busy(self, t: float) -> bool:
        """Whether the cuff is inflated: `cuff_takes` seconds before each determination ends."""
        return t - self.last_cuff_at(t) > self.cuff_every - self.cuff_takes

    def pleth(self, t: float) -> float:
        """The pulse wave, 0 to 1: a quick rise, a dicrotic notch, a slow fall."""
        beat = (t * self.heart_rate(0) / 60) % 1.0
        return 0.8 * math.exp(-(((beat - 0.18) / 0.09) ** 2)) + 0.35 * math.exp(-(((beat - 0.45) / 0.12) ** 2))

    def _wander(self, t: float, size: float) -> float:
        phase = self._base["phase"]
        return size * (0.6 * math.sin(t / 17 + phase) + 0.4 * math.sin(t / 5.3 + 2 * phase))


def _course(seconds: float) -> float:
    """How far the effect of the infusion has come, 0 to 1, `seconds` after its start."""
    t = seconds / 60
    if t <= 0:
        return 0.0
    if t <= _INFUSION_MIN:
        return (1 - math.exp(-t / 12)) / (1 - math.exp(-_INFUSION_MIN / 12))
    return math.exp(-(t - _INFUSION_MIN) / 25)
