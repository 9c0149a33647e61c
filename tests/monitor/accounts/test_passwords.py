import asyncio
import threading
import time

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.profiles import RFC_9106_LOW_MEMORY

from drivers.errors import AccountRefused
from monitor.accounts.passwords import LONGEST, Passwords
from tests.monitor.accounts.helpers import PASSWORD, QUICK


@pytest.fixture
def passwords():
    return Passwords(QUICK)


async def test_right_and_wrong(passwords):
    kept = await passwords.hash(PASSWORD)
    assert await passwords.verify(kept, PASSWORD)
    assert not await passwords.verify(kept, PASSWORD + "!")
    assert not await passwords.verify(kept, "")
    assert not await passwords.verify(None, PASSWORD)
    assert kept != await passwords.hash(PASSWORD), "each has its own salt"


async def test_parameters_are_those_of_rfc_9106():
    passwords = Passwords()
    assert extract_parameters(await passwords.hash(PASSWORD)) == RFC_9106_LOW_MEMORY
    assert extract_parameters(passwords._nobodys) == RFC_9106_LOW_MEMORY


async def test_same_characters_however_they_are_composed(passwords):
    kept = await passwords.hash("Mädchenpensionat")
    assert await passwords.verify(kept, "Ma\N{COMBINING DIAERESIS}dchenpensionat")


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("elevenchars", "at least 12 characters"),
        ("a\N{COMBINING DIAERESIS}" * 6, "at least 12 characters"),
        ("x" * (LONGEST + 1), "at most 1024 bytes"),
        ("ü" * (LONGEST // 2 + 1), "at most 1024 bytes"),
        ("Anna-Sofie Berg", "not the login and not the name"),
        ("ANNA.SOFIE.BERG", "not the login and not the name"),
        ("half of a pair \ud800", "no text can have"),
    ],
)
async def test_what_a_password_may_not_be(passwords, password, why):
    with pytest.raises(AccountRefused, match=why) as error:
        await passwords.hash(password, "anna.sofie.berg", "Anna-Sofie Berg")
    assert password not in str(error.value)


async def test_longest_password_is_kept_to_its_end(passwords):
    kept = await passwords.hash("x" * LONGEST)
    assert await passwords.verify(kept, "x" * LONGEST)
    assert not await passwords.verify(kept, "x" * (LONGEST - 1))
    assert not await passwords.verify(kept, "x" * (LONGEST + 1))
    assert not await passwords.verify(kept, "x" * 60_000)


@pytest.mark.parametrize("password", ["\ud800" * 12, "\0" * 12, "?" * 12])
async def test_what_is_no_text_is_a_wrong_password(passwords, password):
    assert not await passwords.verify(await passwords.hash(PASSWORD), password)


async def test_nobodys_password_costs_what_a_real_one_does():
    asked = []

    class Asked(PasswordHasher):
        def verify(self, kept, given):
            asked.append(kept)
            return super().verify(kept, given)

    passwords = Passwords(Asked(time_cost=2, memory_cost=64, parallelism=2, hash_len=24, salt_len=24))
    kept = await passwords.hash(PASSWORD)
    await passwords.verify(kept, "wrong")
    await passwords.verify(None, "wrong")
    first, second = map(extract_parameters, asked)
    assert first == second
    assert [len(one) for one in asked] == [len(kept)] * 2


async def test_hash_of_other_parameters_is_renewed(passwords):
    kept = await Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)).hash(PASSWORD)
    renewed = await passwords.renewed(kept, PASSWORD)
    assert extract_parameters(renewed).time_cost == 1
    assert await passwords.verify(renewed, PASSWORD)
    assert await passwords.renewed(renewed, PASSWORD) is None


async def test_two_at_once_and_the_loop_goes_on():
    at_once, most = 0, 0
    lock, goes_on = threading.Lock(), threading.Event()

    class Slow(PasswordHasher):
        def verify(self, kept, given):
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)
            assert goes_on.wait(30)
            with lock:
                at_once -= 1
            return True

    passwords = Passwords(Slow())
    tasks = [asyncio.create_task(passwords.verify("kept", "given")) for _ in range(16)]
    until = time.monotonic() + 30
    while at_once < 2:
        assert time.monotonic() < until
        await asyncio.sleep(0.005)
    assert passwords.busy
    goes_on.set()
    assert all(await asyncio.gather(*tasks))
    assert most == 2
    assert not passwords.busy
