// Everything that was entered, in order of time. What was corrected stays to be read as it was written first.

import { button, element, setText } from "./dom.js";
import { section, timeButton } from "./review_table.js";
import { dayOf, ENTRIES, lengthOf, secondsOf } from "./review_words.js";
import { timeOf } from "./times.js";
import { t } from "./words.js";

/** Seconds around an entry that are shown with it. */
const AROUND = 150;

function notesOf(entry) {
  const notes = [entry.by];
  if (entry.late_s > 0) notes.push(t("entered {time} late", { time: lengthOf(entry.late_s) }));
  if (entry.void) notes.push(t("void"));
  if (entry.corrected_by.length > 0) notes.push(t("see entry {numbers}", { numbers: entry.corrected_by.join(", ") }));
  return notes.filter(Boolean).join(", ");
}

function rowOf(entry, { day, zoom, can, acts, session }) {
  const { number, at, text, kind, was } = entry;
  const when = (moment) => `${dayOf(moment) === day ? "" : `${dayOf(moment)} `}${timeOf(moment)}`;
  const around = () => zoom(secondsOf(at) - AROUND, secondsOf(at) + AROUND);
  const words = element("span", "words", element("span", "kind", ENTRIES[kind] ?? kind), " ");
  words.append(entry.void ? element("s", "text", text) : element("span", "text", text));
  if (was && !entry.void && (was.text !== text || was.at !== at)) {
    words.append(" ", element("s", "was", was.at === at ? was.text : `${was.text}, ${when(was.at)}`));
  }
  words.append(" ", element("span", "by", notesOf(entry)));
  const tools = element("span", "choices");
  const tool = (name, label, act) => {
    const made = button("touch", name, act);
    made.setAttribute("aria-label", label);
    tools.append(made);
  };
  const names = { number, text };
  if (can.correct) tool(t("Correct…"), t("Correct entry {number}: {text}", names), () => acts.correct(session, entry));
  if (can.void) tool(t("Void…"), t("Make void entry {number}: {text}", names), () => acts.makeVoid(session, entry));
  const count = element("span", "number", String(number));
  const row = element("li", "entry", count, timeButton(when(at), around), words, tools);
  row.dataset.kind = kind;
  row.dataset.number = number;
  if (entry.void) row.dataset.void = "yes";
  if (entry.late_s > 0) row.dataset.late = "yes";
  row.addEventListener("click", (click) => click.target.closest("button") ?? around());
  return row;
}

export class EntryList {
  #acts;
  #zoom;
  #list = element("ol", "entries");
  #section = section("review-entries", t("Entries"), this.#list);

  constructor({ acts, zoom }) {
    this.#acts = acts;
    this.#zoom = zoom;
    this.root = this.#section.root;
  }

  /** Show the entries of a chart; `may` says whether whoever looks may correct them as they are shown. */
  update(chart, may) {
    const { session, entries, opened_at: opened } = chart.session;
    const shown = [...entries].sort((a, b) => Date.parse(a.at) - Date.parse(b.at) || a.number - b.number);
    const with_ = { day: dayOf(opened), zoom: this.#zoom, acts: this.#acts, session };
    const none = { correct: false, void: false };
    const rows = shown.map((entry) => rowOf(entry, { ...with_, can: may ? this.#acts.can(entry) : none }));
    this.#list.replaceChildren(...rows);
    setText(this.#section.beside, String(entries.length));
  }

  /** Show the line of an entry. */
  reveal(number) {
    const row = [...this.#list.children].find((it) => it.dataset.number === String(number));
    row?.scrollIntoView({ block: "center" });
    row?.querySelector("button.time").focus({ preventScroll: true });
  }
}
