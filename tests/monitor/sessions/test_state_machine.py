"""Sessions under everything at once: two people, wrong requests, repeats, restarts, power cuts and a clock that is set.

The model beside the desk knows the table of steps and which bed is whose, and nothing else; what it says has to become
of a request becomes of it. Each answered request stays as one entry, in the order of the answers.
"""

from __future__ import annotations

import asyncio
import copy
import itertools
import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from drivers.errors import StepRefused
from monitor.sessions.entries import Kind
from monitor.sessions.session import Session
from monitor.storage.session_entries import SessionEntries
from tests.monitor.sessions.helpers import Station, moment, settable
from tests.monitor.storage.helpers import assert_whole, until

TABLE = {
    "baseline": ({"check_in"}, "baseline"),
    "start": ({"check_in", "baseline"}, "running"),
    "pause": ({"running"}, "paused"),
    "resume": ({"paused", "stopped", "recovery"}, "running"),
    "stop": ({"running", "paused"}, "stopped"),
    "recovery": ({"stopped"}, "recovery"),
    "close": ({"check_in", "baseline", "stopped", "recovery"}, "closed"),
}
"""Written down once more, so that a slip in the program's own table shows."""
BEDS = ("chair-1", "chair-2")
VOIDABLE = ("step", "closed", "check", "note", "event", "dose", "score", "assigned", "limit")
CORRECTED = {"note": "text", "event": "text", "dose": "text", "score": "value"}
NEVER = 10**9
SITES = "adult_infusion"
RULE, LOW, HIGH = settable()


@dataclass
class Visit:
    """What the model knows of a session."""

    name: str
    bed: str
    stays: list[list]
    """Bed, since and until, in requests; recordings that were assigned have numbers from before the first one."""
    kinds: list[str] = field(default_factory=lambda: ["opened"])
    steps: list[tuple[int, str]] = field(default_factory=lambda: [(1, "check_in")])
    """Number of the entry and the state after it."""
    void: set[int] = field(default_factory=set)
    assigned: dict[int, list] = field(default_factory=dict)
    limits: list[tuple[int, float | None]] = field(default_factory=list)
    """Of RULE: number of the entry, and the limit."""

    @property
    def limit(self):
        return next((limit for number, limit in reversed(self.limits) if number not in self.void), None)

    @property
    def state(self):
        return self.steps[-1][1]


class Model:
    """All visits, and what a request would do to them."""

    def __init__(self):
        self.visits: dict[str, Visit] = {}
        """By the request that opened them."""
        self.count = 0

    def on_bed(self, bed):
        return next((it for it in self.visits.values() if it.bed == bed and it.state != "closed"), None)

    def find(self, name):
        """The visit of that name, or on that bed."""
        return self.on_bed(name) or next((it for it in self.visits.values() if it.name == name), None)

    def overlaps(self, visit, stays):
        return any(
            bed == its_bed and since < its_until and its_since < until
            for other in self.visits.values()
            if other is not visit
            for its_bed, its_since, its_until in other.stays
            for bed, since, until in stays
        )

    def apply(self, fields):
        """Do what is asked, or give False where it has to be refused."""
        self.count += 1
        if fields["verb"] == "open":
            return self._open(fields)
        visit = self.find(fields["session"])
        return visit is not None and getattr(self, f"_{fields['verb']}")(visit, fields)

    def _open(self, fields):
        bed = fields["bed"]
        if bed not in BEDS or self.on_bed(bed) or fields.get("profile", SITES) != SITES:
            return False
        self.visits[fields["request"]] = Visit("", bed, [[bed, self.count, NEVER]])
        return True

    def _phase(self, visit, fields):
        after, to = TABLE[fields["step"]]
        # Something is always open before the infusion here: nobody measures anything.
        if visit.state not in after or (fields["step"] == "start" and not fields.get("confirm")):
            return False
        visit.kinds.append("step")
        visit.steps.append((len(visit.kinds), to))
        return True

    def _close(self, visit, fields):
        if visit.state not in TABLE["close"][0] or "reason" not in fields:
            return False
        visit.kinds.append("closed")
        visit.steps.append((len(visit.kinds), "closed"))
        visit.stays[-1][2] = self.count
        return True

    def _check(self, visit, fields):
        if fields["item"] != "consent":
            return False
        visit.kinds.append("check")
        return True

    def _note(self, visit, fields):
        if fields.get("event", "nausea") != "nausea" or not ("text" in fields or "event" in fields):
            return False
        visit.kinds.append("event" if "event" in fields else "dose" if fields.get("dose") else "note")
        return True

    def _score(self, visit, fields):
        if fields["value"] > 5:
            return False
        visit.kinds.append("score")
        return True

    def _move(self, visit, fields):
        bed = fields["bed"]
        if bed not in BEDS or visit.state == "closed" or visit.bed == bed or self.on_bed(bed):
            return False
        visit.kinds.append("moved")
        visit.stays[-1][2] = self.count
        visit.stays.append([bed, self.count, NEVER])
        visit.bed = bed
        return True

    def _assign(self, visit, fields):
        slot = fields["slot"]
        stay = [fields["bed"], slot, slot + 1]
        if self.overlaps(visit, [stay]):
            return False
        visit.kinds.append("assigned")
        visit.assigned[len(visit.kinds)] = stay
        visit.stays.insert(0, stay)
        return True

    def _limit(self, visit, fields):
        limit = fields["limit"]
        if visit.state == "closed" or not (limit is None or LOW <= limit <= HIGH):
            return False
        visit.kinds.append("limit")
        visit.limits.append((len(visit.kinds), limit))
        return True

    def _correct(self, visit, fields):
        number = fields["number"]
        if number > len(visit.kinds) or number in visit.void:
            return False
        kind = visit.kinds[number - 1]
        if not fields["void"]:
            if kind not in CORRECTED:
                return False
        elif kind not in VOIDABLE or (kind in {"step", "closed"} and number != visit.steps[-1][0]):
            return False
        elif kind == "closed":
            bed, since, _ = visit.stays[-1]
            if self.overlaps(visit, [[bed, since, NEVER]]):
                return False
            visit.stays[-1][2] = NEVER
        if fields["void"]:
            visit.void.add(number)
            if kind in {"step", "closed"}:
                visit.steps.pop()
            if kind == "assigned":
                visit.stays.remove(visit.assigned.pop(number))
        visit.kinds.append("correction")
        return True


SEEDS = st.integers(0, 2**32)
"""Of a request that is mostly a sensible one: where the sessions stand then is not known when it is drawn."""
VERBS = {
    "open": 3,
    "phase": 8,
    "close": 2,
    "check": 1,
    "note": 2,
    "score": 1,
    "move": 2,
    "assign": 2,
    "limit": 2,
    "correct": 4,
}
"""How often each is asked."""


class Asked:
    """Makes requests out of a seed."""

    def __init__(self, model, seed):
        self.model = model
        self.random = random.Random(seed)
        self.wrong = self.random.random() < 0.15

    def fields(self):
        visits = list(self.model.visits.values())
        verb = self.random.choices(list(VERBS), list(VERBS.values()))[0]
        if not any(visit.state != "closed" for visit in visits) and not self.wrong:
            verb = "open"
        if verb == "open":
            free = [bed for bed in BEDS if not self.model.on_bed(bed)]
            bed = self.random.choice(("chair-9", *BEDS) if self.wrong or not free else free)
            return {
                "verb": "open",
                "bed": bed,
                "reference": "P-1",
                "profile": "loud" if self.chance(0.05) else SITES,
            }
        here = [visit for visit in visits if visit.state != "closed"]
        visit = self.random.choice(visits if self.chance(0.3) or not here else here) if visits else None
        name = visit.name if visit and (visit.state == "closed" or self.chance(0.5)) else visit and visit.bed
        more = getattr(self, f"_{verb}")(visit)
        return {"verb": verb, "session": name or self.random.choice((*BEDS, "nobody")), **more}

    def chance(self, of):
        return self.random.random() < of

    def _phase(self, visit):
        steps = sorted(TABLE.keys() - {"close"})
        right = [step for step in steps if visit and visit.state in TABLE[step][0]]
        step = self.random.choice(steps if self.wrong or self.chance(0.3) or not right else right)
        return {"step": step, "confirm": not self.wrong or self.chance(0.5)}

    def _close(self, _):
        return {} if self.wrong else {"reason": "a test"}

    def _check(self, _):
        return {"item": "mood" if self.wrong else "consent"}

    def _note(self, _):
        wrong = {"event": "sleep"} if self.chance(0.5) else {}
        right = self.random.choice([{"text": "cold"}, {"event": "nausea"}, {"text": "20 ml/h", "dose": True}])
        return wrong if self.wrong else right

    def _score(self, _):
        return {"scale": "moaas", "value": self.random.randint(6, 9) if self.wrong else self.random.randint(0, 5)}

    def _move(self, visit):
        right = [bed for bed in BEDS if visit and bed != visit.bed]
        return {"bed": self.random.choice(("chair-9", *BEDS) if self.wrong or not right else right)}

    def _assign(self, _):
        return {"bed": self.random.choice(BEDS), "slot": self.random.randint(-6, -1)}

    def _limit(self, _):
        limit = HIGH + 1 if self.wrong else self.random.choice((LOW, HIGH, None))
        return {"rule": RULE, "limit": limit, "reason": "her usual"}

    def _correct(self, visit):
        kinds = visit.kinds if visit else ["opened"]
        right = [number for number, kind in enumerate(kinds, 1) if kind in CORRECTED or kind in {"assigned", "limit"}]
        right += [visit.steps[-1][0]] * 2 if visit else []
        number = self.random.choice(list(range(1, len(kinds) + 1)) if self.wrong or not right else right)
        kind = kinds[number - 1]
        void = kind not in CORRECTED or self.chance(0.5)
        more = {} if void else {CORRECTED[kind]: 3 if kind == "score" else "warm"}
        return {"number": number + 50 * self.chance(0.05), "reason": "a slip", "void": void, **more}


class Sessions(RuleBasedStateMachine):
    """One station and two people."""

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.directory = tempfile.TemporaryDirectory()
        self.lives = itertools.count()
        self.numbers = itertools.count(1)
        self.model = Model()
        self.sent = []
        """Every request in full, so that it can be sent again."""
        self.answered = {}
        """By request, the entry that its answer had."""
        self.in_order = []
        """The same requests: those that were under way together in one set."""
        self.refused = set()

    @initialize()
    def begin(self):
        self.station = Station(Path(self.directory.name) / "data")
        self.station.folder.mkdir()
        self.runner.run(self.station.start())

    # What people do.

    def request(self, seed, by):
        return self.again(Asked(self.model, seed).fields(), by)

    def again(self, fields, by):
        """The same by somebody else."""
        fields = {**fields, "by": by, "request": f"{next(self.numbers):032x}"}
        if "slot" in fields:
            slot = fields["slot"]
            fields |= {"since": moment(slot * 10), "until": moment(slot * 10 + 10)}
        return fields

    def send(self, fields):
        return self.station.do(**{key: value for key, value in fields.items() if key != "slot"})

    async def all_of(self, requests):
        await self.station.clock.advance(1)
        return await asyncio.gather(*(self.send(fields) for fields in requests), return_exceptions=True)

    def take(self, requests, answers):
        """Hold the answers against the model, whichever request came first."""
        outcomes = []
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, StepRefused):
                raise answer
            outcomes.append(not isinstance(answer, StepRefused))
        for order in itertools.permutations(range(len(requests))):
            model = copy.deepcopy(self.model)
            expected = {index: model.apply(requests[index]) for index in order}
            if [expected[index] for index in range(len(requests))] == outcomes:
                break
        else:
            raise AssertionError(f"{requests} became {answers} in {self.model.visits}")
        self.model = model
        for fields, answer in zip(requests, answers, strict=True):
            if isinstance(answer, StepRefused):
                self.refused.add(fields["request"])
                continue
            assert answer.recorded
            [entry] = answer.entries
            assert (entry.request, entry.author) == (fields["request"], fields["by"])
            self.remember(fields, entry)
        made = {fields["request"] for fields in requests} & self.answered.keys()
        if made:
            self.in_order.append(made)

    def remember(self, fields, entry):
        self.answered[fields["request"]] = entry
        self.refused.discard(fields["request"])
        if fields["verb"] == "open":
            self.model.visits[fields["request"]].name = entry.session

    @rule(seeds=st.lists(SEEDS, min_size=1, max_size=6), by=st.sampled_from(("anna", "bea")))
    def one_person(self, seeds, by):
        for seed in seeds:
            self.ask([self.request(seed, by)])

    @rule(seed=SEEDS, other=st.none() | SEEDS)
    def two_people_at_once(self, seed, other):
        """The same step, or two different ones."""
        first = self.request(seed, "anna")
        self.ask([first, self.again(first, "bea") if other is None else self.request(other, "bea")])

    def ask(self, requests):
        if not self.twice_the_same(requests):
            self.sent += requests
            self.take(requests, self.runner.run(self.all_of(requests)))

    def twice_the_same(self, requests):
        """Whether a recording would be assigned to a session that has it: the model does not say what is right."""
        stays = []
        for fields in requests:
            if fields["verb"] == "assign":
                visit = self.model.find(fields["session"])
                stays += [stay[:2] for stay in visit.stays] if visit else []
                if [fields["bed"], fields["slot"]] in stays:
                    return True
                stays.append([fields["bed"], fields["slot"]])
        return False

    @rule(which=st.integers(0, 1000))
    def an_old_request_again(self, which):
        if not self.sent:
            return
        fields = self.sent[which % len(self.sent)]
        if fields["request"] not in self.answered:
            self.ask([fields])
            return
        before = len(self.station.made)
        [answer] = self.runner.run(self.all_of([fields]))
        assert answer.entries == (self.answered[fields["request"]],)
        assert answer.recorded
        assert len(self.station.made) == before

    # What befalls the station.

    @rule()
    def restart(self):
        self.runner.run(self.station.restart())
        self.check_journal()

    @rule(seeds=st.lists(SEEDS, min_size=1, max_size=2), turns=st.integers(0, 40))
    def power_cut(self, seeds, turns):
        requests = [self.request(seed, by) for seed, by in zip(seeds, ("anna", "bea"), strict=False)]
        if self.twice_the_same(requests):
            return
        self.sent += requests
        cut, answered = self.runner.run(self.cut_off(requests, turns))
        self.station = cut
        # What was answered is there. What was not may be there, as a whole, or it was never done.
        there = [entry for entry in self.station.stored() if entry.request not in self.answered]
        found = {entry.request: entry for entry in there}
        for fields, answer in zip(requests, answered, strict=True):
            if isinstance(answer, StepRefused):
                assert fields["request"] not in found
                self.refused.add(fields["request"])
            elif answer is not None:
                assert found[fields["request"]] == answer.entries[0]
        by_request = {fields["request"]: fields for fields in requests}
        people = [entry for entry in self.rows() if entry.request in found and entry.author != "station"]
        for entry in people:
            assert self.model.apply(by_request[entry.request])
            self.remember(by_request[entry.request], entry)
        if people:
            self.in_order.append({entry.request for entry in people})
        self.check_journal()

    async def cut_off(self, requests, turns):
        """Cut the power while these are under way, and go on with the disk as it was at that moment."""
        station = self.station
        await station.clock.advance(1)
        tasks = [asyncio.create_task(self.send(fields)) for fields in requests]
        for _ in range(turns):
            # Turns of the loop, between which the threads of the journal work.
            await asyncio.sleep(0.0001)
        answered = [(task.exception() or task.result()) if task.done() else None for task in tasks]
        cut = station.cut_off(Path(self.directory.name) / f"life-{next(self.lives)}")
        await asyncio.gather(*tasks, return_exceptions=True)
        await station.stop()
        for answer in answered:
            if isinstance(answer, BaseException) and not isinstance(answer, StepRefused):
                raise answer
        return await cut.start(), answered

    @rule(minutes=st.integers(1, 200))
    def time_passes(self, minutes):
        self.runner.run(self.station.clock.advance(minutes * 60))
        self.runner.run(self.tick())

    @rule(seconds=st.integers(-3600, 3600))
    def the_clock_is_set(self, seconds):
        self.runner.run(self.tick())
        # As much as it is set back has passed before, so that no two moments have one time.
        self.runner.run(self.station.clock.advance(3700))
        self.runner.run(self.tick())
        self.station.clock.jump(seconds)
        self.runner.run(self.tick())
        if abs(seconds) >= 2:
            for visit in self.model.visits.values():
                if visit.state != "closed":
                    visit.kinds.append("clock_set")

    async def tick(self):
        self.station.desk.tick()
        # What the station itself enters is answered to nobody: it is on disk before the power can be cut.
        await until(lambda: not self.station.desk._commits)

    # What holds at every moment.

    @invariant()
    def each_session_is_where_the_table_leads(self):
        if not hasattr(self, "station"):
            return
        for bed in BEDS:
            visit, session = self.model.on_bed(bed), self.station.desk.on_bed(bed)
            assert (visit is None) == (session is None)
            if session is not None:
                assert (session.id, session.state) == (visit.name, visit.state)
                assert [entry.kind for entry in session.entries] == visit.kinds
                assert session.limits.get(RULE) == visit.limit

    def rows(self):
        """Every entry, in the order in which the journal has them."""
        with SessionEntries(self.station.folder)._opened() as connection:
            order = [request for (request,) in connection.execute("SELECT request FROM session_entries ORDER BY id")]
        entries = {entry.request: entry for entry in self.station.stored()}
        assert len(entries) == len(order)
        return [entries[request] for request in order]

    def check_journal(self):
        rows = self.rows()
        by_request = {entry.request: entry for entry in rows}
        for request, entry in self.answered.items():
            assert by_request[request] == entry
        assert not by_request.keys() & self.refused
        # Nothing but what was asked for, and what the station itself enters.
        assert {it.request for it in rows if it.kind is not Kind.CLOCK_SET} == self.answered.keys()
        place = {request: index for index, together in enumerate(self.in_order) for request in together}
        places = [place[entry.request] for entry in rows if entry.request in place]
        assert places == sorted(places)

        made = list(SessionEntries(self.station.folder).all())
        visits = {visit.name: visit for visit in self.model.visits.values()}
        assert visits.keys() == {entries[0].session for entries in made}
        sessions = [Session(entries) for entries in made]
        for session in sessions:
            visit = visits[session.id]
            assert [entry.number for entry in session.entries] == list(range(1, len(visit.kinds) + 1))
            assert [entry.kind for entry in session.entries] == visit.kinds
            assert session.state == visit.state
            assert session.last_bed == visit.bed
            assert session.limits.get(RULE) == visit.limit
            assert {shown.entry.number for shown in session.shown if shown.void} == visit.void
            assert sorted(stay.bed for stay in session.stays) == sorted(stay[0] for stay in visit.stays)
        open_beds = [session.bed for session in sessions if session.bed]
        assert len(open_beds) == len(set(open_beds))
        for one, other in itertools.combinations(sessions, 2):
            for mine, theirs in itertools.product(one.stays, other.stays):
                if mine.bed == theirs.bed:
                    ends = [stay.until or 2**63 for stay in (mine, theirs)]
                    assert mine.since >= ends[1] or theirs.since >= ends[0]

    def teardown(self):
        try:
            if hasattr(self, "station"):
                self.runner.run(self.station.stop())
                self.check_journal()
                assert_whole(self.station.folder)
        finally:
            self.runner.close()
            self.directory.cleanup()


Sessions.TestCase.settings = settings(max_examples=40, stateful_step_count=40, suppress_health_check=list(HealthCheck))
TestSessions = Sessions.TestCase
