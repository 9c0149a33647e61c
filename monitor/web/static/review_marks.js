// What stands in a drawing beside the lines: cuff pressures, limits, phases, and what was not valid or is missing.

import { inColour, px, shape } from "./review_svg.js";
import { limitText, secondsOf, valueOf } from "./review_words.js";
import { BRIEF_STATES, reasonOf } from "./terms.js";
import { timeOf } from "./times.js";
import { t } from "./words.js";

/** CSS pixels. */
const MARK = 5.5;
const ROW = 6;
const LETTERS = 11;
const URGENT = ["high", "medium", "low"];
/** Seconds of one invalid reading. */
const READING = 1;

/** A wedge whose point is at (x, y): downwards where `side` is -1, upwards where it is 1. */
function wedge(x, y, side) {
  const far = px(y + side * MARK * 1.5);
  return `M${px(x - MARK)} ${far}L${px(x)} ${px(y)}L${px(x + MARK)} ${far}`;
}

/** What a cuff reading says, as one line. */
export function cuffText(reading) {
  const { sys, dia, mean } = reading;
  const numbers = `${valueOf(sys)}/${valueOf(dia)}${mean === null ? "" : ` (${valueOf(mean)})`} mmHg`;
  return [`NIBP ${numbers}`, ...doubtsOf(reading)].join(", ");
}

/** Why a cuff reading is not to be taken as it is; empty where it is. */
export function doubtsOf(reading) {
  const { provisional, validity, cause } = reading;
  if (provisional) return [t("provisional, still measuring")];
  if (validity === "valid") return [];
  const word = validity === "invalid" ? t("invalid") : t("questionable");
  return [cause ? `${word}: ${reasonOf(reading)}` : word];
}

/** Cuff readings as on an anaesthesia record: v the systolic, ^ the diastolic, a tick the mean. */
export function cuffsOf(readings, colour, on) {
  const { panel, since, until } = on;
  const shown = readings.filter((it) => secondsOf(it.at) >= since && secondsOf(it.at) <= until);
  const marks = shown.map((reading) => {
    const { at, sys, dia, mean, validity, provisional } = reading;
    const x = on.x(secondsOf(at));
    const title = shape("title");
    title.textContent = `${timeOf(at)} ${cuffText(reading)}`;
    const group = shape("g", {
      class: "cuff",
      "data-at": at,
      "data-sys": sys,
      "data-dia": dia,
      "data-mean": mean,
      "data-validity": provisional ? "provisional" : validity,
    });
    group.append(title);
    const ends = `${sys === null ? "" : wedge(x, panel.y(sys), -1)}${dia === null ? "" : wedge(x, panel.y(dia), 1)}`;
    group.append(shape("path", { class: "halo", d: ends }));
    if (sys !== null && dia !== null) {
      group.append(shape("path", { class: "stem", d: `M${px(x)} ${px(panel.y(sys))}V${px(panel.y(dia))}` }));
    }
    if (sys !== null) group.append(shape("path", { class: "sys", d: wedge(x, panel.y(sys), -1) }));
    if (dia !== null) group.append(shape("path", { class: "dia", d: wedge(x, panel.y(dia), 1) }));
    if (mean !== null) group.append(shape("path", { class: "mean", d: `M${px(x - 3.5)} ${px(panel.y(mean))}h7` }));
    if (sys === null && dia === null) {
      const y = panel.top + panel.height;
      group.append(shape("path", { class: "failed", d: `M${px(x - 4)} ${px(y - 9)}l8 8m0 -8l-8 8` }));
    }
    // What can be pointed at is larger than what is drawn.
    group.append(shape("rect", { class: "near", x: px(x - 7), y: panel.top, width: 14, height: panel.height }));
    return group;
  });
  return inColour("nibp_sys", colour, "cuffs", ...marks);
}

/** The limits that were in force, each over its time, with their numbers at `right`; `end` is that of the visit. */
export function limitsOf(limits, columns, on, right, end) {
  const { panel, since, until } = on;
  const written = [];
  const made = [];
  for (const { vital, limit, priority, words, from: begun, to: over } of together(limits, columns, panel)) {
    const [from, to] = [Math.max(since, begun), Math.min(until, over)];
    if (to <= from || limit < panel.low || limit > panel.high) continue;
    const y = panel.y(limit);
    const line = shape("path", { class: `limit ${priority}`, d: `M${px(on.x(from))} ${px(y)}H${px(on.x(to))}` });
    const group = inColour(vital, columns.vitals.get(vital).about.colour, "limits", line);
    group.dataset.limit = words;
    const lasts = to >= Math.min(until, end) - 1;
    if (right !== null && lasts && !written.some((other) => Math.abs(other - y) < LETTERS)) {
      written.push(y);
      const text = shape("text", { x: right + 4, y: px(y + 3.5) });
      text.textContent = words;
      group.append(text);
    }
    const title = shape("title");
    title.textContent = words;
    line.append(title);
    made.push(group);
  }
  return made;
}

/** Limits of several vitals at one number and time are one line; the most urgent come first. */
function together(limits, columns, panel) {
  const lines = new Map();
  const sorted = [...limits].sort((a, b) => URGENT.indexOf(a.priority) - URGENT.indexOf(b.priority));
  for (const { vital, side, limit, priority, since, until } of sorted) {
    const column = columns.vitals.get(vital);
    if (column === undefined || !panel.keys.includes(vital)) continue;
    const key = [side, limit, since, until].join();
    const line = lines.get(key) ?? { vital, limit, priority, from: secondsOf(since), to: secondsOf(until), labels: [] };
    const label = column.about.label.replace("NIBP ", "");
    if (!line.labels.includes(label)) line.labels.push(label);
    lines.set(key, { ...line, words: `${line.labels.join(", ")} ${side === "low" ? "<" : ">"} ${limitText(limit)}` });
  }
  return [...lines.values()];
}

/** The phases of the visit: shades of the ground, a line where each begins, and their names above. */
export function phasesOf(phases, on, bottom) {
  const made = [];
  for (const { state, since: begun, until: over } of phases) {
    const [from, to] = [Math.max(on.since, secondsOf(begun)), Math.min(on.until, secondsOf(over))];
    if (to <= from) continue;
    const [left, right] = [on.x(from), on.x(to)];
    const group = shape("g", { class: `phase ${state}`, "data-phase": state });
    group.append(
      shape("rect", { class: "shade", x: px(left), y: 0, width: px(right - left), height: bottom }),
      shape("rect", { class: "name", x: px(left), y: 0, width: px(right - left), height: 17 }),
    );
    if (secondsOf(begun) >= on.since) group.append(shape("path", { class: "begin", d: `M${px(left)} 0V${bottom}` }));
    if (right - left > BRIEF_STATES[state].length * 7 + 8) {
      const text = shape("text", { x: px(left + 5), y: 12.5 });
      text.textContent = BRIEF_STATES[state];
      group.append(text);
    }
    made.push(group);
  }
  return made;
}

/** A thin row for each vital: where it has no value, and where its readings were invalid. */
export function qualityOf(columns, gaps, on, top) {
  const made = [];
  let y = top;
  for (const [vital, column] of columns.vitals) {
    const missing = gaps.get(vital) ?? [];
    const invalid = column.invalid.some((count) => count > 0);
    if (column.episodic || (missing.length === 0 && !invalid)) continue;
    const group = inColour(vital, column.about.colour, "quality");
    for (const { since: begun, until: over } of missing) {
      const [from, to] = [Math.max(on.since, secondsOf(begun)), Math.min(on.until, secondsOf(over))];
      if (to <= from) continue;
      const title = shape("title");
      title.textContent = `${column.about.label}: ${t("no value")}, ${timeOf(begun)} - ${timeOf(over)}`;
      const width = px(Math.max(1, on.x(to) - on.x(from)));
      group.append(shape("rect", { class: "gap", x: px(on.x(from)), y: y + 1, width, height: ROW - 2 }, title));
    }
    const path = invalidPath(column, on, y);
    if (path !== "") group.append(shape("path", { class: "invalid", d: path }));
    const label = shape("text", { class: "whose", x: px(on.x(on.since) - 5), y: y + ROW });
    label.textContent = column.about.label;
    group.append(label);
    made.push(group);
    y += ROW + 5;
  }
  return { made, height: y - top };
}

function invalidPath(column, on, y) {
  const [first, last] = column.between(on.since, on.until);
  let path = "";
  for (let place = first; place < last; place += 1) {
    if (column.invalid[place] === 0) continue;
    const width = Math.max(1.5, on.x(column.t[place] + Math.max(READING, on.step)) - on.x(column.t[place]));
    path += `M${px(on.x(column.t[place]))} ${y}h${px(width)}v${ROW}h-${px(width)}Z`;
  }
  return path;
}
