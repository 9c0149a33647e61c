"""`/api/words/{language}`: what the page says in other languages."""

from __future__ import annotations

from monitor.words import catalogue
from tests.monitor.web.wire import ask


async def test_the_words_of_a_language_are_told_to_anybody(port: int) -> None:
    answer = await ask(port, "/api/words/de")
    assert (answer.status, answer.header("content-type")) == (200, "application/json")
    assert answer.json() == dict(catalogue("page", "de"))
    assert answer.json()["No session"] == "Keine Sitzung"
    assert (await ask(port, "/api/words/en")).json() == {}


async def test_a_browser_that_has_them_is_not_sent_them_again(port: int) -> None:
    first = await ask(port, "/api/words/fr")
    tag = first.header("etag")
    assert first.header("cache-control") == "no-cache"
    for said in (tag, f"W/{tag}", f'"other", {tag}'):
        again = await ask(port, "/api/words/fr", headers=[f"If-None-Match: {said}"])
        assert (again.status, again.body, again.header("etag")) == (304, b"", tag)
    assert (await ask(port, "/api/words/es", headers=[f"If-None-Match: {tag}"])).status == 200


async def test_another_language_there_is_not(port: int) -> None:
    for language in ("it", "..", "de-DE", "%2e%2e%2fde"):
        answer = await ask(port, f"/api/words/{language}")
        assert (answer.status, answer.json()["error"]) == (404, "not_found")
