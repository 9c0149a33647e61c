"""Programs that some tests need beside Python: a browser, a broker."""

import os
import shutil

import pytest


def require(program: str) -> str:
    """The program's path; skips the test where it is missing, or fails it where REQUIRE_SERVICES=1 says so."""
    # Debian puts servers where an ordinary user's PATH does not lead.
    path = shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))
    if path is None:
        reason = f"{program} is not installed"
        if os.environ.get("REQUIRE_SERVICES") == "1":
            pytest.fail(f"{reason}, and REQUIRE_SERVICES=1 asks for it")
        pytest.skip(reason)
    return path
