import asyncio
import json
import threading

import pytest
from argon2 import PasswordHasher

from drivers.clock import NS
from drivers.errors import AccountRefused, AccountsUnusable, LoginRefused, TooManyAttempts
from monitor.accounts.accounts import Accounts
from monitor.accounts.passwords import Passwords
from monitor.accounts.people import Person, Role, Via
from tests.monitor.accounts.helpers import HERE, PASSWORD, Audit, Row, content, loaded, mode, with_users

OTHER = "another long password"
BY = {"by": "anna", "origin": HERE}


@pytest.fixture
def audit():
    return Audit()


async def test_without_a_file_there_are_no_accounts(tmp_path, clock):
    accounts = await loaded(tmp_path, clock)
    assert (accounts.exist, accounts.users(), accounts.tokens()) == (False, [], [])
    assert await accounts.close()
    assert list(tmp_path.iterdir()) == []


async def test_damaged_file_is_refused(tmp_path, clock):
    (tmp_path / "accounts.json").write_text("{")
    with pytest.raises(AccountsUnusable):
        await loaded(tmp_path, clock)


async def test_who_logs_in_is_known_by_the_cookie_until_the_shift_ends(tmp_path, clock):
    accounts = await with_users(tmp_path, clock, login_hours=8.0)
    login = await accounts.log_in("ben", PASSWORD, HERE)
    assert login.person == Person("ben", "Ben Olsen", Role.NURSE, Via.SESSION)
    assert login.expires_at == clock.now_ns() + 8 * 3600 * NS
    assert accounts.person_of_cookie(login.secret) == login
    for secret in ("", login.secret[:-1], login.csrf, "\ud800"):
        assert accounts.person_of_cookie(secret) is None
    await clock.advance(8 * 3600 - 1)
    assert accounts.person_of_cookie(login.secret) == login
    await clock.advance(1)
    assert accounts.person_of_cookie(login.secret) is None


async def test_each_login_has_secrets_of_its_own_and_shows_none(tmp_path, clock):
    accounts = await with_users(tmp_path, clock)
    one, other = [await accounts.log_in("ben", PASSWORD, HERE) for _ in range(2)]
    assert len({one.secret, one.csrf, other.secret, other.csrf}) == 4
    assert one.secret not in repr(one)
    assert one.csrf not in repr(one)
    await accounts.log_out(one.secret)
    assert accounts.person_of_cookie(one.secret) is None
    assert accounts.person_of_cookie(other.secret) == other
    await accounts.log_out(one.secret)


async def test_restart_logs_nobody_out_and_keeps_everything(tmp_path, clock):
    accounts = await with_users(tmp_path, clock)
    login = await accounts.log_in("ben", PASSWORD, HERE)
    gone = await accounts.log_in("ben", PASSWORD, HERE)
    await accounts.log_out(gone.secret)
    token = await accounts.add_token("Grafana", Role.VIEWER, **BY)

    again = await loaded(tmp_path, clock)
    assert again.person_of_cookie(login.secret) == login
    assert again.person_of_cookie(gone.secret) is None
    assert again.person_of_token(token) == Person("Grafana", "Grafana", Role.VIEWER, Via.TOKEN)
    assert (again.users(), again.tokens()) == (accounts.users(), accounts.tokens())
    assert mode(tmp_path / "accounts.json") == 0o600


async def test_no_secret_is_kept_or_told(tmp_path, clock, audit, caplog):
    accounts = await with_users(tmp_path, clock, audit)
    login = await accounts.log_in("ben", PASSWORD, HERE)
    token = await accounts.add_token("Grafana", Role.VIEWER, **BY)
    await accounts.set_password("anna", OTHER, **BY)
    for known in ("ben", "hunter2hunter2"):
        with pytest.raises(LoginRefused):
            await accounts.log_in(known, "swordfish swordfish", HERE)
    written = (tmp_path / "accounts.json").read_text()
    told = repr(audit.rows) + repr(accounts.users()) + repr(accounts.tokens()) + caplog.text
    for secret in (PASSWORD, OTHER, login.secret, login.csrf, token, "swordfish", "hunter2"):
        assert secret not in written
        assert secret not in told
    assert "argon2" not in told


async def test_login_is_found_as_people_type_it(tmp_path, clock):
    accounts = await with_users(tmp_path, clock)
    assert (await accounts.log_in(" Ben ", PASSWORD, HERE)).person.login == "ben"


@pytest.mark.parametrize("login", ["nobody", "", "\ud800", "x" * 70_000, "ben", "off", "oidc"])
async def test_what_is_wrong_is_not_said(tmp_path, clock, login):
    accounts = await with_users(tmp_path, clock)
    await accounts.add_user("off", "Off", Role.NURSE, PASSWORD, **BY)
    await accounts.disable("off", **BY)
    await accounts.add_user("oidc", "Oidc", Role.NURSE, None, **BY)
    with pytest.raises(LoginRefused) as error:
        await accounts.log_in(login, "wrong" if login == "ben" else PASSWORD, HERE)
    assert str(error.value) == "the login or the password is wrong"


@pytest.mark.parametrize("login", ["ben", "nobody"])
async def test_guessing_gets_slow_whether_there_is_such_a_login_or_not(tmp_path, clock, audit, login):
    accounts = await with_users(tmp_path, clock, audit)
    for _ in range(5):
        with pytest.raises(LoginRefused):
            await accounts.log_in(login, "wrong", HERE)
    for _ in range(3):
        with pytest.raises(TooManyAttempts) as error:
            await accounts.log_in(login, PASSWORD, HERE)
        assert error.value.seconds == 5.0
    assert (await accounts.log_in("ben", PASSWORD, "10.0.0.8")).person.login == "ben"
    known = "ben (Ben Olsen)" if login == "ben" else "an unknown login"
    told = [row for row in audit.rows if row.actor == "station"]
    assert told == [
        *[Row("station", "login refused", known, HERE, "", "")] * 5,
        Row("station", "logins blocked", f"{known}, for 5 s", HERE, "", ""),
    ]
    await clock.advance(5)
    assert (await accounts.log_in("ben", PASSWORD, HERE)).person.login == "ben"


async def test_waits_do_not_tell_which_logins_there_are(tmp_path, clock):
    accounts = await with_users(tmp_path, clock)
    for _ in range(5):
        with pytest.raises(LoginRefused):
            await accounts.log_in("nobody", "wrong", HERE)
    for login in ("ben", "somebody"):
        with pytest.raises(LoginRefused):
            await accounts.log_in(login, "wrong", HERE)


@pytest.mark.parametrize("change", ["disable", "set_password"])
async def test_who_is_changed_while_the_password_is_looked_at_is_not_let_in(tmp_path, clock, change):
    await with_users(tmp_path, clock)
    asked, goes_on = threading.Event(), threading.Event()

    class Slow(PasswordHasher):
        def verify(self, kept, given):
            asked.set()
            assert goes_on.wait(30)
            return super().verify(kept, given)

    accounts = Accounts(tmp_path, clock, Audit(), passwords=Passwords(Slow(1, 8, 1)))
    await accounts.load()
    login = asyncio.create_task(accounts.log_in("ben", PASSWORD, HERE))
    await asyncio.to_thread(asked.wait, 30)
    await (accounts.disable("ben", **BY) if change == "disable" else accounts.set_password("ben", OTHER, **BY))
    goes_on.set()
    with pytest.raises(LoginRefused):
        await login
    assert content(tmp_path)["logins"] == []


async def test_login_that_has_to_wait_costs_no_hashing(tmp_path, clock):
    asked = []

    class Asked(PasswordHasher):
        def verify(self, kept, given):
            asked.append(kept)
            return super().verify(kept, given)

    accounts = Accounts(tmp_path, clock, Audit(), passwords=Passwords(Asked(1, 8, 1)))
    outcomes = await asyncio.gather(
        *(accounts.log_in("anna", "wrong", HERE) for _ in range(100)), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [LoginRefused] * 5 + [TooManyAttempts] * 95
    assert len(asked) == 5


async def test_colleagues_log_in_at_the_same_time(tmp_path, clock):
    accounts = await with_users(tmp_path, clock)
    logins = await asyncio.gather(
        *(accounts.log_in(login, PASSWORD, f"10.0.0.{number}") for number in range(8) for login in ("anna", "ben"))
    )
    assert [login.person.login for login in logins] == ["anna", "ben"] * 8
    again = await loaded(tmp_path, clock)
    assert [again.person_of_cookie(login.secret) for login in logins] == logins


async def test_logins_of_one_person_are_bounded_and_what_has_expired_is_dropped(tmp_path, clock):
    accounts = await with_users(tmp_path, clock)
    first, *others = [await accounts.log_in_known("ben", HERE) for _ in range(51)]
    assert accounts.person_of_cookie(first.secret) is None
    assert all(accounts.person_of_cookie(login.secret) for login in others)
    await clock.advance(12 * 3600)
    await accounts.log_in("anna", PASSWORD, HERE)
    assert [login["login"] for login in content(tmp_path)["logins"]] == ["anna"]


async def test_hash_of_old_parameters_is_renewed_by_a_login(tmp_path, clock):
    await with_users(tmp_path, clock)
    accounts = Accounts(tmp_path, clock, Audit(), passwords=Passwords(PasswordHasher(2, 16, 1)))
    await accounts.load()
    login = await accounts.log_in("ben", PASSWORD, HERE)
    assert accounts.person_of_cookie(login.secret) == login
    kept = {user["login"]: user["password"].split("$")[3] for user in content(tmp_path)["users"]}
    assert kept == {"anna": "m=8,t=1,p=1", "ben": "m=16,t=2,p=1"}
    assert await accounts.log_in("ben", PASSWORD, HERE)


async def test_openid_connect_lets_in_who_has_an_account(tmp_path, clock, audit):
    accounts = await with_users(tmp_path, clock, audit)
    await accounts.add_user("cleo", "Cleo", Role.REVIEWER, None, **BY)
    login = await accounts.log_in_known("cleo", HERE)
    assert accounts.person_of_cookie(login.secret) == login
    assert audit.rows[-1] == Row("cleo", "logged in", "cleo (Cleo), OpenID Connect", HERE, "", "")
    await accounts.disable("cleo", **BY)
    for unknown in ("cleo", "dora"):
        with pytest.raises(LoginRefused, match="no account here, or it is disabled"):
            await accounts.log_in_known(unknown, HERE)
    assert audit.actions[-2:] == ["login refused"] * 2


async def test_role_is_changed_under_who_is_logged_in(tmp_path, clock):
    accounts = await with_users(tmp_path, clock)
    login = await accounts.log_in("ben", PASSWORD, HERE)
    for role in (Role.ADMIN, Role.VIEWER):
        assert await accounts.set_role("ben", role, **BY)
        assert accounts.person_of_cookie(login.secret).person.role is role
    await accounts.set_name("ben", "Benjamin Olsen", **BY)
    assert accounts.person_of_cookie(login.secret).person.name == "Benjamin Olsen"


async def test_another_password_ends_the_logins_of_that_person_alone(tmp_path, clock):
    accounts = await with_users(tmp_path, clock)
    his, hers = [await accounts.log_in(login, PASSWORD, HERE) for login in ("ben", "anna")]
    await accounts.set_password("ben", OTHER, **BY)
    assert accounts.person_of_cookie(his.secret) is None
    assert accounts.person_of_cookie(hers.secret) == hers
    with pytest.raises(LoginRefused):
        await accounts.log_in("ben", PASSWORD, HERE)
    assert await accounts.log_in("ben", OTHER, HERE)


async def test_disabled_one_is_out_at_once_and_an_old_login_does_not_come_back(tmp_path, clock):
    accounts = await with_users(tmp_path, clock)
    login = await accounts.log_in("ben", PASSWORD, HERE)
    await accounts.disable("ben", **BY)
    assert accounts.person_of_cookie(login.secret) is None
    with pytest.raises(LoginRefused):
        await accounts.log_in("ben", PASSWORD, HERE)
    await accounts.enable("ben", **BY)
    assert accounts.person_of_cookie(login.secret) is None
    assert await accounts.log_in("ben", PASSWORD, HERE)


async def test_login_that_an_edited_file_gives_a_disabled_one_is_none(tmp_path, clock):
    accounts = await with_users(tmp_path, clock)
    login = await accounts.log_in("ben", PASSWORD, HERE)
    edited = content(tmp_path)
    edited["users"][1]["disabled"] = True
    (tmp_path / "accounts.json").write_text(json.dumps(edited))
    assert (await loaded(tmp_path, clock)).person_of_cookie(login.secret) is None


async def test_last_admin_stays(tmp_path, clock, audit):
    accounts = await with_users(tmp_path, clock, audit)
    before = list(audit.rows)
    for change in (accounts.disable("anna", **BY), accounts.set_role("anna", Role.REVIEWER, **BY)):
        with pytest.raises(AccountRefused, match="anna is the last admin"):
            await change
    assert audit.rows == before
    await accounts.set_role("ben", Role.ADMIN, **BY)
    await accounts.disable("anna", **BY)
    with pytest.raises(AccountRefused, match="ben is the last admin"):
        await accounts.disable("ben", **BY)


async def test_two_admins_who_disable_each_other(tmp_path, clock):
    accounts = await with_users(tmp_path, clock)
    await accounts.set_role("ben", Role.ADMIN, **BY)
    outcomes = await asyncio.gather(
        accounts.disable("anna", by="ben"), accounts.disable("ben", by="anna"), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [bool, AccountRefused]


@pytest.mark.parametrize(
    ("login", "name", "why"),
    [
        ("anna", "Another", "there is an account 'anna' already"),
        ("Cleo", "Cleo", "login: a login has 1 to 32 of"),
        ("c" * 33, "Cleo", "login: a login has 1 to 32 of"),
        ("", "Cleo", "login: a login has"),
        ("cleo\n", "Cleo", "login: a login has"),
        ("station", "Cleo", "login: is the name of the station itself"),
        ("cleo", "ANNA BERG", "somebody or a token has the name 'ANNA BERG' already"),
        ("cleo", "grafana", "somebody or a token has the name 'grafana' already"),
        ("cleo", "STATION", "name: is the name of the station itself"),
        ("cleo", "Cleo\nBerg", "name: is more than one line"),
        ("cleo", "  ", "name: is empty"),
        ("cleo", "Cleo\u202e", "name: has a character"),
    ],
)
async def test_account_that_cannot_be(tmp_path, clock, login, name, why):
    accounts = await with_users(tmp_path, clock)
    await accounts.add_token("Grafana", Role.VIEWER, **BY)
    with pytest.raises(AccountRefused, match=why):
        await accounts.add_user(login, name, Role.NURSE, PASSWORD, **BY)
    assert [user.login for user in accounts.users()] == ["anna", "ben"]


async def test_names_that_look_alike_are_one(tmp_path, clock):
    accounts = await with_users(tmp_path, clock)
    await accounts.add_user("cleo", "Cléo", Role.NURSE, None, **BY)
    with pytest.raises(AccountRefused, match="has the name"):
        await accounts.add_user("cleo2", "CLE\N{COMBINING ACUTE ACCENT}O", Role.NURSE, None, **BY)
    with pytest.raises(AccountRefused, match="has the name"):
        await accounts.set_name("ben", "anna berg", **BY)
    assert await accounts.set_name("ben", "BEN OLSEN", **BY), "his own name in other letters is his own"


async def test_weak_password_is_refused_and_nothing_changed(tmp_path, clock, audit):
    accounts = await with_users(tmp_path, clock, audit)
    before = content(tmp_path), list(audit.rows)
    with pytest.raises(AccountRefused, match="at least 12 characters"):
        await accounts.add_user("cleo", "Cleo", Role.NURSE, "short", **BY)
    with pytest.raises(AccountRefused, match="not the login and not the name"):
        await accounts.add_user("cleo", "Cleopatra Olsen", Role.NURSE, "cleopatra olsen", **BY)
    with pytest.raises(AccountRefused, match="at least 12 characters"):
        await accounts.set_password("ben", "short", **BY)
    assert (content(tmp_path), audit.rows) == before


async def test_tokens(tmp_path, clock):
    accounts = await with_users(tmp_path, clock)
    secret = await accounts.add_token("Grafana", Role.VIEWER, **BY)
    assert secret.startswith("imt_")
    assert len(secret) >= 4 + 43
    for taken in ("GRAFANA", "ben olsen"):
        with pytest.raises(AccountRefused, match="already"):
            await accounts.add_token(taken, Role.VIEWER, **BY)
    for wrong in ("", secret + "x", secret[4:]):
        assert accounts.person_of_token(wrong) is None
    assert await accounts.revoke_token("grafana", **BY)
    assert accounts.person_of_token(secret) is None
    assert await accounts.revoke_token("grafana", **BY)
    with pytest.raises(AccountRefused, match="there is no token 'other'"):
        await accounts.revoke_token("other", **BY)
    with pytest.raises(AccountRefused, match="already"):
        await accounts.add_user("g", "Grafana", Role.NURSE, None, **BY)
    renewed = await accounts.add_token("Grafana", Role.NURSE, **BY)
    assert accounts.person_of_token(secret) is None
    assert accounts.person_of_token(renewed).role is Role.NURSE
    assert [(token.name, token.revoked_at) for token in accounts.tokens()] == [("Grafana", None)]


async def test_every_change_is_told_once(tmp_path, clock, audit):
    accounts = await with_users(tmp_path, clock, audit)
    login = await accounts.log_in("ben", PASSWORD, "10.0.0.9")
    await accounts.log_out(login.secret, "10.0.0.9")
    for _ in range(2):  # the second time it is so already
        await accounts.set_role("ben", Role.REVIEWER, **BY)
        await accounts.set_name("ben", "Benjamin", **BY)
        await accounts.disable("ben", **BY)
        await accounts.enable("ben", **BY) if _ else None
    await accounts.set_password("ben", OTHER, **BY)
    await accounts.add_token("Grafana", Role.VIEWER, **BY)
    await accounts.revoke_token("Grafana", **BY)
    assert audit.rows == [
        Row("root", "user added", "anna (Anna Berg)", "command", "", "admin"),
        Row("anna", "user added", "ben (Ben Olsen)", HERE, "", "nurse"),
        Row("ben", "logged in", "ben (Ben Olsen), password", "10.0.0.9", "", ""),
        Row("ben", "logged out", "ben (Ben Olsen)", "10.0.0.9", "", ""),
        Row("anna", "role changed", "ben (Ben Olsen)", HERE, "nurse", "reviewer"),
        Row("anna", "name changed", "ben (Benjamin)", HERE, "Ben Olsen", "Benjamin"),
        Row("anna", "user disabled", "ben (Benjamin)", HERE, "", ""),
        Row("anna", "user enabled", "ben (Benjamin)", HERE, "", ""),
        Row("anna", "password changed", "ben (Benjamin)", HERE, "", ""),
        Row("anna", "token added", "Grafana", HERE, "", "viewer"),
        Row("anna", "token revoked", "Grafana", HERE, "viewer", ""),
    ]
