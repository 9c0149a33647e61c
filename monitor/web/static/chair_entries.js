// The entries of the session, newest first: what was corrected stays to be seen.

import { button, element, Keyed, setAttribute, setData, setHidden, setText } from "./dom.js";
import { correct, CORRECTABLE, makeVoid } from "./corrections.js";
import { VOIDABLE, scroller, whenOf } from "./chair_words.js";
import { t } from "./words.js";

class EntryRow {
  #desk;
  #entry = null;
  #session = null;
  #at = element("span", "at");
  #text = element("span", "text");
  #was = element("s", "was");
  #by = element("span", "by");
  #correct;
  #void;

  constructor(desk) {
    this.#desk = desk;
    this.#correct = button("touch", t("Correct…"), () => this.#ask());
    this.#void = button("touch", t("Void…"), () => this.#makeVoid());
    const tools = element("span", "choices", this.#correct, this.#void);
    const words = element("span", "words", this.#text, " ", this.#was, " ", this.#by);
    this.root = element("li", "entry", this.#at, words, tools);
  }

  update({ entry, session, now, live, nurse }) {
    this.#entry = entry;
    this.#session = session;
    const { at, by, text, kind, late_s: late, was, corrected_by: corrections } = entry;
    setText(this.#at, whenOf(at, now));
    // What is void is struck through as a whole; of what was corrected it is what stood before.
    setText(this.#text, entry.void ? "" : text);
    const before = was && (was.text !== text || was.at !== at) ? `${was.text}, ${whenOf(was.at, now)}` : "";
    setText(this.#was, entry.void ? text : before);
    setHidden(this.#was, this.#was.textContent === "");
    const notes = [by];
    if (late >= 60) notes.push(t("entered {minutes} min late", { minutes: Math.round(late / 60) }));
    if (entry.void) notes.push(t("void"));
    if (corrections.length > 0) notes.push(t("see entry {numbers}", { numbers: corrections.join(", ") }));
    setText(this.#by, `${notes.join(", ")} · ${entry.number}`);
    setData(this.root, "kind", kind);
    setData(this.root, "void", entry.void ? "yes" : "");
    setHidden(this.#correct, !nurse || entry.void || !(kind in CORRECTABLE));
    setHidden(this.#void, !nurse || entry.void || !VOIDABLE.has(kind));
    const named = { number: entry.number, text };
    setAttribute(this.#correct, "aria-label", t("Correct entry {number}: {text}", named));
    setAttribute(this.#void, "aria-label", t("Make void entry {number}: {text}", named));
    for (const it of [this.#correct, this.#void]) if (it.disabled !== !live) it.disabled = !live;
  }

  #ask() {
    const [session, entry] = [this.#session, this.#entry];
    this.#desk.once(`correct ${entry.number}`, () => correct(session, entry, (body) => this.#desk.send(body)));
  }

  #makeVoid() {
    const [session, entry] = [this.#session, this.#entry];
    this.#desk.once(`void ${entry.number}`, () => makeVoid(session, entry, (body) => this.#desk.send(body)));
  }
}

export class Entries {
  #rows;
  #count = element("span", "count");

  constructor(desk) {
    const list = element("ol", "entries");
    this.#rows = new Keyed(list, () => new EntryRow(desk));
    this.root = element(
      "section",
      "panel entry-list",
      element("div", "title", element("h3", "", t("Entries")), this.#count),
      scroller(t("Entries"), list),
    );
  }

  update({ details, now, live, nurse }) {
    setHidden(this.root, !details?.session);
    if (!details?.session) return;
    const { session, entries } = details.session;
    setText(this.#count, String(entries.length));
    const newest = [...entries].sort((a, b) => Date.parse(b.at) - Date.parse(a.at) || b.number - a.number);
    this.#rows.update(
      newest.map((entry) => ({ entry, session, now, live, nurse })),
      (it) => `${it.session} ${it.entry.number}`,
    );
  }
}
