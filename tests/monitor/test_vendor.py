"""The code of others that the page is served with: as it was published, licensed, and loading nothing."""

from __future__ import annotations

import hashlib
import re

from monitor.web.routes.pages import STATIC

VENDOR = STATIC / "vendor"
README = (VENDOR / "README.md").read_text(encoding="utf-8")
HASHES = dict(re.findall(r"^\| `([^`]+)` \|[^|]*\| `([0-9a-f]{64})` \|$", README, re.MULTILINE))
COMMENTS = re.compile(r"/\*.*?\*/|(?<!:)//[^\n]*", re.DOTALL)
LOADS = re.compile(
    r"https?:|\bimport\b|@import|url\(|\bfetch\s*\(|XMLHttpRequest|WebSocket|EventSource|sendBeacon|Worker\s*\(|"
    r"\beval\s*\(|\bFunction\s*\(|innerHTML|outerHTML|document\.write"
)
"""What reaches out, or makes markup or code of text."""


def test_every_file_is_listed_with_the_hash_that_it_has():
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir()}
    del files["README.md"]
    assert files == HASHES


def test_nothing_in_it_reaches_out_or_makes_markup_or_code_of_text():
    for path in VENDOR.iterdir():
        if path.suffix in {".js", ".css"}:
            assert LOADS.findall(COMMENTS.sub("", path.read_text(encoding="utf-8"))) == [], path.name


def test_the_licence_is_beside_it():
    text = (VENDOR / "uPlot.LICENSE").read_text(encoding="utf-8")
    assert text.startswith("The MIT License (MIT)")
    assert "Permission is hereby granted, free of charge" in text
