"""A real InfluxDB for the tests: its own folder and port, killed and started again on the same one at will."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.server import PATIENCE, Server
from tests.services import require

MODULES = Path(__file__).parents[1] / "scripts" / "influxd" / "go.mod"

Row = dict[str, Any]


class InfluxdRefusal(Exception):
    """The server answered with an error: the status, and the code and the message that it gave."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message


class Influxd(Server):
    """An InfluxDB 2 on a free port of this machine, while its `with` lasts; `make influxd` builds it.

    It has one organisation with one bucket that keeps everything; `token` may do all things. What it answered 204 to
    it has still after `kill` and `start`. Its questions and answers here are those of a foreign client: none of the
    station's code, and none of InfluxData's.
    """

    org = "clinic"
    bucket = "vitals"
    token = "all-access"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._program = require(str(program()))
        # The station's proxy settings are not for a server on this machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self._ids: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str | Path]:
        """The server, with all its files in its folder."""
        folder = self.folder
        return [
            self._program,
            *("--bolt-path", folder / "bolt", "--sqlite-path", folder / "sqlite", "--engine-path", folder / "engine"),
            *("--http-bind-address", f"127.0.0.1:{self.port}", "--reporting-disabled", "--log-level", "warn"),
        ]

    def environment(self) -> dict[str, str]:
        """Without the variables of this name, which it would take for its own configuration."""
        return {name: value for name, value in os.environ.items() if not name.startswith("INFLUXD_")}

    def answers(self, process: int) -> bool:
        """Whether it has its port, and is healthy."""
        try:
            return super().answers(process) and bool(self._ask("GET", "/health"))
        except (OSError, InfluxdRefusal):
            return False

    def start(self) -> None:
        """Start it, and set it up the first time."""
        super().start()
        if not self._ids:
            self._set_up()

    def _set_up(self) -> None:
        names = {"username": "clinician", "password": "a long password", "org": self.org, "bucket": self.bucket}
        made = json.loads(self._ask("POST", "/api/v2/setup", {**names, "token": self.token}, token=None))
        self._ids = {kind: made[kind]["id"] for kind in ("org", "bucket")}

    def write(self, lines: str, *, bucket: str | None = None, token: str | None = None) -> None:
        """Have it write these lines of line protocol (times in nanoseconds); raises InfluxdRefusal."""
        where = {"org": self.org, "bucket": bucket or self.bucket, "precision": "ns"}
        self._ask("POST", "/api/v2/write", lines, parameters=where, token=token or self.token)

    def query(self, flux: str, *, token: str | None = None) -> list[Row]:
        """The rows of all tables of the answer, with `result` and `table`; raises InfluxdRefusal.

        Values are of the type that the answer names; times are nanoseconds since 1970. A cell without a value is
        None, and so is an empty string, which looks no different. Lines within a text end with a line feed alone:
        the server's CSV drops carriage returns, and then adds one to every end of a line.
        """
        question = {"query": flux, "type": "flux", "dialect": {"annotations": ["datatype", "default"]}}
        where = {"org": self.org}
        answer = self._ask("POST", "/api/v2/query", question, parameters=where, token=token or self.token)
        return list(rows(answer.decode()))

    def write_only_token(self) -> str:
        """A token that may write the bucket, and nothing else."""
        return self._token("write")

    def read_only_token(self) -> str:
        """A token that may read the bucket, and nothing else."""
        return self._token("read")

    def _token(self, action: str) -> str:
        resource = {"type": "buckets", "id": self._ids["bucket"], "orgID": self._ids["org"]}
        order = {"orgID": self._ids["org"], "permissions": [{"action": action, "resource": resource}]}
        made: str = json.loads(self._ask("POST", "/api/v2/authorizations", order))["token"]
        return made

    def create_bucket(self, name: str, retention_seconds: int) -> None:
        """Another bucket, which refuses and drops what is older; an hour at least, or 0 for one that keeps all."""
        rules = [{"type": "expire", "everySeconds": retention_seconds}]
        self._ask("POST", "/api/v2/buckets", {"orgID": self._ids["org"], "name": name, "retentionRules": rules})

    def _ask(
        self,
        method: str,
        path: str,
        body: str | Row | None = None,
        *,
        parameters: dict[str, str] | None = None,
        token: str | None = token,
        accept: str = "*/*",
    ) -> bytes:
        """The body of its answer; raises InfluxdRefusal, or OSError where there is none."""
        kind = "text/plain; charset=utf-8" if isinstance(body, str) else "application/json"
        text = body if isinstance(body, str) else json.dumps(body)
        request = urllib.request.Request(
            f"{self.url}{path}?{urllib.parse.urlencode(parameters or {})}",
            data=None if body is None else text.encode(),
            headers={"Accept": accept, "Content-Type": kind},
            method=method,
        )
        if token is not None:
            request.add_header("Authorization", f"Token {token}")
        try:
            with self._opener.open(request, timeout=PATIENCE) as answer:
                said: bytes = answer.read()
                return said
        except urllib.error.HTTPError as error:
            with error:
                reason = error.read().decode(errors="replace")
            raise _refusal(error.code, reason) from None


def _refusal(status: int, reason: str) -> InfluxdRefusal:
    try:
        said = json.loads(reason)
        return InfluxdRefusal(status, said["code"], said["message"])
    except (ValueError, KeyError, TypeError):
        return InfluxdRefusal(status, "", reason)


def rows(answer: str) -> Iterator[Row]:
    """The rows of Flux's annotated CSV; raises InfluxdRefusal where it ends with an error, after the rows before.

    Every table begins with its annotations, whose first cell has a `#`, and the line that names its columns.
    """
    annotations: dict[str, list[str]] = {}
    columns: list[str] = []
    # The server writes every end of a line so, also those within a value.
    answer = answer.replace("\r\n", "\n")
    for line in csv.reader(io.StringIO(answer, newline="")):
        if not line:
            columns = []
        elif line[0].startswith("#"):
            if columns:
                annotations, columns = {}, []
            annotations[line[0]] = line
        elif not columns:
            columns = line
        elif {"error", "reference"} == set(columns) - {""}:
            raise InfluxdRefusal(200, "", line[columns.index("error")])
        else:
            cells = zip(columns, annotations["#datatype"], annotations["#default"], line, strict=True)
            yield {name: typed(kind, cell or default) for name, kind, default, cell in cells if name}


def typed(kind: str, cell: str) -> Any:
    """The value in a cell of annotated CSV."""
    if not cell:
        return None
    match kind:
        case "long" | "unsignedLong":
            return int(cell)
        case "double":
            return float(cell)
        case "boolean":
            return {"true": True, "false": False}[cell]
        case "dateTime:RFC3339" | "dateTime:RFC3339Nano":
            return nanoseconds(cell)
    return cell


def nanoseconds(moment: str) -> int:
    """Nanoseconds since 1970 of a time like 2026-01-31T23:59:59.123456789Z."""
    whole, _, fraction = moment.removesuffix("Z").partition(".")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=UTC).timestamp()
    return int(seconds) * 1_000_000_000 + int(fraction.ljust(9, "0"))


def program() -> Path:
    """Where `make influxd` puts the server of the version that its go.mod names."""
    found = re.search(r"github\.com/influxdata/influxdb/v2 v(\S+)", MODULES.read_text())
    assert found is not None, f"no InfluxDB in {MODULES}"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "infusion-monitor" / f"influxd-{found[1]}" / "influxd"
