// The entries of the session, newest first: what was corrected stays to be seen.

import { button, element, Keyed, setData, setHidden, setText } from "./dom.js";
import { ask } from "./dialog.js";
import { VOIDABLE, scroller, whenOf } from "./chair_words.js";

/** What a correction can change of each kind of entry, beside its time: as the station has it. */
const CORRECTABLE = {
  opened: ["reference", "planned_minutes"],
  step: [],
  check: ["answer"],
  note: ["text"],
  event: ["text"],
  dose: ["text"],
  score: ["value", "text"],
  moved: [],
  closed: [],
};
const REASON = { name: "reason", label: "Reason", required: true, maxlength: 200 };

/** The fields of a correction, filled with what stands. */
function fieldsOf({ kind, content, at }) {
  const types = { text: "textarea", value: "number", planned_minutes: "number" };
  const labels = {
    reference: "Reference",
    planned_minutes: "Planned minutes",
    answer: "Answer",
    text: "Text",
    value: "Value",
  };
  const fields = CORRECTABLE[kind].map((name) => ({
    name,
    label: labels[name],
    type: types[name] ?? "text",
    value: String(content[name] ?? ""),
  }));
  return [...fields, { name: "at", label: "When it happened", type: "datetime-local", step: 1, value: localOf(at) }];
}

/** As a field of date and time takes it, to the second. */
function localOf(at) {
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

/** What of the values is another than stands, as a correction says it. */
function changesOf({ at, content }, { reason, at: when, ...values }) {
  const changed = Object.entries(values).filter(([name, value]) => value !== null && value !== (content[name] ?? null));
  const time = when === null || when === localOf(at) ? {} : { at: new Date(when).toISOString() };
  return { reason, ...Object.fromEntries(changed), ...time };
}

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
    this.#correct = button("touch", "Correct…", () => this.#ask());
    this.#void = button("touch", "Void…", () => this.#makeVoid());
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
    if (late >= 60) notes.push(`entered ${Math.round(late / 60)} min late`);
    if (entry.void) notes.push("void");
    if (corrections.length > 0) notes.push(`see entry ${corrections.join(", ")}`);
    setText(this.#by, `${notes.join(", ")} · ${entry.number}`);
    setData(this.root, "kind", kind);
    setData(this.root, "void", entry.void ? "yes" : "");
    setHidden(this.#correct, !nurse || entry.void || !(kind in CORRECTABLE));
    setHidden(this.#void, !nurse || entry.void || !VOIDABLE.has(kind));
    for (const [it, word] of [[this.#correct, "Correct"], [this.#void, "Make void"]]) {
      it.setAttribute("aria-label", `${word} entry ${entry.number}: ${text}`);
      if (it.disabled !== !live) it.disabled = !live;
    }
  }

  #ask() {
    const entry = this.#entry;
    const body = { verb: "correct", session: this.#session, number: entry.number };
    this.#desk.once(`correct ${entry.number}`, () =>
      ask({
        title: `Correct entry ${entry.number}`,
        text: `${entry.text}. Both stay: what stands from now on, and what was written first.`,
        fields: [...fieldsOf(entry), REASON],
        ok: "Record correction",
        submit: (values) => this.#desk.send({ ...body, ...changesOf(entry, values) }),
      }),
    );
  }

  #makeVoid() {
    const entry = this.#entry;
    const body = { verb: "correct", session: this.#session, number: entry.number, void: true };
    this.#desk.once(`void ${entry.number}`, () =>
      ask({
        title: `Make entry ${entry.number} void`,
        text: `${entry.text}. It stays to be seen, struck through.`,
        fields: [REASON],
        ok: "Make void",
        submit: ({ reason }) => this.#desk.send({ ...body, reason }),
      }),
    );
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
      element("div", "title", element("h3", "", "Entries"), this.#count),
      scroller("Entries", list),
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
