// The chart of a session as one drawing, like an anaesthesia record: all panels on one axis of time.

import { arterialBand, dotsOf, lineOf, numbersOf } from "./review_lines.js";
import { cuffsOf, limitsOf, phasesOf, qualityOf } from "./review_marks.js";
import { AXIS, gridOf, panelsOf } from "./review_panels.js";
import { px, shape } from "./review_svg.js";
import { setAttribute } from "./dom.js";
import { briefDayOf, hourOf, secondsOf } from "./review_words.js";
import { timeOf } from "./times.js";
import { t } from "./words.js";

/** CSS pixels beside the panels; on a narrow screen there is no room for the numbers of limits. */
const WIDE = { left: 44, right: 88 };
const NARROW = { left: 34, right: 6 };
const NARROW_BELOW = 700;

let count = 0;

export class Drawing {
  #svg = shape("svg", { role: "img" });
  #cursor = shape("path", { class: "cursor" });
  #selected = shape("rect", { class: "selected" });
  #clip = `drawn-${(count += 1)}`;
  #on = null;
  #bottom = 0;

  constructor() {
    this.root = this.#svg;
  }

  /** CSS pixels beside the panels, for what stands below on the same axis. */
  margins(width) {
    return width < NARROW_BELOW ? NARROW : WIDE;
  }

  /**
   * Draw `chart` with its `columns` from `since` to `until` (UTC seconds).
   *
   * `scaled` are all `Columns` that the axes of values are to hold; `zero` is the moment from which time is counted, or
   * null for the time of the day; `hidden` has the vitals that are left out; `limits` says whether limits are drawn.
   */
  show({ chart, columns, scaled, since, until, width, zero, hidden, limits, slim = false }) {
    const { left, right } = this.margins(width);
    const panels = panelsOf(scaled, window.innerHeight, slim);
    const x = (at) => left + ((at - since) / (until - since)) * (width - left - right);
    const on = { x, since, until, step: columns.step };
    const last = panels.at(-1);
    const low = last.top + last.height;
    const gaps = new Map(chart.vitals.map((it) => [it.vital, it.gaps]));
    const quality = qualityOf(columns, gaps, on, low + 8);
    this.#bottom = low + 8 + quality.height;
    const { lines } = gridOf(since, until, width - left - right, zero);
    const inside = shape("g", { "clip-path": `url(#${this.#clip})` });
    for (const panel of panels) inside.append(...this.#panel({ ...on, panel }, chart, columns, hidden, lines));
    const beside = right > NARROW.right ? width - right : null;
    const end = secondsOf(chart.span.until);
    const outside = panels.flatMap((panel) =>
      limits ? limitsOf(chart.limits, columns, { ...on, panel }, beside, end) : [],
    );
    this.#svg.replaceChildren(
      this.#clipped(left, width - left - right),
      shape("g", { class: "phases" }, ...phasesOf(chart.phases, on, this.#bottom)),
      ...this.#grid(panels, lines, x, left, width - right, zero, width < NARROW_BELOW),
      ...outside,
      inside,
      ...quality.made,
      this.#selected,
      this.#cursor,
    );
    const height = this.#bottom + AXIS;
    setAttribute(this.#svg, "viewBox", `0 0 ${width} ${height}`);
    setAttribute(this.#svg, "width", String(width));
    setAttribute(this.#svg, "height", String(height));
    const names = { from: timeOf(since * 1000), to: timeOf(until * 1000) };
    setAttribute(this.#svg, "aria-label", t("Vitals from {from} to {to}: the numbers are in the tables below", names));
    this.#on = { x, since, until, left, width: width - left - right };
  }

  /** UTC seconds at a place, in pixels from the left edge of the drawing. */
  at(place) {
    const { since, until, left, width } = this.#on;
    return since + Math.min(1, Math.max(0, (place - left) / width)) * (until - since);
  }

  /** Mark a moment, UTC seconds; null marks none. */
  point(at) {
    const seen = at !== null && this.#on !== null && at >= this.#on.since && at <= this.#on.until;
    setAttribute(this.#cursor, "d", seen ? `M${px(this.#on.x(at))} 0V${this.#bottom}` : "");
  }

  /** Mark a stretch, UTC seconds; null marks none. */
  select(stretch) {
    const [from, to] = stretch === null ? [0, 0] : stretch.map(this.#on.x).sort((a, b) => a - b);
    setAttribute(this.#selected, "x", px(from));
    setAttribute(this.#selected, "width", px(to - from));
    setAttribute(this.#selected, "height", String(this.#bottom));
  }

  #panel(on, chart, columns, hidden, lines) {
    const { panel } = on;
    const there = columns.of(panel.keys).filter(([vital]) => !hidden.has(vital));
    const lasting = there.filter(([, column]) => !column.episodic);
    const made = [];
    if (lasting.some(([vital]) => vital === "abp_sys")) made.push(...arterialBand(columns, on));
    // What comes later is drawn over what came before: the heart over the pulse, dots over lines.
    lasting.reverse();
    made.push(...lasting.map(([vital, column]) => lineOf(vital, column, on)));
    const rates = panel.id === "main" ? lasting.filter(([vital]) => vital.endsWith("_rate")) : [];
    made.push(...rates.map(([vital, column]) => dotsOf(vital, column, on, lines)));
    const beside = (vital) => lasting.find(([other]) => other !== vital && other.split("_")[1] === vital.split("_")[1]);
    made.push(...lasting.flatMap(([vital, column]) => numbersOf(vital, column, on, beside(vital)?.[1])));
    const colour = columns.vitals.get("nibp_sys")?.about.colour ?? "#e8e3ff";
    if (panel.id === "main" && !hidden.has("nibp_sys")) made.push(cuffsOf(chart.cuff_readings, colour, on));
    return made;
  }

  #clipped(left, width) {
    const area = shape("rect", { x: left, y: 0, width, height: this.#bottom });
    return shape("defs", {}, shape("clipPath", { id: this.#clip }, area));
  }

  #grid(panels, lines, x, left, right, zero, narrow) {
    const paths = { fine: "", bold: "" };
    const texts = [];
    for (const panel of panels) {
      const end = panel.top + panel.height;
      for (const line of lines) paths[line.bold ? "bold" : "fine"] += `M${px(x(line.at))} ${panel.top}V${end}`;
      for (const value of panel.marks) {
        paths[value === panel.low || value % 100 === 0 ? "bold" : "fine"] += `M${left} ${px(panel.y(value))}H${right}`;
        texts.push(label("value", left - 6, panel.y(value) + 4, String(value)));
      }
      if (!narrow || panel.id === "main") texts.push(label("title", left + 5, panel.top + 13, panel.title));
    }
    for (const line of lines.filter((it) => it.written)) {
      texts.push(label("time", x(line.at), this.#bottom + 16, zero === null ? clock(line.at) : counted(line.since)));
    }
    return [shape("path", { class: "fine", d: paths.fine }), shape("path", { class: "bold", d: paths.bold }), ...texts];
  }
}

function label(name, x, y, text) {
  const made = shape("text", { class: name, x: px(x), y: px(y) });
  made.textContent = text;
  return made;
}

/** The time of the day, with its seconds where they are not 0; at midnight the day that begins. */
function clock(at) {
  const date = new Date(at * 1000);
  if (date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0) return briefDayOf(date);
  return Math.round(at) % 60 === 0 ? hourOf(at * 1000) : timeOf(at * 1000);
}

/** Seconds before or after the infusion's start, as minutes. */
function counted(seconds) {
  const [whole, rest] = [Math.trunc(Math.abs(seconds) / 60), Math.round(Math.abs(seconds) % 60)];
  const sign = seconds < 0 ? "−" : "+";
  if (seconds === 0) return "0";
  return rest === 0 ? `${sign}${whole} min` : `${sign}${whole}:${String(rest).padStart(2, "0")}`;
}
