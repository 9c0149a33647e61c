"""Ten minutes of every big numeric as drawn: of each step lowest and highest; gaps and invalid as what they are."""

import time

import pytest
from playwright.async_api import expect

from tests.monitor.page.wall_clinic import Clinic, open_page, tile

VIEW = {"width": 1000, "height": 900}
READ = """(canvas) => {
  const { width, height } = canvas;
  const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
  const probe = document.querySelector(".colour-probe").cloneNode();
  document.body.append(probe);
  const coloured = (colour) => {
    probe.style.removeProperty("color");
    probe.style.setProperty("--vital", colour);
    const one = new OffscreenCanvas(1, 1).getContext("2d");
    one.fillStyle = getComputedStyle(probe).color;
    one.fillRect(0, 0, 1, 1);
    const wanted = one.getImageData(0, 0, 1, 1).data;
    const columns = [];
    for (let x = 0; x < width; x += 1) {
      const found = [];
      for (let y = 0; y < height; y += 1) {
        if ([0, 1, 2, 3].every((it) => Math.abs(data[(y * width + x) * 4 + it] - wanted[it]) < 3)) found.push(y);
      }
      columns.push(found);
    }
    return columns;
  };
  const columns = Object.fromEntries(["#6fb7ff", "#8fd694", "#e8e3ff"].map((it) => [it, coloured(it)]));
  probe.remove();
  return { width, height, columns };
}"""
SPO2, PULSE, CUFF = "#6fb7ff", "#8fd694", "#e8e3ff"


class Picture:
    """A drawn trend, read back."""

    def __init__(self, read):
        self.width, self.height, self._columns = read["width"], read["height"], read["columns"]

    def at(self, colour, ago):
        """The rows with that colour where the readings of so many seconds ago are; none in the scales."""
        # A step of five seconds begins up to so much later; its middle is asked for.
        left = self.width - (self.width - 26) * ago / 600
        return self._columns[colour][round(left)]

    def height_of(self, colour, ago):
        """How many rows have it there."""
        return len(self.at(colour, ago))


async def drawn(page, ready):
    """The picture of chair 1's trend, as soon as `ready` says so."""
    canvas = tile(page, "chair-1").locator("canvas")
    for _ in range(300):
        picture = Picture(await canvas.evaluate(READ))
        if picture.width > 300 and ready(picture):
            return picture
        await page.wait_for_timeout(100)
    raise AssertionError("it was never drawn")


@pytest.fixture
async def clinic():
    async with Clinic(1) as clinic:
        clinic.show("chair-1", limits={})
        for ago in range(595, 0, -1):
            spo2, pulse = 97, 70
            if 400 <= ago < 450:
                continue
            if 250 <= ago < 300:
                spo2 = pulse = None
            if ago == 150:
                spo2 = 88
            clinic.give("chair-1", "oximeter", ago=ago, spo2=spo2, pulse_rate=pulse)
        clinic.give("chair-1", "cuff", ago=200, nibp_sys=120, nibp_dia=80, nibp_mean=93)
        yield clinic


async def test_every_step_is_drawn_and_what_is_missing_or_invalid_is_not(browser, clinic):
    page, said = await open_page(browser, clinic, viewport=VIEW)
    picture = await drawn(page, lambda it: it.at(SPO2, 100) and it.at(PULSE, 100))
    assert picture.at(SPO2, 425) == picture.at(PULSE, 425) == [], "a gap is a gap"
    usual = picture.at(SPO2, 100)
    # One single low reading among five seconds is seen down to its lowest.
    dips = [picture.height_of(SPO2, ago) for ago in range(145, 180)]
    assert max(dips) > 5 * len(usual)
    # Where nothing valid came there is nothing but dots at the base of the lane.
    dots = [row for ago in range(265, 285) for row in picture.at(SPO2, ago)]
    assert dots
    assert min(dots) > max(usual) + 10
    assert any(picture.at(SPO2, ago) == [] for ago in range(265, 285))
    assert max(picture.at(SPO2, 100)) < min(picture.at(PULSE, 100)), "each has its lane"
    cuffs = [picture.height_of(CUFF, ago / 2) for ago in range(395, 460)]
    assert max(cuffs) > 10
    words = await tile(page, "chair-1").locator("canvas").get_attribute("aria-label")
    assert words == "Last ten minutes: PR 70 to 70, SpO₂ 88 to 97, NIBP 80 to 120"
    assert said == []


COUNT = """() => {
  window.draws = 0;
  const clear = CanvasRenderingContext2D.prototype.clearRect;
  CanvasRenderingContext2D.prototype.clearRect = function (...box) {
    window.draws += 1;
    return clear.apply(this, box);
  };
}"""


async def test_it_is_drawn_when_a_step_changed_and_not_with_every_message(browser, clinic):
    page, _ = await open_page(browser, clinic, viewport=VIEW)
    await drawn(page, lambda it: it.at(SPO2, 100))
    await page.evaluate(COUNT)
    began = time.monotonic()
    spo2 = tile(page, "chair-1").locator(".numeric[data-key=spo2] .main")
    for value in (96, 97) * 8:
        clinic.give("chair-1", "oximeter", spo2=value)
        await expect(spo2).to_have_text(str(value))
    # With each step that begins the time goes on, and its two readings come.
    steps = (time.monotonic() - began) // 5 + 2
    assert 1 <= await page.evaluate("draws") <= 3 * steps


async def test_limits_are_lines_and_the_scale_takes_in_what_lies_outside(browser, clinic):
    page, _ = await open_page(browser, clinic, viewport=VIEW)
    before = await drawn(page, lambda it: it.at(SPO2, 100))
    clinic.show("chair-1", limits={"spo2": {"low": 60.0, "high": None}})
    clinic.give("chair-1", "oximeter", spo2=97)
    after = await drawn(page, lambda it: it.at(SPO2, 100) != before.at(SPO2, 100))
    # 97 of 60 to 100 lies higher in the lane than 97 of 85 to 100.
    assert min(after.at(SPO2, 100)) < min(before.at(SPO2, 100))


async def test_it_is_sharp_and_follows_the_colours_of_the_page(browser, clinic):
    page, _ = await open_page(browser, clinic, viewport=VIEW, device_scale_factor=2, color_scheme="dark")
    picture = await drawn(page, lambda it: it.at(SPO2, 100))
    canvas = tile(page, "chair-1").locator("canvas")
    assert picture.width == pytest.approx(2 * await canvas.evaluate("(it) => it.getBoundingClientRect().width"), abs=1)
    before = await canvas.evaluate("(it) => it.toDataURL()")
    await page.evaluate("document.documentElement.dataset.theme = 'light'")
    clinic.give("chair-1", "oximeter", spo2=97)
    await expect(canvas).not_to_have_js_property("toDataURL()", before)
    # The probe of this reading is in the new colours as well.
    await drawn(page, lambda it: it.at(SPO2, 100))
    assert await canvas.evaluate("(it) => it.toDataURL()") != before
