"""The catalogues of the page have all that it says, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.web.routes.pages import STATIC
from monitor.words import LANGUAGES, catalogue
from scripts import words

TRANSLATED = [language for language in LANGUAGES if language != "en"]
PLACEHOLDER = re.compile(r"\{\w+\}")
LOOK_UP = re.compile(r"\btn?\((?!\s*\")")
"""One of something that is not written there."""


def scripts() -> dict[str, str]:
    """Every script but the one that looks the words up."""
    return {path.name: path.read_text(encoding="utf-8") for path in STATIC.glob("*.js") if path.name != "words.js"}


@pytest.mark.parametrize("language", TRANSLATED)
def test_everything_is_translated_and_nothing_is_left_over(language: str) -> None:
    """`python -m scripts.words` adds what is new and drops what is not said any more."""
    said = words.texts()
    assert len(said) > 300
    assert catalogue("page", language).keys() - set(said) == set()
    assert [text for text in said if text not in catalogue("page", language)] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_what_is_filled_in_is_the_same_in_each_language(language: str) -> None:
    for text, translated in catalogue("page", language).items():
        assert sorted(PLACEHOLDER.findall(text)) == sorted(PLACEHOLDER.findall(translated)), text
        assert "<" not in translated, text
        assert translated == translated.strip(), text


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_files_are_as_the_script_writes_them(
    language: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = words.path_of(language).read_text(encoding="utf-8")
    kept = words.kept(language)
    monkeypatch.setattr(words, "kept", lambda _language: kept)
    monkeypatch.setattr(words, "LOCALE", tmp_path)
    words.update(language)
    assert words.path_of(language).read_text(encoding="utf-8") == before


def test_each_text_stands_where_it_is_looked_up() -> None:
    for name, script in scripts().items():
        code = words.COMMENT.sub("", script)
        assert [code[at.start() : at.start() + 60] for at in LOOK_UP.finditer(code)] == [], name


def test_the_page_offers_the_languages_that_there_are() -> None:
    script = (STATIC / "words.js").read_text(encoding="utf-8")
    [offered] = re.findall(r"export const LANGUAGES = \{ (.*) \};", script)
    assert dict(re.findall(r'(\w+): "(\w+)"', offered)) == dict(LANGUAGES)


def test_texts_are_found_in_scripts_and_documents() -> None:
    script = """
      // t("in a comment")
      say(t("one \\"quoted\\" {name}", { name: by || t("inner") }), tn("{n} step", "{n} steps", 2), at("x"));
      t(
        "on its own line",
      );
    """
    found = ['one "quoted" {name}', "inner", "{n} step", "{n} steps", "on its own line"]
    assert words.texts_of_script(script) == found
    document = '<p data-t>Two\n   lines</p><p>not this</p><ul aria-label="Beds" data-t-label></ul>'
    assert words.texts_of_document(document) == ["Two lines", "Beds"]
