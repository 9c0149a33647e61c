"""How old a message can be at most, by two clocks of which neither is trusted."""

import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")

BEGIN = """async () => {
  const { StationTime } = await import("/static/station_time.js");
  window.at = { counted: 0, dated: 1700000000000 };
  performance.now = () => window.at.counted;
  Date.now = () => window.at.dated;
  window.pass = (counted, dated = counted) => { window.at.counted += counted; window.at.dated += dated; };
  window.time = new StationTime();
  // The station's clock: 90 s behind this computer's.
  window.station = () => window.at.dated - 90000;
}"""


@pytest_asyncio.fixture(loop_scope="module")
async def page(bare_page):
    """A page with a `StationTime` whose clocks are `pass`ed, and which knows the station by a round trip of 40 ms."""
    page = bare_page
    await page.evaluate(BEGIN)
    await page.evaluate("""() => {
      const asked = time.asked();
      pass(20);
      const made = station();
      pass(20);
      time.answered(asked, made);
      time.heard(made);
    }""")
    return page


async def test_a_message_is_never_older_than_the_round_trip_lets_it_be(page):
    aged = await page.evaluate("""() => {
      const made = station();
      pass(3000);
      time.heard(made);
      return time.age(made);
    }""")
    assert aged == pytest.approx(3020)


async def test_the_clocks_are_compared_by_messages_that_were_quick_not_by_one_that_was_late(page):
    assert await page.evaluate("time.ahead()") == pytest.approx(90000, abs=50)
    late = await page.evaluate("""() => {
      const made = station();
      pass(8000);
      time.heard(made);
      return [time.ahead(), time.now() - station()];
    }""")
    assert late[0] == pytest.approx(90000, abs=50)
    assert late[1] == pytest.approx(0, abs=50)


@pytest.mark.parametrize(("counted", "dated"), [(0, 60000), (60000, 0)], ids=["slept", "set back while it slept"])
async def test_a_sleep_is_counted_by_the_clock_that_went_on_and_what_was_known_is_forgotten(page, counted, dated):
    before = await page.evaluate("time.look()")
    await page.evaluate(f"pass({counted}, {dated})")
    assert await page.evaluate("time.look()") - before == pytest.approx(60000)
    assert await page.evaluate("[time.guessed, time.age(station()), time.now()]") == [True, 0, None]


async def test_a_station_whose_clock_was_set_is_taken_at_its_word_after_the_next_round_trip(page):
    age = """([shift]) => {
      pass(1000);
      const before = station;
      station = () => before() + shift;
      time.heard(station());
      const guessed = time.guessed;
      const asked = time.asked();
      pass(10);
      time.answered(asked, station());
      const made = station();
      pass(4000);
      time.heard(made);
      return [guessed, time.guessed, time.age(made)];
    }"""
    assert await page.evaluate(age, [30000]) == [True, False, pytest.approx(4010, abs=50)]
    assert await page.evaluate(age, [-45000]) == [False, False, pytest.approx(4010, abs=50)]
