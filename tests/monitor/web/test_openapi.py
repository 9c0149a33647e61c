"""The description of the API: that it is whole, and what all routes have in common."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from drivers.clock import SystemClock
from monitor.accounts.accounts import Accounts
from monitor.alerts.board import AlertBoard
from monitor.live import LiveHub
from monitor.sessions.desk import Desk
from monitor.web.app import create_app
from monitor.web.errors import WORDS
from monitor.web.openapi import description
from monitor.web.parts import Parts, Recording
from tests.monitor.web.served import recording_of, routes_of

PUBLIC = {"/healthz", "/readyz", "/api/login", "/api/words/{language}"}
"""Whom they are for is not asked."""
PAGES = {"/", "/static", "/login", "/beds/{bed}", "/review", "/review/{session}", "/oidc/login", "/oidc/callback"}
"""For browsers: no part of the API."""


@pytest.fixture
def app(desk: Desk, board: AlertBoard, tmp_path: Path) -> Any:
    accounts = Accounts(tmp_path, SystemClock(), lambda *_, **__: None)
    recording: Recording = recording_of(tmp_path)
    return create_app(Parts(LiveHub([], SystemClock()), desk, board, accounts, token="t0ken", recording=recording))


@pytest.fixture
def described(app: Any) -> dict[str, Any]:
    return description(app)


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def references(part: object) -> Iterator[str]:
    if isinstance(part, dict):
        if "$ref" in part:
            yield part["$ref"]
        for one in part.values():
            yield from references(one)
    elif isinstance(part, list):
        for one in part:
            yield from references(one)


def test_each_route_is_in_it_but_the_pages(app: Any, described: dict[str, Any]) -> None:
    assert {path for _, path in routes_of(app.routes)} - PAGES == described["paths"].keys()


def test_each_route_says_what_it_is_for_and_who_may_ask(described: dict[str, Any]) -> None:
    for path, _, operation in operations(described):
        assert operation["description"], path
        assert operation["tags"], path
        assert ("security" in operation) == (path not in PUBLIC), path
    schemes = described["components"]["securitySchemes"]
    assert (schemes["token"]["scheme"], schemes["login"]["in"]) == ("bearer", "cookie")


def test_each_error_is_the_one_form(described: dict[str, Any]) -> None:
    for path, _, operation in operations(described):
        for status, answer in operation["responses"].items():
            if status[0] == "4":
                schema = answer["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (path, status)
    words = described["components"]["schemas"]["ErrorBody"]["properties"]["error"]["enum"]
    assert words == list(WORDS)
    assert "HTTPValidationError" not in json.dumps(described)


def test_nothing_refers_to_what_is_not_there(described: dict[str, Any]) -> None:
    schemas = described["components"]["schemas"]
    assert {it.removeprefix("#/components/schemas/") for it in references(described)} <= schemas.keys()


def test_bodies_say_which_form_is_meant_and_leave_the_name_to_the_station(described: dict[str, Any]) -> None:
    found = 0
    for path, method, operation in operations(described):
        if method == "post" and "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            for form in schema.get("oneOf", [schema]):
                found += 1
                assert "by" not in form.get("required", []), path
                assert ("verb" in form["properties"]) == ("verb" in form.get("required", [])), path
    assert found > 20


async def test_it_is_for_those_who_are_known(app: Any) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        wrong = await client.get("/openapi.json", headers={"Authorization": "Bearer wrong"})
        assert wrong.status_code == 401
        first = await client.get("/openapi.json", headers={"Authorization": "Bearer t0ken"})
        again = await client.get("/openapi.json", headers={"Authorization": "Bearer t0ken"})
    assert first.json() == again.json()
    assert first.json()["info"]["title"] == "Infusion monitor"
