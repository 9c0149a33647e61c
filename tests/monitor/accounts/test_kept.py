"""What is in force while the disk refuses, hangs, or is about to be written."""

import asyncio
import errno
import logging
import threading

import pytest

from drivers.errors import AccountRefused, LoginRefused
from monitor.accounts import kept
from monitor.accounts.people import Role
from monitor.accounts.store import AccountStore
from tests.monitor.accounts.helpers import HERE, PASSWORD, Audit, content, loaded, with_users

BY = {"by": "anna", "origin": HERE}


class Disk:
    """Takes what is written, or is full, or lets it wait."""

    def __init__(self, monkeypatch):
        self.full = False
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.asked = threading.Event()
        write = AccountStore.write

        def written(store, state):
            self.asked.set()
            assert self.goes_on.wait(30)
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            write(store, state)

        monkeypatch.setattr(AccountStore, "write", written)

    async def hangs(self, work):
        """`work` is being written, and goes on with `goes_on`."""
        self.asked.clear()
        self.goes_on.clear()
        task = asyncio.create_task(work)
        await asyncio.to_thread(self.asked.wait, 30)
        return task


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


async def test_full_disk_refuses_what_gives_something_and_changes_nothing(tmp_path, clock, disk):
    audit = Audit()
    accounts = await with_users(tmp_path, clock, audit)
    before, told = content(tmp_path), list(audit.rows)
    login = await accounts.log_in("ben", PASSWORD, HERE)
    disk.full = True
    for change in (
        accounts.add_user("cleo", "Cleo", Role.NURSE, PASSWORD, **BY),
        accounts.set_role("ben", Role.ADMIN, **BY),
        accounts.set_name("ben", "Benjamin", **BY),
        accounts.set_password("ben", "another long password", **BY),
        accounts.add_token("Grafana", Role.VIEWER, **BY),
    ):
        with pytest.raises(AccountRefused, match=r"nothing was changed: .*No space left"):
            await change
    assert accounts.person_of_cookie(login.secret) == login
    assert [user.login for user in accounts.users()] == ["anna", "ben"]
    assert accounts.tokens() == []
    assert audit.rows[:-1] == told
    assert audit.actions[-1] == "logged in"
    assert content(tmp_path)["users"] == before["users"]
    disk.full = False
    assert await accounts.close()


async def test_full_disk_keeps_nobody_from_logging_in_and_out(tmp_path, clock, disk):
    accounts = await with_users(tmp_path, clock)
    disk.full = True
    login = await accounts.log_in("ben", PASSWORD, HERE)
    assert accounts.person_of_cookie(login.secret) == login
    await accounts.log_out(login.secret)
    assert accounts.person_of_cookie(login.secret) is None
    assert not await accounts.close()


async def test_what_is_taken_is_taken_though_the_disk_is_full_and_is_written_when_it_can_be(
    tmp_path, clock, disk, caplog
):
    accounts = await with_users(tmp_path, clock)
    await accounts.add_user("cleo", "Cleo", Role.REVIEWER, PASSWORD, **BY)
    token = await accounts.add_token("Grafana", Role.VIEWER, **BY)
    login = await accounts.log_in("ben", PASSWORD, HERE)
    disk.full = True
    with caplog.at_level(logging.WARNING):
        assert await accounts.disable("ben", **BY) is False
        assert await accounts.set_role("cleo", Role.VIEWER, **BY) is False
        assert await accounts.revoke_token("Grafana", **BY) is False
        assert await accounts.revoke_token("Grafana", **BY) is False, "and so it stays"
        assert accounts.person_of_cookie(login.secret) is None
        assert accounts.person_of_token(token) is None
        assert accounts.user("cleo").role is Role.VIEWER
        with pytest.raises(LoginRefused):
            await accounts.log_in("ben", PASSWORD, HERE)
        assert content(tmp_path)["users"][1]["disabled"] is False
        for _ in range(5):
            await clock.advance(5)
        disk.full = False
        while not content(tmp_path)["users"][1]["disabled"]:
            await clock.advance(5)
            await asyncio.sleep(0.005)
    again = await loaded(tmp_path, clock)
    assert again.person_of_cookie(login.secret) is None
    assert again.person_of_token(token) is None
    assert again.user("cleo").role is Role.VIEWER
    assert await accounts.close()
    [full, back] = [record.getMessage().partition("accounts.json ")[2] for record in caplog.records]
    assert full.startswith("cannot be written: [Errno 28]")
    assert back == "is written again"


async def test_file_that_has_what_was_refused_is_put_right(tmp_path, clock, monkeypatch):
    accounts = await with_users(tmp_path, clock)
    write = AccountStore.write

    def too_late(store, state):
        write(store, state)
        raise OSError(errno.EIO, "the folder cannot be synced")

    with monkeypatch.context() as patched:
        patched.setattr(AccountStore, "write", too_late)
        with pytest.raises(AccountRefused, match="nothing was changed"):
            await accounts.set_role("ben", Role.ADMIN, **BY)
    assert content(tmp_path)["users"][1]["role"] == "admin"
    assert await accounts.close()
    assert content(tmp_path)["users"][1]["role"] == "nurse"


async def test_close_writes_what_the_disk_refused(tmp_path, clock, disk):
    accounts = await with_users(tmp_path, clock)
    disk.full = True
    await accounts.disable("ben", **BY)
    disk.full = False
    assert await accounts.close()
    assert (await loaded(tmp_path, clock)).user("ben").disabled


async def test_what_is_taken_while_something_is_given_stays_taken(tmp_path, clock, disk):
    accounts = await with_users(tmp_path, clock)
    login = await accounts.log_in("ben", PASSWORD, HERE)
    giving = await disk.hangs(accounts.add_user("cleo", "Cleo", Role.NURSE, None, **BY))
    taking = asyncio.create_task(accounts.disable("ben", **BY))
    await asyncio.sleep(0)
    assert accounts.person_of_cookie(login.secret) is None, "at once, whatever the disk does"
    assert accounts.user("cleo") is None, "not before it is on disk"
    disk.goes_on.set()
    assert await asyncio.gather(giving, taking) == [True, True]
    for now in (accounts, await loaded(tmp_path, clock)):
        assert now.user("cleo") is not None
        assert now.user("ben").disabled
        assert now.person_of_cookie(login.secret) is None


@pytest.mark.parametrize("takes", ["disable", "demote"])
async def test_what_was_decided_last_counts(tmp_path, clock, disk, takes):
    accounts = await with_users(tmp_path, clock)
    await accounts.disable("ben", **BY)
    if takes == "disable":
        giving = await disk.hangs(accounts.enable("ben", **BY))
        taking = asyncio.create_task(accounts.disable("ben", **BY))
    else:
        giving = await disk.hangs(accounts.set_role("ben", Role.ADMIN, **BY))
        taking = asyncio.create_task(accounts.set_role("ben", Role.VIEWER, **BY))
    await asyncio.sleep(0)
    disk.goes_on.set()
    with pytest.raises(AccountRefused, match="ben was changed by somebody else meanwhile"):
        await giving
    assert await taking
    for now in (accounts, await loaded(tmp_path, clock)):
        assert now.user("ben").disabled
        assert now.user("ben").role is (Role.NURSE if takes == "disable" else Role.VIEWER)


async def test_login_that_began_before_the_password_was_changed_is_none(tmp_path, clock, disk):
    accounts = await with_users(tmp_path, clock)
    changing = await disk.hangs(accounts.set_password("ben", "another long password", **BY))
    login = asyncio.create_task(accounts.log_in("ben", PASSWORD, HERE))
    while not accounts._kept.held.logins:
        await asyncio.sleep(0.005)
    disk.goes_on.set()
    await changing
    assert accounts.person_of_cookie((await login).secret) is None
    assert (await loaded(tmp_path, clock))._kept.held.logins == {}


async def test_who_goes_away_leaves_no_half_change(tmp_path, clock, disk):
    audit = Audit()
    accounts = await with_users(tmp_path, clock, audit)
    giving = await disk.hangs(accounts.add_user("cleo", "Cleo", Role.NURSE, None, **BY))
    giving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await giving
    disk.goes_on.set()
    await accounts.set_name("ben", "Benjamin", **BY)
    assert [user["login"] for user in content(tmp_path)["users"]] == ["anna", "ben", "cleo"]
    assert audit.actions[-2:] == ["user added", "name changed"]


async def test_disk_that_hangs_holds_up_no_login_for_ever(tmp_path, clock, disk, monkeypatch):
    accounts = await with_users(tmp_path, clock)
    monkeypatch.setattr(kept, "_WRITTEN_WITHIN", 0.05)
    giving = await disk.hangs(accounts.add_user("cleo", "Cleo", Role.NURSE, None, **BY))
    login = await accounts.log_in("ben", PASSWORD, HERE)
    assert accounts.person_of_cookie(login.secret) == login
    assert not await accounts.close()
    disk.goes_on.set()
    await giving
