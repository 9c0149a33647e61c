"""The real InfluxDB that other tests trust does what its class says."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.influxd import Influxd, InfluxdRefusal, nanoseconds, rows

ALL = f'from(bucket: "{Influxd.bucket}") |> range(start: 0)'
THEN = 1_790_000_000_123_456_789
"""A time with all nine digits of its fraction, in nanoseconds."""


def test_values_come_back_with_their_types(server: Influxd, bucket: str) -> None:
    text = 'two lines\nand "quotes", a comma; SpO₂ \\'
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    server.write(f'vitals,bed=1 a=1.5,b=2i,c=3u,d=true,e="{escaped}" {THEN}', bucket=bucket)

    told = server.query(f'from(bucket: "{bucket}") |> range(start: 0)')

    assert {row["_field"]: row["_value"] for row in told} == {"a": 1.5, "b": 2, "c": 3, "d": True, "e": text}
    assert [type(row["_value"]) for row in sorted(told, key=lambda row: row["_field"])] == [float, int, int, bool, str]
    assert {(row["result"], row["_time"], row["bed"], row["_measurement"]) for row in told} == {
        ("_result", THEN, "1", "vitals")
    }


def test_the_tables_of_one_answer_may_differ(server: Influxd, bucket: str) -> None:
    server.write(f"vitals,bed=1 a=1 {THEN}\nvitals,bed=2,device=d a=2 {THEN}", bucket=bucket)
    source = f'from(bucket: "{bucket}") |> range(start: 0)'

    told = server.query(f'{source} |> yield(name: "points") {source} |> count() |> yield(name: "counts")')

    points = [row for row in told if row["result"] == "points"]
    counts = [row for row in told if row["result"] == "counts"]
    assert [(row["bed"], row.get("device"), row["_value"]) for row in points] == [("1", None, 1.0), ("2", "d", 2.0)]
    assert [(row["table"], row["bed"], row["_value"]) for row in counts] == [(0, "1", 1), (1, "2", 1)]
    assert all("_time" not in row for row in counts)


def test_a_cell_without_a_value_is_none(server: Influxd, bucket: str) -> None:
    server.write(f'vitals a=1,b="x" {THEN}\nvitals a=2,b="" {THEN + 1}\nvitals a=3 {THEN + 2}', bucket=bucket)
    beside = 'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")'

    told = server.query(f'from(bucket: "{bucket}") |> range(start: 0) |> {beside}')

    assert [(row["a"], row["b"]) for row in told] == [(1, "x"), (2, None), (3, None)]


def test_no_rows_are_no_error(server: Influxd, bucket: str) -> None:
    assert server.query(f'from(bucket: "{bucket}") |> range(start: 0)') == []


GOOD = 'import "array" array.from(rows: [{a: 1}]) |> yield(name: "good")'
BAD = 'array.from(rows: [{a: 1}]) |> map(fn: (r) => ({a: die(msg: "halt")})) |> yield(name: "bad")'


@pytest.mark.parametrize(
    ("flux", "reason"),
    [
        ("this is not flux", "undefined identifier"),
        ('from(bucket: "no such") |> range(start: 0)', "could not find bucket"),
        (f'import "array" {BAD}', "halt"),
        (f"{GOOD} {BAD}", "halt"),
    ],
    ids=["not a question", "no bucket", "at once", "after good rows"],
)
def test_a_question_that_fails_is_a_refusal(server: Influxd, flux: str, reason: str) -> None:
    with pytest.raises(InfluxdRefusal, match=reason):
        server.query(flux)


def test_an_error_after_rows_is_a_refusal_after_those_rows() -> None:
    answer = rows(
        "#datatype,string,long,dateTime:RFC3339,duration\r\n#default,_result,,,\r\n,result,table,_time,span\r\n"
        ",,0,1970-01-01T00:00:01.5Z,1h\r\n\r\n"
        "#datatype,string,string\r\n#default,,\r\n,error,reference\r\n,out of memory,\r\n"
    )

    assert next(answer) == {"result": "_result", "table": 0, "_time": 1_500_000_000, "span": "1h"}
    with pytest.raises(InfluxdRefusal, match="out of memory"):
        next(answer)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59.999999999Z", -1),
        ("2026-09-21T14:13:20.123456789Z", THEN),
        ("2262-04-11T23:47:16.854775806Z", 2**63 - 2),
    ],
)
def test_times_keep_their_nanoseconds(moment: str, expected: int) -> None:
    assert nanoseconds(moment) == expected


def test_the_tokens_are_limited(server: Influxd) -> None:
    writing, reading = server.write_only_token(), server.read_only_token()
    server.create_bucket("another", 0)

    server.write(f"tokens a=1 {THEN}", token=writing)
    assert [row["_value"] for row in server.query(ALL, token=reading)] == [1.0]

    refused = []
    for bucket, token in (("another", writing), (None, reading), (None, "unknown")):
        with pytest.raises(InfluxdRefusal) as refusal:
            server.write(f"tokens a=2 {THEN}", bucket=bucket, token=token)
        refused.append((refusal.value.status, refusal.value.code))
    assert refused == [(403, "forbidden"), (403, "forbidden"), (401, "unauthorized")]
    with pytest.raises(InfluxdRefusal, match="could not find bucket"):
        server.query(ALL, token=writing)


def test_a_bucket_refuses_what_is_older_than_it_keeps(server: Influxd) -> None:
    server.create_bucket("short", 3600)

    with pytest.raises(InfluxdRefusal, match="outside retention policy") as refusal:
        server.write("vitals a=1 1000000000", bucket="short")

    assert refusal.value.status == 422


def test_what_was_answered_survives_a_power_cut(tmp_path: Path) -> None:
    with Influxd(tmp_path) as server:
        url = server.url
        server.write("\n".join(f"vitals,bed=1 a={n} {THEN + n}" for n in range(1000)))
        server.kill()
        with pytest.raises(OSError, match="refused"):
            server.query(ALL)

        server.start()

        assert server.url == url
        assert [row["_value"] for row in server.query(ALL)] == list(range(1000))


def test_it_stops_and_starts_in_order(tmp_path: Path) -> None:
    with Influxd(tmp_path) as server:
        server.write(f"vitals a=1 {THEN}")
        server.stop()
        server.start()

        assert [row["_value"] for row in server.query(ALL)] == [1.0]


def test_frozen_it_hears_and_says_nothing(tmp_path: Path) -> None:
    with Influxd(tmp_path) as server:
        server.freeze()
        with socket.create_connection(("127.0.0.1", server.port)) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: influxd\r\nConnection: close\r\n\r\n")
            connection.setblocking(False)
            with pytest.raises(BlockingIOError):
                connection.recv(1)

            server.thaw()

            connection.setblocking(True)
            assert connection.recv(12) == b"HTTP/1.1 200"


def test_it_takes_another_port_where_its_first_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
        probe.close()
        ports = [taken.getsockname()[1], free]
        monkeypatch.setattr("tests.server.free_port", lambda: ports.pop(0))

        with Influxd(tmp_path) as server:
            assert server.port == free
            assert server.query(ALL) == []


def test_without_the_program_the_test_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("REQUIRE_SERVICES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="influxd is not installed"):
        Influxd(tmp_path)
    monkeypatch.setenv("REQUIRE_SERVICES", "1")
    with pytest.raises(pytest.fail.Exception, match="influxd is not installed"):
        Influxd(tmp_path)
