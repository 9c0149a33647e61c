"""Has typst make a PDF: a program of its own, which `pdf` starts for each report.

typst keeps what it made, up to a gigabyte for a report of hundreds of pages, and gives none of it back: in a station it
would lie there until the next start. As a program of its own it also lets go before the station where memory or the
processor run short.

Its standard input is JSON: `template`, the path of the template, and `tries`, each the arguments of `typst.compile`.
The first one that can be made is the standard output.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

_NICE = 10
_FIRST_TO_GO = "1000"


def _made(template: bytes, tries: list[dict[str, Any]]) -> bytes:
    import typst  # noqa: PLC0415 - of an extra: this module is imported without it, too

    for options in tries[:-1]:
        with contextlib.suppress(typst.TypstError):
            return bytes(typst.compile(template, format="pdf", **options))
    return bytes(typst.compile(template, format="pdf", **tries[-1]))


def main() -> None:
    """Read, make and write."""
    with contextlib.suppress(OSError):
        os.nice(_NICE)
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO, encoding="ascii")
    asked = json.load(sys.stdin.buffer)
    sys.stdout.buffer.write(_made(Path(asked["template"]).read_bytes(), asked["tries"]))


if __name__ == "__main__":
    main()
