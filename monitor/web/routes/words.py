"""What the page says, in another language: asked for before anybody is known, as the page itself is."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from hashlib import sha256

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from monitor.web.errors import Refusal, answers
from monitor.words import LANGUAGES, catalogue


def router() -> APIRouter:
    """The route; it says nothing of the station."""
    routes = APIRouter(tags=["description"])

    @routes.get("/api/words/{language}", responses={200: {"model": dict[str, str]}, **answers(404)})
    async def words(language: str, request: Request) -> Response:
        """The page's texts in `language` (en, de, fr, es), by the English ones; English needs none."""
        if language not in LANGUAGES:
            raise Refusal(404, "not_found", "there are no words of that language")
        body, tag = await asyncio.to_thread(_page_words, language)
        headers = {"ETag": tag}
        if tag in (one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    return routes


@cache
def _page_words(language: str) -> tuple[bytes, str]:
    """The answer, and its tag: a browser that has it already is not sent it again."""
    body = json.dumps(dict(catalogue("page", language)), ensure_ascii=False).encode()
    return body, f'"{sha256(body).hexdigest()[:32]}"'
