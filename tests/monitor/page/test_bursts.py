"""The sounds themselves, rendered by the browser that plays them and measured: IEC 60601-1-8, tables 3 and 4."""

from itertools import pairwise

import numpy as np
import pytest

from tests.monitor.page.listening import MELODIES, listen, pulses

pytestmark = pytest.mark.asyncio(loop_scope="module")

RATE = 48000
RENDER = """async ([signal, rate]) => {
  const bursts = await import("/static/bursts.js");
  const context = new OfflineAudioContext(1, Math.ceil((bursts.lengthOf(signal) + 0.2) * rate), rate);
  bursts.play(context, context.destination, signal, 0.05);
  return context.startRendering();
}"""
PULSE = {"high": (0.075, 0.2), "medium": (0.125, 0.25), "low": (0.125, 0.25), "lost": (0.125, 0.25)}
SPACING = {"high": (0.05, 0.125), "medium": (0.125, 0.25), "low": (0.125, 0.25), "lost": (0.125, 0.25)}


@pytest.mark.parametrize("signal", MELODIES)
async def test_a_burst_sounds_as_the_standard_has_it(bare_page, signal):
    found = pulses(await listen(bare_page, RENDER, [signal, RATE]), RATE)
    assert [it.frequency for it in found] == pytest.approx(MELODIES[signal], abs=2)
    shortest, longest = PULSE[signal]
    for it in found:
        duration = it.to90 - it.from90
        assert shortest <= duration <= it.to10 - it.from10 <= longest
        assert 0.1 <= (it.from90 - it.from10) / duration <= 0.2
        assert 150 <= it.frequency <= 1000
        assert sum(abs(level) <= 15 for level in it.harmonics) >= 4
    loudness = [20 * np.log10(it.peak) for it in found]
    assert max(loudness) - min(loudness) <= 10
    assert max(it.peak for it in found) < 1
    low, high = SPACING[signal]
    gaps = [(after.from10 - it.to10, after.from90 - it.to90) for it, after in pairwise(found)]
    if signal == "high":
        # Three and two: the longer gap has a pulse less; the halves are further apart.
        beat = found[1].from90 - found[0].from90
        starts = [round((it.from90 - found[0].from90) / beat, 2) for it in found[:5]]
        assert starts == [0, 1, 2, 4, 5]
        assert [round((it.from90 - found[5].from90) / beat, 2) for it in found[5:]] == [0, 1, 2, 4, 5]
        assert 0.35 <= gaps[4][0] <= gaps[4][1] <= 1.3
        assert gaps[2][1] == pytest.approx(2 * gaps[0][1] + found[0].to90 - found[0].from90, abs=0.01)
        gaps = [gap for number, gap in enumerate(gaps) if number not in {2, 4, 7}]
    assert all(low <= silent <= whole <= high for silent, whole in gaps)


async def test_what_is_more_urgent_is_louder_and_comes_more_often(bare_page):
    loud = [
        np.sqrt(np.mean(np.square(await listen(bare_page, RENDER, [it, RATE])))) for it in ("high", "medium", "low")
    ]
    assert loud == sorted(loud, reverse=True)
    signals = await bare_page.evaluate("import('/static/bursts.js').then((it) => it.SIGNALS)")
    assert 2.5 <= signals["high"]["least"] <= signals["high"]["interval"] <= 15
    for it in ("medium", "lost"):
        assert 2.5 <= signals[it]["least"] <= signals[it]["interval"] <= 30
    assert signals["high"]["interval"] < signals["medium"]["interval"] < signals["low"]["interval"]
    assert min(signals["low"]["least"], signals["low"]["interval"]) > 15
