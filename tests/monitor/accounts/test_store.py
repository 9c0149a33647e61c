import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from drivers.errors import AccountsUnusable, ConfigError
from monitor.accounts.people import Role
from monitor.accounts.store import NOBODY, VERSION, AccountStore, State, StoredLogin, Token, User
from tests.monitor.accounts.helpers import QUICK, content, mode
from tests.monitor.program import ROOT

HASH = QUICK.hash("correct horse battery")
ANNA = User(login="anna", name="Anna Berg", role=Role.ADMIN, password=HASH, created_at=1)
BEN = User(login="ben", name="Bén Ølsen", role=Role.NURSE, password=None, disabled=True, created_at=2)
GRAFANA = Token(name="Grafana", role=Role.VIEWER, secret_sha256="0a" * 32, created_at=3, revoked_at=4)
LOGIN = StoredLogin(secret_sha256="0b" * 32, login="anna", created_at=5, expires_at=6)
FULL = State(users=(ANNA, BEN), tokens=(GRAFANA,), logins=(LOGIN,))


@pytest.fixture
def store(tmp_path):
    return AccountStore(tmp_path)


def test_what_is_written_is_read(store):
    store.write(FULL)
    assert store.read() == FULL
    store.write(FULL.model_copy(update={"logins": ()}))
    assert store.read().logins == ()


def test_no_file_is_nobody(store):
    assert store.read() == NOBODY
    assert not store.path.exists()


def test_only_its_user_may_read_it_whatever_lay_there(store):
    umask = os.umask(0)
    try:
        store.path.write_text("{}")
        store.path.with_suffix(".new").write_text("what a power cut left")
        store.write(FULL)
    finally:
        os.umask(umask)
    assert mode(store.path) == 0o600
    assert [path.name for path in store.path.parent.iterdir()] == ["accounts.json"]


def test_no_hash_in_what_is_logged_of_it():
    assert HASH not in repr(FULL)
    assert "0a0a" not in repr(FULL)
    assert "0b0b" not in repr(FULL)


CUT = """
import os, signal, sys
from pathlib import Path
from monitor.accounts.store import AccountStore, NOBODY

def cut(*_args):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(*{"fsync": (os, "fsync"), "rename": (Path, "replace")}[sys.argv[2]], cut)
AccountStore(Path(sys.argv[1])).write(NOBODY)
"""


@pytest.mark.parametrize("where", ["fsync", "rename"])
def test_power_cut_while_it_is_written_leaves_what_was_there(store, where):
    store.write(FULL)
    cut = subprocess.run([sys.executable, "-c", CUT, store.path.parent, where], cwd=ROOT, check=False)
    assert cut.returncode == -signal.SIGKILL
    assert store.path.with_suffix(".new").exists()
    assert store.read() == FULL
    store.write(NOBODY)
    assert store.read() == NOBODY


def test_disk_has_the_new_file_before_its_name_and_then_the_folder(store, monkeypatch):
    done = []
    fsync, rename = os.fsync, type(store.path).replace

    def synced(file):
        done.append(str(Path(f"/proc/self/fd/{file}").readlink()))
        fsync(file)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(type(store.path), "replace", lambda *names: (done.append("rename"), rename(*names)))
    store.write(FULL)
    assert done == [str(store.path.with_suffix(".new")), "rename", str(store.path.parent)]


def _changed(**changes):
    return json.dumps({**FULL.model_dump(mode="json"), **changes})


DAMAGED = {
    "empty": "",
    "cut off": FULL.model_dump_json()[:-40],
    "zeros": "\0" * 400,
    "no object": "[]",
    "nothing in it": "{}",
    "no users": '{"version": 1, "tokens": [], "logins": []}',
    "no version": _changed(version=None),
    "version 0": _changed(version=0),
    "a field more": _changed(extra=1),
    "a role that is none": _changed(users=[{**ANNA.model_dump(mode="json"), "role": "god"}]),
    "a password in clear": _changed(users=[{**ANNA.model_dump(mode="json"), "password": "hunter2hunter2"}]),
    "a login twice": _changed(users=[ANNA.model_dump(mode="json"), {**BEN.model_dump(mode="json"), "login": "anna"}]),
    "a name twice": _changed(tokens=[{**GRAFANA.model_dump(mode="json"), "name": "ANNA berg"}]),
    "a login of nobody": _changed(users=[BEN.model_dump(mode="json")]),
    "the station's name": _changed(users=[{**ANNA.model_dump(mode="json"), "name": "Station"}]),
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_damaged_file_is_never_nobody(store, text):
    store.path.write_text(text)
    with pytest.raises(AccountsUnusable, match=r"accounts\.json is damaged \(") as error:
        store.read()
    assert isinstance(error.value, ConfigError)
    assert "hunter2" not in str(error.value)
    assert error.value.__suppress_context__, "a traceback would show what stands there"
    assert store.path.read_text() == text


def test_file_that_is_no_text_is_damaged(store):
    store.path.write_bytes(b"\xff\xfe{}")
    with pytest.raises(AccountsUnusable, match="damaged"):
        store.read()


def test_file_that_cannot_be_read_is_never_nobody(store):
    store.path.mkdir()
    with pytest.raises(AccountsUnusable, match="Is a directory: who may do what is not known"):
        store.read()


def test_newer_file_is_refused_and_left_alone(store):
    store.path.write_text(json.dumps({"version": VERSION + 1, "people": []}))
    with pytest.raises(AccountsUnusable, match=r"newer program \(version 2, this one knows 1\)"):
        store.read()
    assert content(store.path.parent) == {"version": VERSION + 1, "people": []}
