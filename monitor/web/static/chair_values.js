// The values of the trends as text: at the cursor, and as a table of the last ones and the extremes.

import { element, Keyed, setText } from "./dom.js";
import { timeOf } from "./times.js";
import { t, tn } from "./words.js";

/** Seconds before the cursor in which a cuff pressure still says something. */
const CUFF = 900;
const NEAR = 5;

const SYS = /^(nibp|abp)_sys$/;

/** A step's values: one number, or from the lowest to the highest. */
function valueAt(column, index) {
  const { decimals } = column.about;
  const [low, high] = [column.low[index], column.high[index]];
  if (low === null) return "--";
  const doubt = column.questionable[index] > 0 ? "?" : "";
  if (low === high) return `${doubt}${low.toFixed(decimals)}`;
  return `${doubt}${low.toFixed(decimals)}-${high.toFixed(decimals)}`;
}

/** What was measured at a time, UTC seconds, as one line. */
export function readAt(columns, at) {
  const words = [timeOf(at * 1000)];
  for (const [vital, column] of columns.vitals) {
    if (/_(dia|mean)$/.test(vital)) continue;
    const index = column.episodic ? lastBefore(column, at) : column.nearest(at, Math.max(NEAR, columns.step));
    if (index < 0) continue;
    const label = column.about.label.replace(/ sys$/, "");
    let value = valueAt(column, index);
    if (SYS.test(vital)) value = pressureAt(columns, vital, column.t[index], value);
    words.push(`${label} ${value}${column.episodic ? ` (${timeOf(column.t[index] * 1000)})` : ""}`);
  }
  return words.join("   ");
}

function pressureAt(columns, vital, at, sys) {
  const [dia, mean] = ["dia", "mean"].map((part) => {
    const column = columns.vitals.get(vital.replace("sys", part));
    const index = column?.nearest(at, 1) ?? -1;
    return index < 0 ? null : valueAt(column, index);
  });
  return `${sys}/${dia ?? "--"}${mean === null ? "" : ` ${t("mean {value}", { value: mean })}`}`;
}

/** The last measurement until then; -1 where that is too long ago. */
function lastBefore(column, at) {
  const [first, last] = column.between(at - CUFF, at + 1);
  return last > first ? last - 1 : -1;
}

class Row {
  #cells = Array.from({ length: 4 }, () => element("td"));
  #name = element("th");

  constructor() {
    this.#name.scope = "row";
    this.root = element("tr", "", this.#name, ...this.#cells);
  }

  update({ name, cells }) {
    setText(this.#name, name);
    cells.forEach((text, index) => setText(this.#cells[index], text));
  }
}

/** The table; it is worked out while it is open. */
export class Values {
  #rows;
  #shown = null;

  constructor() {
    const body = element("tbody");
    this.#rows = new Keyed(body, () => new Row());
    const names = [t("Vital"), t("Last"), t("Lowest"), t("Highest"), t("Not valid")].map((name) => {
      const made = element("th", "", name);
      made.scope = "col";
      return made;
    });
    const table = element("table", "", element("thead", "", element("tr", "", ...names)), body);
    this.root = element("details", "values", element("summary", "", t("Values of this span as a table")), table);
    this.root.addEventListener("toggle", () => this.#show());
  }

  /** `since` and `until` are UTC seconds. */
  update(columns, since, until) {
    this.#shown = { columns, since, until };
    this.#show();
  }

  #show() {
    if (!this.root.open || this.#shown === null) return;
    const { columns, since, until } = this.#shown;
    const rows = [...columns.vitals].map(([vital, column]) => ({ vital, ...summary(column, since, until) }));
    this.#rows.update(rows, (it) => it.vital);
  }
}

function summary(column, since, until) {
  const { label, unit, decimals } = column.about;
  const [first, last] = column.between(since, until);
  const told = (value, index) =>
    t("{value} at {time}", { value: value.toFixed(decimals), time: timeOf(column.t[index] * 1000) });
  let [lowest, highest, newest, doubtful] = [-1, -1, -1, 0];
  for (let index = first; index < last; index += 1) {
    if (column.questionable[index] + column.invalid[index] > 0) doubtful += 1;
    if (column.low[index] === null) continue;
    newest = index;
    if (lowest < 0 || column.low[index] < column.low[lowest]) lowest = index;
    if (highest < 0 || column.high[index] > column.high[highest]) highest = index;
  }
  const name = `${label} ${unit}`;
  const doubts = doubtful > 0 ? tn("{n} step", "{n} steps", doubtful) : "";
  if (newest < 0) return { name, cells: [t("none"), "", "", doubts] };
  const values = [column.high[newest], column.low[lowest], column.high[highest]];
  const cells = [newest, lowest, highest].map((index, which) => told(values[which], index));
  return { name, cells: [...cells, doubts] };
}
