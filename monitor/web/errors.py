"""What an error looks like to those who use the API: `{"error": a word, "text": for people}`, and what else it says."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal, get_args

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Word = Literal[
    "bad_request",
    "unauthorized",
    "forbidden",
    "not_found",
    "method",
    "refused",
    "confirm",
    "too_large",
    "media_type",
    "invalid",
    "too_many",
    "failed",
    "unavailable",
]
"""What an error is, for programs."""
WORDS: tuple[Word, ...] = get_args(Word)
_BY_STATUS: dict[int, Word] = {400: "bad_request", 404: "not_found", 405: "method"}
"""Of what the framework answers by itself."""


class Refusal(Exception):
    """A request that is not done, for its caller."""

    def __init__(
        self, status: int, word: Word, text: str, *, headers: Mapping[str, str] | None = None, **more: object
    ) -> None:
        """`more` are further fields of the body."""
        super().__init__(text)
        self.status = status
        self.headers = headers
        self.body = {"error": word, "text": text, **more}


class ErrorBody(BaseModel):
    """What every error says."""

    model_config = ConfigDict(extra="allow", use_attribute_docstrings=True)

    error: Word
    text: str
    """For people."""


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the description of a route: the errors that it answers with."""
    return {status: {"model": ErrorBody, "description": HTTPStatus(status).phrase} for status in statuses}


def handle_errors(app: FastAPI) -> None:
    """Have all errors of `app` look like that."""

    @app.exception_handler(Refusal)
    async def refused(_request: Request, error: Refusal) -> Response:
        return JSONResponse(error.body, error.status, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        faults = (f"{one['loc'][1]}: {one['msg'].removeprefix('Value error, ')}" for one in error.errors())
        return JSONResponse({"error": "invalid", "text": "; ".join(faults)}, 422)

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> Response:
        word = _BY_STATUS.get(error.status_code, "refused")
        return JSONResponse({"error": word, "text": error.detail}, error.status_code, headers=error.headers)
