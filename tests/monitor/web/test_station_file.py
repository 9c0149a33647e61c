"""`station.json`: what the station tells commands of itself."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from monitor.web import station_file
from monitor.web.station_file import StationAddress
from tests.monitor.web.commands import TOKEN


def test_the_file_is_for_its_user_alone_and_goes(tmp_path: Path) -> None:
    assert station_file.read(tmp_path) is None
    station_file.remove(tmp_path)
    # A start before this one was cut off while it wrote, and anybody may read what it left.
    (tmp_path / "station.new").write_text("half")
    station_file.write(tmp_path, "http://127.0.0.1:8080", TOKEN)
    [file] = tmp_path.iterdir()
    assert (file.name, stat.S_IMODE(file.stat().st_mode)) == ("station.json", 0o600)
    assert station_file.read(tmp_path) == StationAddress("127.0.0.1", 8080, TOKEN)
    station_file.write(tmp_path, "http://127.0.0.1:8081", "next")
    assert station_file.read(tmp_path) == StationAddress("127.0.0.1", 8081, "next")
    station_file.remove(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("address", "host"),
    [("http://127.0.0.1:80", "127.0.0.1"), ("http://localhost:80", "127.0.0.1"), ("http://[::1]:80", "::1")],
)
def test_every_address_that_a_page_can_have(tmp_path: Path, address: str, host: str) -> None:
    station_file.write(tmp_path, address, TOKEN)
    assert station_file.read(tmp_path) == StationAddress(host, 80, TOKEN)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"address": 1, "token": "x"}', '{"address": "http://127.0.0.1:99999", "token": "x"}'],
)
def test_a_file_that_says_nothing_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "station.json").write_text(content)
    assert station_file.read(tmp_path) is None


def test_a_station_runs_on_where_the_file_cannot_be_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "station.json").mkdir()
    station_file.write(tmp_path, "http://127.0.0.1:8080", TOKEN)
    station_file.remove(tmp_path)
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "no command reaches this station" in caplog.text
    assert TOKEN not in caplog.text
