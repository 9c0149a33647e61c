import json

import pytest
from pydantic import ValidationError

from drivers.errors import AccountRefused
from monitor.accounts import requests
from monitor.accounts.people import Person, Role, Via
from monitor.accounts.requests import TOKEN_REQUEST, USER_REQUEST
from tests.monitor.accounts.helpers import HERE, PASSWORD, Audit, loaded

COMMAND = Person("", "", Role.ADMIN, Via.COMMAND)
ADMIN = Person("anna", "Anna Berg", Role.ADMIN, Via.SESSION)
MADE = "2026-01-01T00:00:00.000000Z"


@pytest.fixture
def audit():
    return Audit()


@pytest.fixture
async def accounts(tmp_path, clock, audit):
    return await loaded(tmp_path, clock, audit)


async def ask(accounts, person=COMMAND, **fields):
    form = TOKEN_REQUEST if "login" not in fields else USER_REQUEST
    request = form.validate_json(json.dumps({"by": "Kim", **fields}))
    return await requests.do(accounts, request, person, HERE)


async def test_users(accounts, audit):
    ben = {"login": "ben", "name": "Ben", "role": "nurse", "disabled": False, "created_at": MADE, "password": False}
    made = await ask(accounts, verb="add", login="ben", name="Ben", role="nurse", password=None)
    assert made == {"user": ben, "recorded": True}
    for fields, becomes in [
        ({"verb": "role", "role": "reviewer"}, {"role": "reviewer"}),
        ({"verb": "password", "password": PASSWORD}, {"password": True}),
        ({"verb": "name", "name": "Benjamin"}, {"name": "Benjamin"}),
        ({"verb": "disable"}, {"disabled": True}),
        ({"verb": "enable"}, {"disabled": False}),
    ]:
        ben |= becomes
        assert await ask(accounts, login="ben", **fields) == {"user": ben, "recorded": True}
    assert requests.users_told(accounts) == {"users": [ben]}
    assert {(row.actor, row.origin) for row in audit.rows} == {("Kim", HERE)}
    assert await accounts.log_in("ben", PASSWORD, HERE)
    with pytest.raises(AccountRefused, match="there is no account 'cleo'"):
        await ask(accounts, verb="disable", login="cleo")


async def test_tokens(accounts):
    grafana = {"name": "Grafana", "role": "viewer", "created_at": MADE, "revoked_at": None}
    made = await ask(accounts, verb="add", name="Grafana", role="viewer")
    secret = made.pop("token")
    assert made == {**grafana, "recorded": True}
    assert accounts.person_of_token(secret).name == "Grafana"
    assert requests.tokens_told(accounts) == {"tokens": [grafana]}
    revoked = await ask(accounts, verb="revoke", name="Grafana")
    assert revoked == {**grafana, "revoked_at": MADE, "recorded": True}
    assert accounts.person_of_token(secret) is None


async def test_who_is_known_by_name_does_it_whatever_is_said(accounts, audit):
    await ask(accounts, ADMIN, verb="add", login="ben", name="Ben", role="nurse", password=None, by="Somebody Else")
    machine = Person("Directory", "Directory", Role.ADMIN, Via.TOKEN)
    await ask(accounts, machine, verb="disable", login="ben", by="Somebody Else")
    assert [row.actor for row in audit.rows] == ["anna", "Directory"]


@pytest.mark.parametrize(
    "fields",
    [
        {"verb": "add", "login": "ben", "name": "Ben", "role": "nurse"},
        {"verb": "add", "login": "ben", "name": "Ben", "role": "god", "password": None},
        {"verb": "add", "login": "BEN", "name": "Ben", "role": "nurse", "password": None},
        {"verb": "add", "login": "ben", "name": "station", "role": "nurse", "password": None},
        {"verb": "password", "login": "ben"},
        {"verb": "disable", "login": "ben", "by": ""},
        {"verb": "disable", "login": "ben", "all": True},
        {"verb": "delete", "login": "ben"},
    ],
)
def test_what_is_no_request(fields):
    with pytest.raises(ValidationError):
        USER_REQUEST.validate_python({"by": "Kim", **fields})


def test_request_shows_no_password():
    fields = {"verb": "password", "login": "ben", "password": PASSWORD, "by": "Kim"}
    assert PASSWORD not in repr(USER_REQUEST.validate_python(fields))
    assert PASSWORD not in repr(USER_REQUEST.validate_python({**fields, "verb": "add", "name": "Ben", "role": "nurse"}))
