"""Several pages in one browser, which share its login and its connections."""

from playwright.async_api import expect

from tests.monitor.page.fake_station import ANNA, opened

BEN = ANNA | {"login": "ben", "name": "Ben Ort"}
POST = """() => import("/static/api.js").then((api) => api.post("/api/sessions", { verb: "note" }))
  .then(() => "done", (problem) => problem.text)"""
RETRIED = """async () => {
  const [api, { Desk }] = await Promise.all([import("/static/api.js"), import("/static/chair_desk.js")]);
  const waiting = async () => (await api.me(), true);
  const desk = new Desk({ told: { recorded() {}, refused() {}, waiting }, changed() {}, now: () => Date.now() });
  return desk.send({ verb: "note" }).then(() => "done", (problem) => problem.text);
}"""
ANOTHER = "Nothing was done: somebody else has logged in with this browser. See who acts, and do it again."


async def test_what_one_person_did_is_not_put_down_to_who_logs_in_after_them(browser, fake_station):
    fake_station.me = dict(ANNA)
    page, _ = await opened(browser, fake_station.server.address)
    await expect(page.locator("#who")).to_contain_text("Anna Berg")
    fake_station.me, fake_station.csrf = dict(BEN), "second"
    assert await page.evaluate(POST) == ANOTHER
    assert fake_station.posted == []
    await expect(page.locator("#who")).to_contain_text("Ben Ort")
    assert await page.evaluate(POST) == "done"


async def test_nor_is_what_is_sent_again(browser, fake_station):
    fake_station.me = dict(ANNA)
    page, _ = await opened(browser, fake_station.server.address)
    await expect(page.locator("#who")).to_contain_text("Anna Berg")

    async def no_answer(route):
        fake_station.me, fake_station.csrf = dict(BEN), "second"
        await route.abort()

    await page.route("**/api/sessions", no_answer, times=1)
    assert await page.evaluate(RETRIED) == ANOTHER
    assert fake_station.posted == []


async def test_many_pages_leave_connections_for_what_people_do(browser, fake_station):
    context = await browser.new_context()
    pages = [await context.new_page() for _ in range(6)]
    for page in pages:
        await page.goto(fake_station.server.address)
    for page in pages[:4]:
        await expect(page.locator("#connection")).to_have_text("Live")
    for page in pages[4:]:
        await expect(page.locator("#connection")).to_have_text("Not live, too many pages")
        await expect(page.locator("#not-live")).to_contain_text("close some")
    posted = "import('/static/api.js').then((api) => api.get('/api/snapshot')).then((told) => told.station)"
    assert await pages[0].evaluate(posted) == "clinic"
    await pages[1].close()
    await expect(pages[4].locator("#connection")).to_have_text("Live")
    await expect(pages[5].locator("#connection")).to_have_text("Not live, too many pages")
    await context.close()


async def test_a_hidden_page_whose_timers_the_browser_holds_back_notices_a_loss(browser, fake_station):
    page = await browser.new_page()
    await page.add_init_script(
        "Object.defineProperty(Document.prototype, 'hidden', { get: () => true }); window.setInterval = () => 0;"
    )
    await page.goto(fake_station.server.address)
    await expect(page.locator("#connection")).to_have_text("Live")
    await fake_station.stop()
    await expect(page.locator("#not-live")).to_be_visible()
    await expect(page).to_have_title("NOT LIVE - clinic")
