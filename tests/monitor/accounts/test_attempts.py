import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.clock import ManualClock
from drivers.errors import TooManyAttempts
from monitor.accounts.attempts import Attempts
from tests.monitor.accounts.helpers import HERE

HOUR = 3600.0


class Hand:
    """Tries, on a clock that the test moves."""

    def __init__(self, most=10_000):
        self.clock = ManualClock()
        self.attempts = Attempts(self.clock, most=most)

    def wait(self, login="anna", address=HERE):
        """How long one has to wait; 0 where the try is counted."""
        try:
            self.attempts.begin(login, address)
        except TooManyAttempts as error:
            return error.seconds
        return 0.0

    def right(self, login="anna", address=HERE):
        assert self.wait(login, address) == 0.0
        self.attempts.succeeded(login, address)

    def pass_(self, seconds):
        self.clock._elapsed += seconds


@pytest.fixture
def hand():
    return Hand()


def test_waits_grow_after_five_wrong_tries_to_five_minutes(hand):
    assert [hand.wait() for _ in range(5)] == [0.0] * 5
    waits = []
    for _ in range(9):
        waits.append(round(hand.wait(), 3))
        hand.pass_(waits[-1])
        assert hand.wait() == 0.0
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_try_that_has_to_wait_does_not_make_the_wait_longer(hand):
    for _ in range(5):
        hand.wait()
    hand.pass_(3)
    assert [hand.wait() for _ in range(100)] == [2.0] * 100
    hand.pass_(2)
    assert hand.wait() == 0.0


def test_right_one_forgets_the_wrong_ones(hand):
    for _ in range(4):
        hand.wait()
    hand.right()
    assert [hand.wait() for _ in range(6)] == [0.0] * 5 + [5.0]


def test_hour_without_a_try_forgets_them(hand):
    for _ in range(8):
        hand.wait()
        hand.pass_(60)
    hand.pass_(HOUR)
    assert [hand.wait() for _ in range(6)] == [0.0] * 5 + [5.0]


def test_first_of_a_wait_is_told_once(hand):
    told = []
    for _ in range(12):
        try:
            hand.attempts.begin("anna", HERE)
        except TooManyAttempts as error:
            told.append(error.first)
            if len(told) == 3:
                hand.pass_(error.seconds)
    assert told == [True, False, False, True, False, False]


def test_other_logins_and_other_addresses_are_not_concerned(hand):
    for _ in range(7):
        hand.wait()
    assert hand.wait("ben") == 0.0
    assert hand.wait("anna", "10.0.0.8") == 0.0
    assert hand.wait() > 0


def test_address_that_tries_many_logins_waits_with_all_of_them(hand):
    assert [hand.wait(f"user{number}") for number in range(31)] == [0.0] * 30 + [5.0]
    hand.pass_(5)
    assert hand.wait("another") == 0.0
    assert hand.wait("another one") == 10.0
    for _ in range(10):
        hand.pass_(60)
        assert hand.wait("anna") == 0.0
        hand.attempts.succeeded("anna", HERE)
    assert hand.wait("ben") == 0.0, "colleagues at the same address wait for nobody's sake after a right one"
    assert 0 < hand.wait("cleo") <= 60


def test_login_under_attack_gives_each_address_one_try_and_keeps_nobody_out(hand):
    for number in range(50):
        assert hand.wait("anna", f"10.1.0.{number}") == 0.0
    assert [hand.wait("anna", "10.2.0.1") for _ in range(2)] == [0.0, 5.0]
    hand.right("anna", "10.2.0.2")
    assert hand.wait("ben", "10.2.0.1") == 0.0


def test_a_thousand_at_once_are_no_way_around_it(hand):
    admitted = sum(hand.wait() == 0.0 for _ in range(1000))
    assert admitted == 5


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("::ffff:10.0.0.7", "10.0.0.7", True),
        ("10.0.0.7", "10.0.0.8", False),
        ("testclient", "testclient", True),
        ("testclient", "", False),
    ],
)
def test_addresses_that_one_guesser_has_are_one(hand, one, other, same):
    for _ in range(5):
        hand.wait(address=one)
    assert (hand.wait(address=other) > 0) is same


LOGINS = st.sampled_from(["anna", "ben", "cleo", ""])
ADDRESSES = st.sampled_from([f"10.0.0.{number}" for number in range(4)])
STEPS = st.lists(st.tuples(LOGINS, ADDRESSES, st.booleans(), st.floats(0, 400)), min_size=1, max_size=120)


@given(STEPS)
def test_who_waits_as_long_as_told_may_try(steps):
    hand = Hand()
    for login, address, right, seconds in steps:
        if wait := hand.wait(login, address):
            assert wait <= 300.0
            hand.pass_(wait + 1e-6)
            assert hand.wait(login, address) == 0.0
        if right:
            hand.attempts.succeeded(login, address)
        hand.pass_(seconds)


@given(STEPS)
def test_nobody_is_kept_out_by_what_others_do_elsewhere(steps):
    hand = Hand()
    for login, address, right, seconds in steps:
        hand.pass_(seconds)
        if hand.wait(login, address) == 0.0 and right:
            hand.attempts.succeeded(login, address)
        # Whoever knows the password, and comes from where nobody guesses.
        hand.right("anna", "192.168.1.1")


@given(st.lists(st.floats(0, 30), max_size=400))
def test_guesses_at_one_login_from_one_address_are_few(pauses):
    hand = Hand()
    admitted = []
    for seconds in pauses:
        hand.pass_(seconds)
        if hand.wait() == 0.0:
            admitted.append(hand.clock.monotonic())
    # Five, then 5, 10 ... 160 s apart (315 s for six of them), then one in 300 s.
    for count in range(12, len(admitted) + 1):
        assert admitted[count - 1] - admitted[0] >= 315 + 300 * (count - 12)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.booleans()), max_size=300), st.integers(1, 20))
def test_memory_is_bounded(tries, most):
    hand = Hand(most)
    for login, place, right in tries:
        if hand.wait(f"user{login}", f"10.0.0.{place}") == 0.0 and right:
            hand.attempts.succeeded(f"user{login}", f"10.0.0.{place}")
        assert hand.attempts.held <= 3 * most


def test_what_is_forgotten_takes_no_memory(hand):
    for number in range(500):
        hand.wait(f"user{number}", f"10.0.{number % 200}.1")
    hand.pass_(HOUR)
    hand.wait("anna", HERE)
    assert hand.attempts.held == 3


async def test_clock_of_the_wall_does_not_matter(hand):
    for _ in range(5):
        hand.wait()
    hand.clock.jump(-86_400)
    assert hand.wait() == 5.0
    await hand.clock.advance(5)
    await asyncio.sleep(0)
    assert hand.wait() == 0.0
