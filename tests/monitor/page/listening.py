"""Listening to what the browser plays: pulses, when they begin and end, and of what tones they are made."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from playwright.async_api import Page

Samples = npt.NDArray[np.float32]

C, E, HIGH_C = 349.2, 440.0, 698.5
MELODIES = {"high": [C] * 10, "medium": [C] * 3, "low": [E, C], "lost": [HIGH_C, C, C]}
AS_TEXT = """(samples) => {
  const bytes = new Uint8Array(samples.buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}"""


class Pulse(NamedTuple):
    """When the envelope passes 10 and 90 % of the pulse's amplitude, and its tone; seconds and hertz."""

    from10: float
    from90: float
    to90: float
    to10: float
    frequency: float
    harmonics: list[float]
    """Decibel above the fundamental, of the harmonics between 300 and 4000 Hz."""
    peak: float


class Burst(NamedTuple):
    """Pulses that belong together."""

    begin: float
    end: float
    tones: list[float]

    @property
    def signal(self) -> str:
        """The signal whose whole melody it is; `?` of a part."""
        alike = (name for name, tones in MELODIES.items() if len(tones) == len(self.tones))
        return next((name for name in alike if np.allclose(self.tones, MELODIES[name], atol=6)), "?")


async def listen(page: Page, script: str, argument: Any) -> Samples:
    """The samples of the AudioBuffer that the script gives."""
    text = await page.evaluate(f"async (given) => ({AS_TEXT})((await ({script})(given)).getChannelData(0))", argument)
    return np.frombuffer(base64.b64decode(text), dtype="<f4")


def pulses(samples: Samples, rate: int) -> list[Pulse]:
    """The pulses in it."""
    window = int(rate / C) | 1
    envelope = np.lib.stride_tricks.sliding_window_view(np.pad(np.abs(samples), window // 2), window).max(axis=1)
    edges = np.flatnonzero(np.diff((envelope > 0.02 * envelope.max()).astype(int)))
    return [_pulse(samples, envelope, rate, begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def bursts(of: list[Pulse]) -> list[Burst]:
    """The bursts that they make: what is less than 0.4 s apart, or after five pulses 0.8 s, belongs together."""
    found: list[Burst] = []
    for it in of:
        if found and it.from10 - found[-1].end < (0.8 if len(found[-1].tones) == 5 else 0.4):
            found[-1] = Burst(found[-1].begin, it.to10, [*found[-1].tones, it.frequency])
        else:
            found.append(Burst(it.from10, it.to10, [it.frequency]))
    return found


def _pulse(samples: Samples, envelope: Samples, rate: int, begin: int, end: int) -> Pulse:
    own = envelope[begin:end]
    peak = own.max()
    over10, over90 = (np.flatnonzero(own >= part * peak) for part in (0.1, 0.9))
    steady = samples[begin + over90[0] : begin + over90[-1] + 1]
    # A second of it, most of it nothing: a bin is one hertz.
    spectrum = np.abs(np.fft.rfft(steady * np.hanning(len(steady)), rate))
    fundamental = int(spectrum[150:1001].argmax()) + 150
    inside = [fundamental * n for n in range(2, 12) if 300 <= fundamental * n <= 4000]
    levels = [20 * np.log10(spectrum[it - 5 : it + 6].max() / spectrum[fundamental]) for it in inside]
    from10, from90, to90, to10 = ((begin + at) / rate for at in (over10[0], over90[0], over90[-1], over10[-1]))
    return Pulse(from10, from90, to90, to10, fundamental, levels, peak)
