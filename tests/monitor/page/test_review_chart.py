"""The drawing of a session and its tables: real readings from a journal, nothing smoothed away, gaps that stay gaps."""

import re

from playwright.async_api import expect

from drivers.clock import iso
from tests.monitor.page.review_clinic import HOSTILE, at, drawn, review_clinic

SPREAD = """(group) => {
  // How far down the line goes, in units of the axis from 70 to 100.
  const texts = [...group.ownerSVGElement.querySelectorAll("text.value")];
  const of = (value) => texts.filter((it) => it.textContent === value).map((it) => Number(it.getAttribute("y")) - 4);
  const bottom = of("70").at(-1);
  const top = of("100").find((y) => y < bottom && bottom - y < 200);
  const box = group.getBBox();
  return 70 + ((bottom - (box.y + box.height)) / (bottom - top)) * 30;
}"""


def line(page, vital):
    return page.locator(f".review-chart .line[data-vital={vital}]")


async def zoom_to(page, name):
    """By the button of that name in the tables."""
    await page.locator(".summary").get_by_role("button", name=name).first.click()


async def test_what_was_measured_is_drawn_where_and_when_it_was(browser, tmp_path, filled):
    async with review_clinic(tmp_path, filled) as clinic:
        said: list[str] = []
        page = await clinic.open(browser, "/review/late", said)
        chart = await drawn(page)
        cuff = page.locator(f'.cuff[data-at="{iso(at(35))}"]')
        await expect(cuff).to_have_attribute("data-sys", "155")
        await expect(cuff).to_have_attribute("data-dia", "75")
        # 155 mmHg stands between 140 and 160 of the axis, and its time between its neighbours'.
        box = await cuff.locator(".sys").bounding_box()
        ticks = {}
        for value in ("140", "160"):
            shown = await chart.locator("text.value", has_text=re.compile(f"^{value}$")).first.bounding_box()
            ticks[value] = shown["y"] + shown["height"] / 2
        tip = box["y"] + box["height"]
        share = (ticks["140"] - tip) / (ticks["140"] - ticks["160"])
        assert abs(140 + 20 * share - 155) < 2
        before, after = [await page.locator(f'.cuff[data-at="{iso(at(it))}"]').bounding_box() for it in (30, 40)]
        assert abs((before["x"] + after["x"]) / 2 - (await cuff.bounding_box())["x"]) < 1.5
        await expect(page.locator(".cuff[data-validity=provisional]")).to_have_count(1)
        # One gap of three minutes, half a minute of doubt, ten invalid readings: four stretches, none over a gap.
        await expect(line(page, "pulse_rate")).to_have_attribute("data-stretches", "2")
        await expect(page.locator(".line[data-vital=spo2] .doubtful")).to_have_count(1)
        await expect(page.locator(".quality[data-vital=spo2] .gap")).to_have_count(2)
        # The one second at 71 of two hours reaches down to 71.
        assert 70 <= await line(page, "spo2").evaluate(SPREAD) < 72
        assert int(await chart.get_attribute("data-step")) > 3
        for phase in ("baseline", "running", "recovery"):
            await expect(page.locator(f".phase[data-phase={phase}]")).to_have_count(1)
        await expect(page.locator('.limits[data-limit="SpO₂ < 90"]')).to_have_count(1)
        spo2 = page.locator(".summary tr[data-vital=spo2]")
        await expect(spo2).to_contain_text(re.compile(r"71 \d\d:\d\d:\d\d"))
        await expect(spo2.locator("td").nth(8)).to_have_text("30")
        await expect(spo2.locator("td").nth(9)).to_have_text("10")
        assert said == []


async def test_the_chart_is_zoomed_to_single_seconds_by_mouse_table_and_keyboard(browser, tmp_path, filled):
    async with review_clinic(tmp_path, filled) as clinic:
        page = await clinic.open(browser, "/review/late", live=False)
        chart = await drawn(page)
        await zoom_to(page, re.compile(r"^\d\d:\d\d:\d\d$"))
        await expect(chart).to_have_attribute("data-step", "1")
        area = chart.locator(".drawing")
        await area.focus()
        for _ in range(6):
            await page.keyboard.press("+")
        numbers = chart.locator(".numbers[data-vital=pulse_rate] text")
        await expect(numbers.first).to_be_attached()
        assert 6 <= await numbers.count() <= 16
        await expect(numbers.first).to_have_text("70")
        await page.keyboard.press("ArrowRight")
        await expect(chart.locator(".read")).to_have_text(re.compile(r"^\d\d:\d\d:\d\d .*PR 70 .*SpO₂ \d\d"))
        await page.keyboard.press("0")
        await expect(chart).not_to_have_attribute("data-zoomed", "yes")
        box = await area.bounding_box()
        await page.mouse.move(box["x"] + 500, box["y"] + 100)
        await page.mouse.down()
        await page.mouse.move(box["x"] + 600, box["y"] + 100, steps=3)
        await page.mouse.up()
        await expect(chart).to_have_attribute("data-zoomed", "yes")
        await expect(chart).to_have_attribute("data-step", "1")
        await page.keyboard.down("Control")
        await page.mouse.wheel(0, 3000)
        await page.keyboard.up("Control")
        await expect(chart).not_to_have_attribute("data-zoomed", "yes")
        await expect(chart.locator(".legend button[data-vital=spo2]")).to_have_attribute("aria-pressed", "true")
        await chart.locator(".legend button[data-vital=spo2]").click()
        await expect(line(page, "spo2")).to_have_count(0)


async def test_alerts_are_filtered_in_table_and_lane_and_lead_to_each_other(browser, tmp_path, filled):
    async with review_clinic(tmp_path, filled) as clinic:
        page = await clinic.open(browser, "/review/late", live=False)
        chart = await drawn(page)
        marks, lines = chart.locator(".alert-lane .mark"), page.locator(".alert-table .rows tbody tr")
        await expect(marks).to_have_count(2)
        await expect(lines).to_have_count(2)
        await page.locator(".alert-table").get_by_label("Kind").select_option("technical")
        await expect(marks).to_have_count(1)
        await expect(lines).to_have_count(1)
        await expect(marks.first).to_have_attribute("data-priority", "low")
        await page.locator(".alert-table").get_by_label("Kind").select_option("")
        low = chart.get_by_role("button", name=re.compile("SpO₂ 71 < 90.*seen by Kim"))
        await low.focus()
        await expect(chart.locator(".read")).to_contain_text("SpO₂ 71 < 90")
        await page.keyboard.press("Enter")
        row = lines.filter(has_text="71 < 90")
        await expect(row.get_by_role("button")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(chart).to_have_attribute("data-zoomed", "yes")


async def test_an_earlier_session_is_drawn_below_and_what_people_wrote_is_text(browser, tmp_path, filled):
    async with review_clinic(tmp_path, filled) as clinic:
        page = await clinic.open(browser, "/review/late", live=False)
        await drawn(page)
        await page.get_by_label("Compare with an earlier session").select_option("early")
        below = page.locator(".compare svg")
        await expect(below.locator(".cuff")).to_have_count(5)
        await expect(page.locator(".compare")).to_contain_text("aligned at the start of the infusion")
        # Both infusions begin at one place.
        begins = [
            await page.locator(f"{where} .phase.running .begin").evaluate("(it) => it.getBBox().x")
            for where in (".review-chart", ".compare")
        ]
        assert abs(begins[0] - begins[1]) < 1
        entry = page.locator('.review-entries [data-number="4"]')
        await expect(entry.locator(".text")).to_have_text("calm")
        await expect(entry.locator("s")).to_have_text(HOSTILE)
        assert await page.title() == "clinic"
        assert await page.locator("#review img").count() == 0
