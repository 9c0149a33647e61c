"""Fixtures of the tests of sinks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fake_influxdb import FakeInfluxdb


@pytest.fixture
async def fake() -> AsyncIterator[FakeInfluxdb]:
    async with FakeInfluxdb() as fake:
        yield fake
