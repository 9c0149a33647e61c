// Ten minutes of the big numerics, drawn when a step or the size has changed. What was lowest and highest in each step is
// a bar, so nothing is smoothed away; what is not there is a gap; where nothing valid came the base line is dotted.

import { changes as colourChanges, pageColour, vitalColour } from "./colours.js";
import { element, setAttribute } from "./dom.js";
import { SPAN, STEP } from "./trends.js";
import { t } from "./words.js";

/** Two lanes, as on an anaesthesia chart: saturation above; rates and pressures on one scale below. */
const LANES = [
  { keys: ["spo2"], share: 0.4, low: 85, high: 100, grow: 5, lowest: 0, highest: 100 },
  { keys: ["heart_rate", "pulse_rate", "nibp"], share: 0.6, low: 40, high: 160, grow: 20, lowest: 0, highest: 400 },
];
const GRID = 120;
/** Lengths in sixteenths of the page's font size, so that they grow with it. */
const GAP = 4;
const GUTTER = 26;
const LABELLED = 30;
const MARK = 3.5;
const WORDS = 11;
/** From these sizes on the scales are written beside the lanes, and the time below them. */
const SCALES = { width: 240, height: 64 };
const TIMES = { width: 240, height: 130 };

export class Trend {
  #canvas = element("canvas");
  #observer = new ResizeObserver(([entry]) => this.#resized(entry));
  #width = 0;
  #height = 0;
  #pixel = 1;
  #drawn = "";
  #shown = null;

  constructor() {
    this.root = element("div", "trend", this.#canvas);
    this.#canvas.setAttribute("role", "img");
    try {
      this.#observer.observe(this.#canvas, { box: "device-pixel-content-box" });
    } catch {
      // A browser that does not give device pixels.
      this.#observer.observe(this.#canvas);
    }
  }

  /** Show these numerics' steps with their limits; `now` is UTC seconds. */
  update(numerics, limits, steps, now) {
    this.#shown = { numerics, limits, steps, end: (Math.floor(now / STEP) + 1) * STEP };
    this.#draw();
  }

  end() {
    this.#observer.disconnect();
  }

  #resized(entry) {
    const ratio = window.devicePixelRatio;
    const { width, height } = entry.contentRect;
    const [device] = entry.devicePixelContentBoxSize ?? [];
    this.#width = devicePixels(width * ratio, device?.inlineSize);
    this.#height = devicePixels(height * ratio, device?.blockSize);
    this.#pixel = (ratio * Number.parseFloat(getComputedStyle(document.documentElement).fontSize)) / 16;
    this.#draw();
  }

  #draw() {
    if (this.#shown === null || this.#width === 0 || this.#height === 0) return;
    const { numerics, limits, steps, end } = this.#shown;
    const series = numerics.flatMap((numeric) => numeric.keys.map((key) => ({ key, numeric })));
    const key = JSON.stringify([
      steps.version, end, this.#width, this.#height, colourChanges, this.#pixel,
      series.map(({ key, numeric }) => [key, numeric.colour, limits[key]]),
    ]);
    if (key === this.#drawn) return;
    this.#drawn = key;
    if (this.#canvas.width !== this.#width) this.#canvas.width = this.#width;
    if (this.#canvas.height !== this.#height) this.#canvas.height = this.#height;
    new Drawing(this.#canvas, this.#pixel, this.#shown).draw();
    setAttribute(this.#canvas, "aria-label", words(this.#shown));
  }
}

/** The exact number of a length's device pixels where the browser tells it, which an emulated screen does wrongly. */
function devicePixels(length, told) {
  return told !== undefined && Math.abs(told - length) < 2 ? told : Math.round(length);
}

/** One drawing; all lengths in device pixels. */
class Drawing {
  constructor(canvas, pixel, { numerics, limits, steps, end }) {
    this.context = canvas.getContext("2d");
    this.pixel = pixel;
    this.thin = Math.max(1, Math.round(pixel));
    this.width = canvas.width;
    this.height = canvas.height;
    this.numerics = numerics;
    this.limits = limits;
    this.steps = steps.vitals;
    this.begin = end - SPAN;
    this.left = this.#fits(SCALES) ? Math.round(GUTTER * pixel) : 0;
    this.foot = this.#fits(TIMES) ? Math.round(1.3 * WORDS * pixel) : 0;
  }

  draw() {
    this.context.clearRect(0, 0, this.width, this.height);
    const lanes = LANES.map((lane) => ({ ...lane, numerics: this.numerics.filter((it) => lane.keys.includes(it.key)) }));
    const used = lanes.filter((lane) => lane.numerics.length > 0);
    const total = used.reduce((sum, lane) => sum + lane.share, 0);
    const gap = Math.round(GAP * this.pixel);
    const room = this.height - this.foot - gap * (used.length - 1);
    let top = 0;
    for (const lane of used) {
      const height = Math.floor((room * lane.share) / total);
      this.#lane(lane, top, top + height);
      top += height + gap;
    }
    if (this.foot > 0) this.#times();
  }

  #fits({ width, height }) {
    return this.width >= width * this.pixel && this.height >= height * this.pixel;
  }

  #times() {
    this.#write("left", "bottom");
    for (let at = this.begin; at < this.begin + SPAN; at += GRID) {
      const back = (this.begin + SPAN - at) / 60;
      this.context.fillText(at === this.begin ? `−${back} min` : `−${back}`, this.x(at), this.height);
    }
  }

  #write(align, base) {
    this.context.fillStyle = pageColour("--quiet");
    this.context.font = `${Math.round(WORDS * this.pixel)}px system-ui, sans-serif`;
    this.context.textAlign = align;
    this.context.textBaseline = base;
  }

  x(at) {
    return this.left + Math.round(((at - this.begin) / SPAN) * (this.width - this.left));
  }

  #lane(lane, top, bottom) {
    const scale = scaleOf(lane, this.steps, this.limits);
    const room = bottom - top - this.thin;
    const y = (value) => top + Math.round(((scale.high - value) / (scale.high - scale.low)) * room);
    this.#frame(scale, top, bottom);
    for (const numeric of lane.numerics) {
      this.context.fillStyle = this.context.strokeStyle = vitalColour(numeric.colour);
      for (const key of numeric.keys) this.#limitLines(this.limits[key], y);
      if (numeric.key === "nibp") this.#cuff(y, bottom);
      else this.#bars(this.steps.get(numeric.key) ?? [], y, bottom);
    }
  }

  #frame(scale, top, bottom) {
    const { context, thin } = this;
    context.fillStyle = pageColour("--edge");
    for (let at = this.begin; at <= this.begin + SPAN; at += GRID) {
      context.fillRect(Math.min(this.x(at), this.width - thin), top, thin, bottom - top);
    }
    context.fillRect(this.left, bottom - thin, this.width - this.left, thin);
    context.fillRect(this.left, top, this.width - this.left, thin);
    if (this.left === 0 || bottom - top < LABELLED * this.pixel) return;
    for (const [value, base, where] of [[scale.high, "top", top], [scale.low, "bottom", bottom]]) {
      this.#write("right", base);
      context.fillText(String(value), this.left - 4 * this.pixel, where);
    }
  }

  #limitLines(limits, y) {
    this.context.globalAlpha = 0.5;
    for (const limit of [limits?.low, limits?.high]) {
      if (limit === null || limit === undefined) continue;
      this.context.fillRect(this.left, y(limit), this.width - this.left, this.thin);
    }
    this.context.globalAlpha = 1;
  }

  #bars(steps, y, bottom) {
    const least = Math.max(2, Math.round(2 * this.pixel));
    for (const [at, low, high] of steps) {
      if (at + STEP <= this.begin) continue;
      const from = Math.max(this.left, this.x(at));
      const until = Math.max(from + 1, Math.min(this.width, this.x(at + STEP)));
      if (low === null) this.#invalid(from, until, bottom);
      else {
        const top = y(high);
        this.context.fillRect(from, top, until - from, Math.max(least, y(low) - top + least));
      }
    }
  }

  /** A base line with holes, which nothing that was measured looks like. */
  #invalid(from, until, bottom) {
    const dot = Math.max(2, Math.round(2 * this.pixel));
    for (let x = from - (from % (2 * dot)); x < until; x += 2 * dot) {
      if (x >= from) this.context.fillRect(x, bottom - 2 * dot, dot, dot);
    }
  }

  /** Systolic v, diastolic ^, with a line between them. */
  #cuff(y, bottom) {
    const { context, pixel } = this;
    const size = MARK * pixel;
    const line = Math.max(1, Math.round(1.5 * pixel));
    context.lineWidth = line;
    const diastolic = new Map((this.steps.get("nibp_dia") ?? []).map((step) => [step[0], step]));
    for (const [at, , sys] of this.steps.get("nibp_sys") ?? []) {
      // A line of an odd width is sharp between two pixels.
      const x = this.x(at) + (line % 2) / 2;
      if (x < this.left + size) continue;
      if (sys === null) {
        this.#invalid(x - 2 * size, x + 2 * size, bottom);
        continue;
      }
      context.beginPath();
      angle(context, x, y(sys), size, -1);
      const low = diastolic.get(at)?.[1] ?? null;
      if (low !== null) {
        angle(context, x, y(low), size, 1);
        context.moveTo(x, y(sys));
        context.lineTo(x, y(low));
      }
      context.stroke();
    }
  }
}

/** An angle whose apex is at the value: its sides go up (-1) or down (1). */
function angle(context, x, y, size, side) {
  context.moveTo(x - size, y + side * size * 1.6);
  context.lineTo(x, y);
  context.lineTo(x + size, y + side * size * 1.6);
}

/** A lane's usual scale, so that all beds are alike; wider where values or limits lie outside. */
function scaleOf(lane, steps, limits) {
  let { low, high } = lane;
  const see = (value) => {
    if (value === null || value === undefined) return;
    while (value < low && low > lane.lowest) low -= lane.grow;
    while (value > high && high < lane.highest) high += lane.grow;
  };
  for (const key of lane.numerics.flatMap((numeric) => numeric.keys)) {
    for (const [, lowest, highest] of steps.get(key) ?? []) {
      see(lowest);
      see(highest);
    }
    see(limits[key]?.low);
    see(limits[key]?.high);
  }
  return { low, high };
}

/** The drawing in words: for each numeric what was lowest and highest. */
function words({ numerics, steps }) {
  const parts = numerics.map((numeric) => {
    const found = numeric.keys.flatMap((key) => steps.vitals.get(key) ?? []).filter((step) => step[1] !== null);
    const { label } = numeric;
    if (found.length === 0) return t("{label} none", { label });
    const [low, high] = [Math.min(...found.map((it) => it[1])), Math.max(...found.map((it) => it[2]))];
    return t("{label} {low} to {high}", { label, low, high });
  });
  return t("Last ten minutes: {values}", { values: parts.join(", ") });
}
