"""What the API says of itself, tried with thousands of requests made of that: some as it wants them, some not."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from drivers.events import DeviceStatus, Waveform
from monitor.accounts.people import Role
from tests.monitor.web.served import Served, served

LEAST = 2_000
"""Cases in all."""
EACH, OF_WHAT_TAKES_NOTHING = 125, 3
"""Cases of each operation, of what is right by its description and again of what is not."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
ENDLESS = "/api/live"
"""Its answer does not end."""

Seen = Counter[tuple[str, int]]
"""By operation and status, how many answers."""


def try_all(description: dict[str, Any], address: str, token: str) -> Seen:
    """Raises what a check found."""
    seen: Seen = Counter()
    for result in schemathesis.openapi.from_dict(description).get_all_operations():
        operation = result.ok()
        if operation.path != ENDLESS:
            for mode in GenerationMode:
                # There is no wrong way to ask for what takes nothing.
                with contextlib.suppress(Unsatisfiable):
                    try_one(operation, mode, seen, base_url=address, headers={"Authorization": f"Bearer {token}"})
    return seen


def try_one(operation: APIOperation, mode: GenerationMode, seen: Seen, **how: Any) -> None:
    takes = operation.body or operation.path_parameters or operation.query

    @settings(
        max_examples=EACH if takes else OF_WHAT_TAKES_NOTHING,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode), st.booleans())
    def answered(case: Case, plausible: bool) -> None:  # noqa: FBT001 - Hypothesis' own way to give it
        if plausible and mode is GenerationMode.POSITIVE:
            make_plausible(case)
        # What is asked without the token is a question for who guards the routes.
        answer = case.call_and_validate(**how, checks=CHECKS, excluded_checks=[ignored_auth])
        seen[f"{operation.method} {operation.path}", answer.status_code] += 1

    answered()


def make_plausible(case: Case) -> None:
    """Have it name what is there, in words that people can write: so that not all of it ends at the door."""
    if "bed" in case.path_parameters:
        case.path_parameters["bed"] = "one"
    if isinstance(case.body, dict):
        words = {key: printable(value) for key, value in case.body.items() if isinstance(value, str)}
        case.body |= words | {key: "one" for key in ("bed", "session") if key in words} | {"by": "Anna Berg"}
        for key in ("at", "since", "until", "request"):
            case.body.pop(key, None)


def printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable()).strip() or "word"


async def busy(clinic: Served) -> None:
    """Sessions are open, alerts stand, and there are notes that want to be more than text."""
    await clinic.do("open", bed="one", reference="P-1")
    await clinic.phases("baseline")
    await clinic.seconds(3, spo2=97, nibp_sys=120, nibp_dia=75)
    await clinic.phases("start")
    await clinic.do("note", session="one", text="<script>alert(1)</script> {{7*7}} '; --")
    await clinic.do("open", bed="two", reference="P-2")
    await clinic.seconds(40, spo2=80)
    assert clinic.station.alarms.board.signals_of("one").alerts
    now = clinic.clock.now_ns()
    clinic.give(Waveform("pleth", (1, 2, 3), 75.0, now, now), DeviceStatus("payload", True, "<b>odd</b>", now))
    await clinic.committed()


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_whatever_is_asked_the_api_answers_as_it_says(tmp_path: Path) -> None:
    async with served(tmp_path) as clinic:
        clinic.station.journal._queue._commit_every = 0.0
        await busy(clinic)
        description = await clinic.get("/openapi.json")
        token = await clinic.token(Role.ADMIN)
        seen = await asyncio.to_thread(try_all, description, clinic.station.page.address, token)
        assert seen.total() >= LEAST
        assert (await clinic.client.get("/healthz")).json() == {"status": "ok"}
    # Enough of them get past the doors.
    done = {name: count for (name, status), count in seen.items() if status == 200}
    assert sum(done.values()) > LEAST / 10
    assert done.keys() >= {"post /api/sessions", "post /api/alerts", "get /api/beds/{bed}/trends"}
