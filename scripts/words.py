"""The page's words, for who translates them: `python -m scripts.words` brings the catalogues up to date with the page.

What the page says is found in its scripts, `t("...")` and `tn("...", "...", n)`, and in its documents, the text of what
has `data-t` and the `aria-label` of what has `data-t-label`. What is translated stays so, what is new is added without
a translation, what the page no longer says is dropped. The files have neither dates nor places in the scripts, so that
a difference is one of words.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from monitor.web.routes.pages import STATIC
from monitor.words import LANGUAGES, LOCALE

DOMAIN = "page"
_TEXT = r'("(?:[^"\\]|\\.)*")'
_CALL = re.compile(rf"\bt\(\s*{_TEXT}|\btn\(\s*{_TEXT},\s*{_TEXT}")
COMMENT = re.compile(r"^\s*(?://|/?\*).*$", re.MULTILINE)


class _Marked(HTMLParser):
    """Collects what is marked in a document."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._inside: str | None = None
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """As the parser has it."""
        named = dict(attrs)
        if "data-t-label" in named:
            self.found.append(named["aria-label"] or "")
        if "data-t" in named:
            self._inside, self._text = tag, ""

    def handle_data(self, data: str) -> None:
        """As the parser has it."""
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        """As the parser has it."""
        if tag == self._inside:
            self.found.append(" ".join(self._text.split()))
            self._inside = None


def texts_of_document(document: str) -> list[str]:
    """The marked texts of an HTML document, each as the page looks it up."""
    marked = _Marked()
    marked.feed(document)
    return marked.found


def texts_of_script(script: str) -> list[str]:
    """The texts in a script: what is looked up stands there as it is, in double quotes."""
    code = COMMENT.sub("", script)
    return [json.loads(text) for call in _CALL.finditer(code) for text in call.groups() if text is not None]


def texts() -> list[str]:
    """All that the page says and that can be translated, sorted."""
    found: set[str] = set()
    for path in STATIC.glob("*.html"):
        found.update(texts_of_document(path.read_text(encoding="utf-8")))
    for path in STATIC.glob("*.js"):
        found.update(texts_of_script(path.read_text(encoding="utf-8")))
    return sorted(found)


def path_of(language: str) -> Path:
    """Where the page's catalogue in that language is."""
    return LOCALE / language / f"{DOMAIN}.po"


def kept(language: str) -> Mapping[str, str]:
    """What is translated into that language, by the English; also where the page no longer says it."""
    path = path_of(language)
    if not path.exists():
        return {}
    with path.open("rb") as file:
        return {str(it.id): str(it.string) for it in read_po(file, locale=language) if it.id}


def update(language: str) -> int:
    """Bring a catalogue up to date. Returns how many of its texts have no translation."""
    said = texts()
    before = kept(language)
    catalogue = Catalog(locale=language, domain=DOMAIN, header_comment="", fuzzy=False)
    for text in said:
        catalogue.add(text, before.get(text, ""))
    path = path_of(language)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(
            f'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'.encode()
        )
        write_po(file, catalogue, omit_header=True, no_location=True, sort_output=True, width=0)
    return sum(not before.get(text) for text in said)


def main() -> int:
    """Bring all catalogues up to date, and say what is missing."""
    missing = {language: update(language) for language in LANGUAGES if language != "en"}
    for language, count in missing.items():
        print(f"{path_of(language)}: {len(texts())} texts, {count} without a translation")  # noqa: T201 - a command
    return 1 if any(missing.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
