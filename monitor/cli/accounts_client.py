"""How a command has accounts or tokens changed: whoever holds the data folder's lock decides, as with sessions.

Beside a running station that one is asked, which has them in memory. While none runs the command takes the lock, writes
the file itself and the audit beside it. They are read from the file by anybody who may: it is never half written.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from drivers.clock import SystemClock
from drivers.errors import AccountRefused, ConfigError, StationRunning, StationSilent
from monitor.accounts import requests
from monitor.accounts.accounts import Accounts
from monitor.accounts.people import COMMAND
from monitor.accounts.requests import (
    TOKEN_REQUEST,
    TOKENS,
    USER_REQUEST,
    USERS,
    TokenRequest,
    UserRequest,
    token_told,
    user_told,
)
from monitor.accounts.store import AccountStore
from monitor.cli.desk_client import BETWEEN, PATIENCE, NoAnswer, NotTaken, StationClient
from monitor.request_faults import faults
from monitor.storage.journal import Journal

_ORIGIN = "command"


class AccountsClient(StationClient):
    """The accounts of `data_dir`, wherever they are."""

    def users(self) -> list[dict[str, Any]]:
        """`user_told` of each. Raises AccountsUnusable."""
        return [user_told(user) for user in AccountStore(self.data_dir).read().users]

    def tokens(self) -> list[dict[str, Any]]:
        """`token_told` of each. Raises AccountsUnusable."""
        return [token_told(token) for token in AccountStore(self.data_dir).read().tokens]

    def change_user(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Have done what the fields of a request say, and give what `requests.do` does, `audited` false without audit.

        Raises AccountRefused; StationSilent where nobody knows whether it was done; ConfigError where a field is wrong
        or the file of accounts cannot be used, and JournalUnusable.
        """
        return self._do(USERS, USER_REQUEST, fields)

    def change_token(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The same of a token."""
        return self._do(TOKENS, TOKEN_REQUEST, fields)

    def _do(
        self, route: str, form: TypeAdapter[UserRequest] | TypeAdapter[TokenRequest], fields: Mapping[str, Any]
    ) -> dict[str, Any]:
        try:
            request = form.validate_python(dict(fields))
        except ValidationError as error:
            raise ConfigError(faults(error)) from None
        body = json.dumps(dict(fields)).encode()
        deadline = time.monotonic() + PATIENCE
        try:
            while True:
                perhaps_done = False
                try:
                    if not self.station_runs():
                        return asyncio.run(self._do_here(request))
                    return self.answer(route, body, deadline - time.monotonic(), _understood)
                except StationRunning:
                    why = "another command, or a station that starts, holds the data folder"
                except NoAnswer as error:
                    why, perhaps_done = str(error), not isinstance(error, NotTaken)
                # Said again it could be refused for having been done.
                if perhaps_done or time.monotonic() + BETWEEN > deadline:
                    raise _not_known(why, perhaps_done=perhaps_done)
                time.sleep(BETWEEN)
        except KeyboardInterrupt:
            raise _not_known("interrupted", perhaps_done=True) from None

    async def _do_here(self, request: UserRequest | TokenRequest) -> dict[str, Any]:
        journal = Journal(self.data_dir, commit_every=0.0, command=True)
        journal.open()
        try:
            accounts = Accounts(self.data_dir, SystemClock(), journal.record_audit)
            await accounts.load()
            answer = await requests.do(accounts, request, COMMAND, _ORIGIN)
            if not await accounts.close():
                raise AccountRefused(f"nothing was changed: the data folder {self.data_dir} cannot be written")
        finally:
            # It makes one last attempt where the disk refused.
            await journal.close()
        return answer | {"audited": journal.health.dropped_rows == 0}


def _understood(status: int, answer: dict[str, Any]) -> dict[str, Any]:
    """What was done, or the error. Raises ValueError, TypeError or KeyError for what is neither."""
    if status in {200, 202}:
        if isinstance(answer["recorded"], bool):
            return answer
        raise ValueError
    if answer["error"] == "refused":
        raise AccountRefused(answer["text"])
    raise ConfigError([answer["text"]])


def _not_known(why: str, *, perhaps_done: bool) -> StationSilent:
    if not perhaps_done:
        return StationSilent(f"the station does not answer, nothing was changed: {why}")
    return StationSilent(f"it is not known whether that was done ({why}): `list` shows how it is")
