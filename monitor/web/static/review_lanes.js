// Below the drawing, on its axis of time: how long alerts lasted, and what was entered. Each mark says its text when it
// is pointed at or reached by the keyboard, and leads to its line in the lists.

import { MARKS } from "./alerts.js";
import { element, Keyed, setAttribute, setData, setHidden, setText } from "./dom.js";
import { ENTRIES, lengthOf, secondsOf } from "./review_words.js";
import { PRIORITIES } from "./terms.js";
import { timeOf } from "./times.js";
import { t } from "./words.js";

/** CSS pixels that a mark takes at least, and rows that a lane can have. */
const NARROWEST = { alert: 5, entry: 21 };
const ROWS = { alert: 6, entry: 3 };
const LANES = { alert: "alert-lane", entry: "entry-lane" };
/** CSS pixels of an alert in which there is room for the sign that somebody has seen it. */
const SEEN = 30;
/** What is told by the phases already, or is not of the visit. */
const UNMARKED = new Set(["opened", "step", "closed", "signed"]);

/** A stretch of time with what lies on it: a button. */
class Mark {
  #text = element("span", "text");
  #present = element("span", "present");
  #seen = element("span", "seen", "✓");
  #item = null;

  constructor(pick) {
    this.root = element("button", "mark", this.#present, this.#text, this.#seen);
    this.root.type = "button";
    this.root.tabIndex = -1;
    this.root.addEventListener("click", () => pick(this.#item));
  }

  update(item) {
    this.#item = item;
    const { left, width, row, present = null, seen = null, words, title, data } = item;
    const style = this.root.style;
    style.setProperty("left", `${left}px`);
    style.setProperty("width", `${width}px`);
    style.setProperty("--row", String(row));
    setHidden(this.#present, present === null);
    if (present !== null) this.#present.style.setProperty("width", `${present}px`);
    setHidden(this.#seen, seen === null);
    if (seen !== null) this.#seen.style.setProperty("left", `${seen}px`);
    setText(this.#text, words);
    setAttribute(this.root, "aria-label", title);
    for (const [name, value] of Object.entries(data)) setData(this.root, name, value);
  }
}

/** One lane: its marks in rows, so that none covers another; the arrow keys lead from one to the next. */
class Lane {
  #track = element("div", "track");
  #marks;
  #told;
  #kind;

  constructor(kind, name, pick, told) {
    this.#kind = kind;
    this.#told = told;
    this.#marks = new Keyed(this.#track, () => new Mark(pick));
    this.root = element("div", `review-lane ${LANES[kind]}`, element("span", "name", name), this.#track);
    setAttribute(this.#track, "role", "group");
    setAttribute(this.#track, "aria-label", name);
    this.#track.addEventListener("keydown", (press) => this.#step(press));
    for (const event of ["focusin", "pointerover"]) {
      this.#track.addEventListener(event, ({ target }) => this.#say(target.closest(".mark")));
    }
    for (const event of ["focusout", "pointerleave"]) this.#track.addEventListener(event, () => this.#say(null));
  }

  /** `items` have `from` and `to`, UTC seconds, in order of `from`. */
  update(items, place, width) {
    const ends = [];
    const shown = [];
    for (const item of items) {
      const [left, right] = [place(item.from), place(item.to)];
      if (right < 0 || left > width) continue;
      const begin = Math.max(0, left);
      const long = Math.max(NARROWEST[this.#kind], Math.min(width, right) - begin);
      let row = ends.findIndex((end) => end <= begin);
      if (row < 0) row = Math.min(ends.length, ROWS[this.#kind] - 1);
      ends[row] = begin + long + 1;
      const inside = (at) => Math.min(long, Math.max(0, place(at) - begin));
      shown.push({
        ...item,
        left: begin,
        width: long,
        row,
        present: item.present === undefined ? null : Math.max(NARROWEST[this.#kind], inside(item.present)),
        seen: item.seen === undefined || long < SEEN ? null : inside(item.seen),
      });
    }
    this.#track.style.setProperty("--rows", String(Math.max(1, ends.length)));
    this.#marks.update(shown, (it) => it.key);
    const marks = [...this.#track.children];
    if (!marks.some((it) => it.tabIndex === 0) && marks.length > 0) marks[0].tabIndex = 0;
  }

  #step(press) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[press.key];
    const marks = [...this.#track.children];
    const next = by === undefined ? undefined : marks[marks.indexOf(document.activeElement) + by];
    if (next === undefined) return;
    press.preventDefault();
    document.activeElement.tabIndex = -1;
    next.tabIndex = 0;
    next.focus({ preventScroll: true });
  }

  #say(mark) {
    this.#told(mark?.getAttribute("aria-label") ?? "");
  }
}

/** Alerts as marks of a lane. */
function marksOfAlerts(alerts, end) {
  return alerts.map((alert) => {
    const { began, present_until: gone, ended, acknowledged: seen, kind, priority, text } = alert;
    const sign = MARKS[kind]?.[priority] ?? "";
    const until = ended === null ? t("to the end") : timeOf(ended);
    const what = `${timeOf(began)} - ${until}: ${sign} ${text}, ${PRIORITIES[priority] ?? priority}`;
    const by = seen === null ? t("not acknowledged") : t("seen by {name}", { name: seen.by || t("somebody") });
    return {
      key: alert.id,
      from: secondsOf(began),
      to: ended === null ? end : secondsOf(ended),
      present: gone === null ? end : secondsOf(gone),
      seen: seen === null ? undefined : secondsOf(seen.at),
      words: `${sign} ${text}`,
      title: `${what}, ${lengthOf(alert.seconds)}, ${by}`,
      data: { kind, priority, rule: alert.rule },
      item: alert,
    };
  });
}

function titleOf({ at, kind, text, void: gone }) {
  const told = `${timeOf(at)} ${ENTRIES[kind] ?? kind}: ${text}`;
  return gone ? `${told}, ${t("void")}` : told;
}

/** Entries as marks of a lane: with their numbers, as the events of an anaesthesia record have. */
function marksOfEntries(entries) {
  return entries
    .filter((entry) => !UNMARKED.has(entry.kind))
    .map((entry) => ({
      key: entry.number,
      from: secondsOf(entry.at),
      to: secondsOf(entry.at),
      words: String(entry.number),
      title: titleOf(entry),
      data: { kind: entry.kind, void: entry.void ? "yes" : "", late: entry.late_s > 0 ? "yes" : "" },
      item: entry,
    }))
    .sort((a, b) => a.from - b.from);
}

export class Lanes {
  #alerts;
  #entries;

  /** `alert(alert)` and `entry(entry)` are called for what was picked, `told(text)` with what is pointed at. */
  constructor({ alert, entry, told }) {
    this.#alerts = new Lane("alert", t("Alerts"), ({ item }) => alert(item), told);
    this.#entries = new Lane("entry", t("Entries"), ({ item }) => entry(item), told);
    this.root = element("div", "review-lanes", this.#alerts.root, this.#entries.root);
  }

  /** `width` is that of the lanes' track in pixels, `margins` what is beside it. */
  update({ alerts, entries, since, until, end, width, margins }) {
    this.root.style.setProperty("--left", `${margins.left}px`);
    this.root.style.setProperty("--right", `${margins.right}px`);
    const place = (at) => Math.round(((at - since) / (until - since)) * width * 10) / 10;
    this.#alerts.update(marksOfAlerts(alerts, end), place, width);
    this.#entries.update(marksOfEntries(entries), place, width);
  }
}
