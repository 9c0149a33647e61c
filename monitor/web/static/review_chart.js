// The drawing of a session with what works it: zoom, cursor, legend and lanes.

import { readAt, Values } from "./chair_values.js";
import { element, setAttribute, setData, setHidden, setText } from "./dom.js";
import { Drawing } from "./review_drawing.js";
import { Lanes } from "./review_lanes.js";
import { Legend } from "./review_legend.js";
import { readings } from "./review_readings.js";
import { CLOSER, FAR, Tools } from "./review_tools.js";
import { Window } from "./review_window.js";
import { lengthOf, secondsOf } from "./review_words.js";
import { timeOf } from "./times.js";
import { t } from "./words.js";

/** Milliseconds without another zoom before the station is asked. */
const SETTLED = 120;
/** CSS pixels that a drag is long at least: what is shorter was a click. */
const DRAG = 5;
/** Of what is shown, for each press of an arrow key. */
const STRIDE = 1 / 120;

const HINT = t("Point at the chart to read values, drag over it to zoom, double-click to see all again.");

export class Chart {
  #chart = null;
  #version = "now";
  #whole = null;
  #part = null;
  #asked = 0;
  #timer = 0;
  #alerts = [];
  #pointed = null;
  #mark = "";
  #from = null;
  #besides = null;
  #drawing = new Drawing();
  #legend = new Legend(() => this.draw());
  #lanes;
  #values = new Values();
  #window = new Window(() => this.#moved());
  #read = element("p", "read");
  #problem = element("p", "problem");
  #area = element("div", "drawing");
  #place = element("span", "place");
  #tools;
  /** Called after each drawing, with what is shown: what is compared with it follows. */
  drawn = () => {};

  /** `alert(alert)` and `entry(entry)` are called for what somebody has picked in the lanes. */
  constructor({ alert, entry }) {
    this.#lanes = new Lanes({ alert, entry, told: (text) => this.#point(this.#pointed, text) });
    this.#tools = new Tools({
      whole: () => this.#window.reset(),
      zoom: (factor) => this.#window.scale(factor, this.#pointed),
      move: (part) => this.#window.move(part),
      changed: () => this.draw(),
    });
    this.#area.tabIndex = 0;
    setAttribute(this.#area, "role", "group");
    const keys = t("Chart; left and right arrow move the cursor, with Shift the chart; + and - zoom, 0 shows all");
    setAttribute(this.#area, "aria-label", keys);
    setAttribute(this.#read, "aria-live", "polite");
    setAttribute(this.#problem, "role", "alert");
    this.#area.append(this.#drawing.root);
    this.root = element(
      "section",
      "panel review-chart",
      element("div", "title", this.#tools.root, this.#legend.root),
      this.#problem,
      this.#read,
      element("div", "overview", this.#place),
      this.#area,
      this.#lanes.root,
      this.#values.root,
    );
    this.root.setAttribute("aria-label", t("Chart"));
    setHidden(this.#problem, true);
    new ResizeObserver(() => this.draw()).observe(this.#area);
    this.#work();
  }

  /** UTC milliseconds at which the cursor is; null where it is nowhere. */
  get pointed() {
    return this.#pointed === null ? null : this.#pointed * 1000;
  }

  /** Show a chart, as `version`; what was zoomed in to stays where it is the same session. */
  async load(chart, version) {
    const other = this.#chart?.session.session !== chart.session.session;
    const signed = version !== this.#version;
    if (other) {
      this.#whole = this.#part = this.#pointed = null;
      this.#window = new Window(() => this.#moved());
    }
    this.#chart = chart;
    this.#version = version;
    this.#alerts = chart.alerts;
    this.#window.hold(secondsOf(chart.span.since), secondsOf(chart.span.until));
    this.#legend.offer(chart.vitals);
    this.#tools.offer(chart.session.infusion !== null);
    if (signed) this.#part = null;
    await this.#fetch(true);
  }

  /** Show these alerts alone in the lane. */
  only(alerts) {
    this.#alerts = alerts;
    this.draw();
  }

  /** Zoom to a stretch, UTC seconds. */
  zoom(since, until) {
    this.#window.zoom(since, until);
  }

  /** Have the axes of values hold these `Columns` too; null is none. From then on time counts from the infusion. */
  beside(columns) {
    this.#besides = columns;
    if (columns !== null) this.#tools.count(true);
    this.draw();
  }

  draw() {
    const width = this.#area.clientWidth;
    if (this.#chart === null || this.#whole === null || width === 0) return;
    const [since, until] = this.#window.shown;
    const columns = this.#part ?? this.#whole;
    const chart = this.#chart;
    const started = chart.session.infusion === null ? chart.session.opened_at : chart.session.infusion.started_at;
    const zero = this.#tools.counted ? secondsOf(started) : null;
    const scaled = this.#besides === null ? [this.#whole] : [this.#whole, this.#besides];
    const { hidden } = this.#legend;
    const { limits } = this.#tools;
    const compared = this.#besides !== null;
    const how = { chart, scaled, since, until, width, zero, hidden, limits, slim: compared };
    this.#drawing.show({ ...how, columns });
    const margins = this.#drawing.margins(width);
    this.#lanes.update({
      alerts: this.#alerts,
      entries: chart.session.entries,
      since,
      until,
      end: secondsOf(chart.span.until),
      width: width - margins.left - margins.right,
      margins,
    });
    this.#overview(since, until, margins);
    this.#values.update(columns, since, until);
    this.#point(this.#pointed);
    setData(this.root, "step", String(columns.step));
    setData(this.root, "zoomed", this.#window.zoomed ? "yes" : "");
    this.drawn({ since, until, started: secondsOf(started), hidden, scaled, zoomed: this.#window.zoomed });
  }

  #work() {
    const place = (event) => this.#drawing.at(event.clientX - this.#area.getBoundingClientRect().left);
    const ready = () => this.#whole !== null;
    this.#area.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !ready()) return;
      this.#from = { at: place(event), x: event.clientX };
      this.#area.setPointerCapture(event.pointerId);
    });
    this.#area.addEventListener("pointermove", (event) => {
      if (!ready()) return;
      this.#point(place(event));
      if (this.#from !== null) this.#drawing.select([this.#from.at, place(event)]);
    });
    this.#area.addEventListener("pointerup", (event) => {
      const from = this.#from;
      this.#leave();
      if (from === null || Math.abs(event.clientX - from.x) < DRAG) return;
      const [since, until] = [from.at, place(event)].sort((a, b) => a - b);
      this.#window.zoom(since, until);
    });
    this.#area.addEventListener("pointercancel", () => this.#leave());
    this.#area.addEventListener("pointerleave", () => this.#from === null && this.#point(null));
    this.#area.addEventListener("dblclick", () => this.#window.reset());
    this.#area.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey || !ready()) return;
        event.preventDefault();
        this.#window.scale(1.0015 ** event.deltaY, place(event));
      },
      { passive: false },
    );
    this.#area.addEventListener("keydown", (press) => this.#key(press));
  }

  #leave() {
    this.#from = null;
    this.#drawing.select(null);
  }

  #key(press) {
    if (press.ctrlKey || press.metaKey || press.altKey || this.#whole === null) return;
    const side = { ArrowLeft: -1, ArrowRight: 1 }[press.key];
    const [since, until] = this.#window.shown;
    const acts = {
      "+": () => this.#window.scale(CLOSER, this.#pointed),
      "-": () => this.#window.scale(1 / CLOSER, this.#pointed),
      0: () => this.#window.reset(),
      Escape: () => (this.#window.zoomed ? this.#window.reset() : this.#point(null)),
    };
    const act = side === undefined ? acts[press.key] : () => this.#stride(side, press.shiftKey, since, until);
    if (act === undefined) return;
    press.preventDefault();
    act();
  }

  #stride(side, far, since, until) {
    if (far) {
      this.#window.move(side * FAR);
      return;
    }
    const from = this.#pointed ?? (since + until) / 2;
    const by = Math.max(1, (until - since) * STRIDE);
    this.#point(Math.min(until, Math.max(since, Math.round(from) + side * by)));
  }

  /** Say what is at a moment, or what a mark in a lane says. */
  #point(at, mark = "") {
    this.#pointed = at;
    this.#mark = mark;
    this.#drawing.point(at);
    setText(this.#read, this.#mark || this.#words(at) || HINT);
  }

  #words(at) {
    if (at === null || this.#whole === null) return "";
    const infusion = this.#chart.session.infusion;
    const text = readAt(this.#part ?? this.#whole, at);
    if (infusion === null) return text;
    const since = at - secondsOf(infusion.started_at);
    const time = lengthOf(Math.abs(since));
    const where = since < 0 ? t("{time} before the infusion", { time }) : t("{time} after its start", { time });
    return `${text}   (${where})`;
  }

  #overview(since, until, { left, right }) {
    const [first, last] = this.#window.whole;
    const percent = (at) => `${(((at - first) / (last - first)) * 100).toFixed(2)}%`;
    const style = this.#place.style;
    style.setProperty("left", percent(since));
    style.setProperty("width", `calc(${percent(first + until - since)})`);
    this.#place.parentNode.style.setProperty("margin-inline", `${left}px ${right}px`);
    setAttribute(this.#place, "title", `${timeOf(since * 1000)} - ${timeOf(until * 1000)}`);
  }

  /** Another stretch is shown: at once by what is known, and by all its readings when they have come. */
  #moved() {
    if (!this.#window.zoomed) this.#part = null;
    this.draw();
    clearTimeout(this.#timer);
    if (this.#window.zoomed) this.#timer = setTimeout(() => this.#fetch(), SETTLED);
    else this.#settle();
  }

  /** Nothing is waited for any more. */
  #settle() {
    this.#asked += 1;
    setData(this.root, "busy", "");
  }

  async #fetch(anew = false) {
    this.#asked += 1;
    const asked = this.#asked;
    const session = this.#chart.session.session;
    const width = this.#area.clientWidth;
    setData(this.root, "busy", "yes");
    try {
      if (anew) {
        const whole = await readings(session, this.#version, this.#window.whole, width);
        if (asked !== this.#asked) return;
        this.#whole = whole;
      }
      const part = this.#window.zoomed ? await readings(session, this.#version, this.#window.wider, width) : null;
      if (asked !== this.#asked) return;
      this.#part = part;
      setHidden(this.#problem, true);
      this.draw();
    } catch (problem) {
      if (asked !== this.#asked) return;
      setText(this.#problem, t("The readings could not be had. {text}", { text: problem.text ?? String(problem) }));
      setHidden(this.#problem, false);
    }
    setData(this.root, "busy", "");
  }
}
