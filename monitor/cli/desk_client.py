"""How a command has a session or an alert changed: whoever holds the data folder's lock decides.

While no station runs the command takes the lock and is the desk of the sessions itself; beside a station it asks that
one. So the journal has one writer at any time, and a request is decided once. Where the answer does not come, as when
the station is killed, the same request is made again: its number stands in the journal beside what it did, so it is
done once.

What is done to alerts is for a station alone, and of now: it is not said again by itself where it may have been done,
since it could then silence what has come on in between and nobody has seen.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from drivers.clock import SystemClock
from drivers.errors import (
    AlertActionRefused,
    ConfigError,
    ConfirmationNeeded,
    JournalUnusable,
    StationRunning,
    StationSilent,
    StepRefused,
)
from monitor.alerts.actions import ALERT_REQUEST
from monitor.config import StationConfig
from monitor.request_faults import faults
from monitor.sessions import audit, view
from monitor.sessions.desk import Desk
from monitor.sessions.entries import Entry
from monitor.sessions.requests import REQUEST, OpenRequest, Request
from monitor.sessions.session import Session
from monitor.storage.connection import JOURNAL_FILE
from monitor.storage.journal import Journal
from monitor.storage.lock import StationLock
from monitor.storage.session_entries import SessionEntries
from monitor.web import station_file
from monitor.web.station_file import StationAddress

PATIENCE = 20.0
"""Seconds until nobody having answered is said."""
BETWEEN = 0.15
"""Seconds from one attempt to the next."""
_ANSWER_WITHIN = 8.0
"""Seconds; the station itself waits for the disk for five."""
_NOT_TAKEN = frozenset({401, 503})
"""A token of a station that has ended since, or a station that takes nothing now."""
_CAN_BE_ASKED_AGAIN = _NOT_TAKEN | {500, 502}
"""Likewise, or a station that failed."""


_Understood = Callable[[int, dict[str, Any]], dict[str, Any]]
"""Makes of a status and its answer what was asked for, or raises the error that it is; ValueError, TypeError or
KeyError where it is neither."""


class StationClient:
    """Asks the station that holds `data_dir`."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir

    def station_runs(self) -> bool:
        """Whether there is one. Raises JournalUnusable."""
        try:
            return StationLock(self.data_dir).holder() is not None
        except OSError as error:
            raise self._not_mine(error) from error

    def answer(
        self,
        route: str,
        body: bytes | None,
        seconds: float,
        understood: _Understood,
    ) -> dict[str, Any]:
        """What the station answers within so many seconds to that body, or without one to a GET.

        Raises what `understood` makes of an error in the answer, and `NoAnswer` where that is not to be understood.
        """
        try:
            station = station_file.read(self.data_dir)
        except OSError as error:
            raise self._not_mine(error) from error
        if station is None:
            raise NotTaken("the station that holds the data folder has not said where it is to be asked")
        status, answer = _send(station, route, body, min(_ANSWER_WITHIN, max(seconds, BETWEEN)))
        if status in _CAN_BE_ASKED_AGAIN:
            raise (NotTaken if status in _NOT_TAKEN else NoAnswer)(f"the station answered {status}")
        try:
            return understood(status, json.loads(answer))
        except (ValueError, TypeError, KeyError) as error:
            raise NoAnswer(f"what answered {status} is no station of this version") from error

    def _not_mine(self, error: OSError) -> JournalUnusable:
        who = "; say it as the station's user" if isinstance(error, PermissionError) else ""
        return JournalUnusable(f"the data folder {self.data_dir} cannot be used: {error.strerror}{who}")


class DeskClient(StationClient):
    """The desk of `data_dir`, wherever it is; `configuration` is asked only where no station runs."""

    def __init__(self, data_dir: Path, configuration: Callable[[], StationConfig]) -> None:
        super().__init__(data_dir)
        self._configuration = configuration

    def do(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Have done what the fields of a request say, `request` among them, and give `view.answer` of it.

        Raises StepRefused, or ConfirmationNeeded with what is open; StationSilent where nobody knows whether it was
        done; ConfigError where a field or the configuration is wrong, and JournalUnusable.
        """
        try:
            request = REQUEST.validate_python(dict(fields))
        except ValidationError as error:
            raise ConfigError(faults(error)) from None
        body = json.dumps(dict(fields)).encode()
        why = ""
        deadline = time.monotonic() + PATIENCE
        try:
            while True:
                try:
                    if self.station_runs():
                        return self._ask(body, deadline - time.monotonic())
                    return asyncio.run(self._do_here(request))
                except StationRunning:
                    why = "another command, or a station that starts, holds the data folder"
                except NoAnswer as error:
                    why = str(error)
                if time.monotonic() + BETWEEN > deadline:
                    raise self._silent(request, why)
                time.sleep(BETWEEN)
        except KeyboardInterrupt:
            raise self._silent(request, "interrupted") from None

    async def _do_here(self, request: Request) -> dict[str, Any]:
        configuration = self._configuration()
        if not isinstance(request, OpenRequest) and not (self.data_dir / JOURNAL_FILE).exists():
            raise JournalUnusable(f"there is no journal in {self.data_dir}: has a station ever run there?")
        journal = Journal(self.data_dir, commit_every=0.0, command=True)
        journal.open()
        try:
            desk = Desk(configuration, journal, self.data_dir, SystemClock())
            await desk.load()
            # Told of what is new alone: a request that is said again is no second change.
            desk.add_listener(partial(_audited, journal, request))
            done = await desk.do(request)
        finally:
            # It makes one last attempt where the disk refused.
            await journal.close()
        if not done.recorded:
            self._look_for(request)
        return view.answer(done.session, done.entries, SystemClock.now_ns(), recorded=True)

    def _look_for(self, request: Request) -> None:
        """Nobody holds it in memory any more: it is in the journal, or nowhere."""
        try:
            found = SessionEntries(self.data_dir).with_request(request.request)
        except JournalUnusable as error:
            raise self._silent(request, str(error)) from error
        if found is None:
            raise JournalUnusable(f"nothing was recorded: the journal in {self.data_dir} cannot be written")

    def _ask(self, body: bytes, seconds: float) -> dict[str, Any]:
        return self.answer(station_file.SESSIONS, body, seconds, _understood)

    def _silent(self, request: Request, why: str) -> StationSilent:
        return StationSilent(
            f"it is not known whether that was done ({why}); say the same again with --request {request.request}: "
            "that is safe, it is done once"
        )


def _audited(journal: Journal, request: Request, session: Session, entry: Entry) -> None:
    if entry.request == request.request:
        detail, old, new = audit.change(session, entry)
        journal.record_audit(request.by, f"session {request.verb}", detail, origin="command", old=old, new=new)


class AlertClient(StationClient):
    """The alerts of the station that holds `data_dir`."""

    def stands(self) -> list[dict[str, Any]] | None:
        """`actions.standing` of every bed and of the station itself; None where no station runs.

        Raises StationSilent and JournalUnusable.
        """
        try:
            beds: list[dict[str, Any]] = self._ask(None, _standing_understood)["beds"]
        except _NoStation:
            return None
        return beds

    def do(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Have done what the fields of a request say: gives what is told of it, and what stands on the bed then.

        Raises AlertActionRefused, also where no station runs; StationSilent where nobody knows whether it was done;
        ConfigError where a field is wrong, and JournalUnusable.
        """
        try:
            ALERT_REQUEST.validate_python(dict(fields))
        except ValidationError as error:
            raise ConfigError(faults(error)) from None
        try:
            return self._ask(json.dumps(dict(fields)).encode(), _done_understood)
        except _NoStation:
            raise AlertActionRefused(
                f"no station runs on {self.data_dir}, and only while one runs are there signals to silence"
            ) from None

    def _ask(self, body: bytes | None, understood: _Understood) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        try:
            while True:
                if not self.station_runs():
                    raise _NoStation
                try:
                    return self.answer(station_file.ALERTS, body, deadline - time.monotonic(), understood)
                except NoAnswer as error:
                    perhaps_done = body is not None and not isinstance(error, NotTaken)
                    if perhaps_done or time.monotonic() + BETWEEN > deadline:
                        raise _not_known(str(error), perhaps_done=perhaps_done) from None
                time.sleep(BETWEEN)
        except KeyboardInterrupt:
            raise _not_known("interrupted", perhaps_done=body is not None) from None


class _NoStation(Exception):
    """No station runs any more."""


class NoAnswer(Exception):
    """What was asked may have been done."""


class NotTaken(NoAnswer):
    """It was not."""


def _not_known(why: str, *, perhaps_done: bool) -> StationSilent:
    if not perhaps_done:
        return StationSilent(f"the station does not answer: {why}")
    return StationSilent(
        f"it is not known whether that was done ({why}): `infusion-monitor alert list` shows what stands, and to say "
        "the same again does no harm"
    )


def _send(station: StationAddress, route: str, body: bytes | None, seconds: float) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(station.host, station.port, timeout=seconds)
    try:
        connection.request(
            "GET" if body is None else "POST",
            route,
            body,
            {"Authorization": f"Bearer {station.token}", "Content-Type": "application/json"},
        )
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        refused = isinstance(error, ConnectionRefusedError)
        raise (NotTaken if refused else NoAnswer)(
            f"the station at port {station.port} did not answer: {error or type(error).__name__}"
        ) from error
    finally:
        connection.close()


def _understood(status: int, answer: dict[str, Any]) -> dict[str, Any]:
    """The answer of the desk, or its error. Raises ValueError, TypeError or KeyError for what is none."""
    if status in {200, 202}:
        if isinstance(answer["recorded"], bool) and isinstance(answer["session"], str) and answer["entries"]:
            return answer
        raise ValueError
    match answer["error"]:
        case "confirm":
            raise ConfirmationNeeded(answer["text"], answer["open"], answer["possible"])
        case "refused":
            raise StepRefused(answer["text"], answer["possible"])
        case _:
            raise ConfigError([answer["text"]])


def _standing_understood(status: int, answer: dict[str, Any]) -> dict[str, Any]:
    """What stands. Raises ValueError, TypeError or KeyError for what does not say that."""
    if status != 200:
        raise ValueError
    for bed in answer["beds"]:
        _check_standing(bed)
    return answer


def _done_understood(status: int, answer: dict[str, Any]) -> dict[str, Any]:
    """What was told, and what stands then, or the error. Raises ValueError, TypeError or KeyError for what is none."""
    if status in {200, 202}:
        _check_standing(answer)
        if not isinstance(answer["told"], list) or not isinstance(answer["recorded"], bool):
            raise ValueError
        return answer
    if answer["error"] == "refused":
        raise AlertActionRefused(answer["text"])
    raise ConfigError([answer["text"]])


def _check_standing(bed: dict[str, Any]) -> None:
    signals = bed["audio"]["state"], bed["alarm"]["state"]
    if not (isinstance(bed["bed"], str) and isinstance(bed["alerts"], list) and all(signals)):
        raise ValueError
