"""Which burst is sounded when, and for how long: rendered faster than it sounds, and listened to."""

import pytest

from tests.monitor.page.listening import C, E, bursts, listen, pulses

pytestmark = pytest.mark.asyncio(loop_scope="module")

RATE = 16000
SCRIPT = """async ([script, seconds, rate]) => {
  const { Player } = await import("/static/player.js");
  const context = new OfflineAudioContext(1, seconds * rate, rate);
  const player = new Player(context, context.destination);
  for (let tenth = 1; tenth < seconds * 10; tenth += 1) {
    context.suspend(tenth / 10).then(() => {
      for (const [at, what, ...given] of script) {
        if (Math.round(at * 10) === tenth) player[what](...given);
      }
      player.look();
      context.resume();
    });
  }
  return context.startRendering();
}"""
AT_ONCE = 0.3


@pytest.fixture
def hear(bare_page):
    """Gives the pulses that are heard in so many seconds of that script."""

    async def hear(seconds, *script):
        return pulses(await listen(bare_page, SCRIPT, [script, seconds, RATE]), RATE)

    return hear


@pytest.fixture
def play(hear):
    """The same as bursts."""

    async def play(seconds, *script):
        return bursts(await hear(seconds, *script))

    return play


@pytest.mark.parametrize(("signal", "interval"), [("high", 5), ("medium", 10), ("low", 20), ("lost", 10)])
async def test_a_burst_begins_at_once_and_comes_again_until_it_is_not_wanted(play, signal, interval):
    first, second = await play(interval + 8, (1, "want", signal))
    assert 1 < first.begin < 1 + AT_ONCE
    assert [first.signal, second.signal] == [signal, signal]
    assert second.begin - first.end == pytest.approx(interval, abs=0.2)


async def test_what_is_more_urgent_interrupts(hear):
    low, *high = await hear(6, (1, "want", "low"), (1.2, "want", "high"))
    assert low.frequency == pytest.approx(E, abs=6)
    assert low.to10 < high[0].from10 < 1.2 + AT_ONCE
    assert [it.frequency for it in high] == pytest.approx([C] * 10, abs=6)


async def test_of_a_condition_that_is_over_enough_is_heard_and_no_more(play):
    (high,) = await play(5, (1, "want", "high"), (1.2, "want", None))
    assert len(high.tones) == 5, "half a burst"
    (medium,) = await play(4, (1, "want", "medium"), (1.1, "want", None))
    assert medium.signal == "medium"
    high, low = await play(6, (1, "want", "high"), (1.2, "want", "low"))
    assert [len(high.tones), low.signal] == [5, "low"]
    medium, low = await play(6, (1, "want", "medium"), (1.1, "want", "low"))
    assert [medium.signal, low.signal] == ["medium", "low"]


async def test_what_somebody_silenced_is_silent_at_once(play):
    (high,) = await play(4, (1, "want", "high"), (1.5, "want", None, {"answered": True}))
    assert high.end < 1.5 + AT_ONCE
    high, medium = await play(5, (1, "want", "high"), (1.5, "want", "medium", {"answered": True}))
    assert high.end < 1.5 + AT_ONCE
    assert medium.signal == "medium"


async def test_another_bed_is_heard_before_the_first_one_would_be_again(play):
    first, second, third = await play(20, (1, "want", "medium"), (6, "want", "medium", {"another": True}))
    assert 6 < second.begin < 6 + AT_ONCE
    assert third.begin - second.end == pytest.approx(10, abs=0.2)
    first, second = await play(5, (1, "want", "medium"), (2.5, "want", "medium", {"another": True}))
    assert second.begin - first.end == pytest.approx(2.5, abs=0.2), "so soon as the standard lets it"


async def test_a_page_that_is_live_again_at_once_has_sounded_nothing(play):
    assert await play(4, (1, "want", "lost", {"delay": 1}), (1.5, "want", None)) == []
    (lost,) = await play(4, (1, "want", "lost", {"delay": 1}))
    assert lost.signal == "lost"
    assert 2 < lost.begin < 2 + AT_ONCE


async def test_a_test_sounds_each_priority_once_and_gives_way_to_what_is_to_be_heard(play, hear):
    every = ["low", "medium", "high"]
    assert [it.signal for it in await play(15, (1, "test", every), (2, "want", None))] == every
    interrupted = await hear(6, (1, "test", every), (1.2, "want", "high"))
    assert [it.frequency for it in interrupted] == pytest.approx([E, *[C] * 10], abs=6)
    assert [it.signal for it in await play(9, (1, "want", "medium"), (3, "test", every))] == ["medium"]
