// The pleth, sweeping over the last ten seconds as on a bedside monitor. What has stopped coming does not stay.

import * as api from "./api.js";
import { pageColour, vitalColour } from "./colours.js";
import { element, setData, setHidden, setText } from "./dom.js";
import { t } from "./words.js";

/** Seconds over the whole width. */
const SWEEP = 10;
/** Seconds that it is behind, so that what is asked for once a second always has come; and the gap before the pen. */
const BEHIND = 2;
const PEN = 0.4;
const ASK_EVERY = 1000;
/** Seconds without a sample after which it is said to have stopped, counted from when it would be shown. */
const STOPPED = 2;
/** Seconds that a run may come early or late, and what part of that the trace follows at once. */
const JITTER = 0.25;
const SLEW = 0.1;
const COLOUR = "#6fb7ff";
const LINE = 1.6;
/** Of a span that is flat there is no shape to be made larger. */
const FLATTEST = 8;

export class Pleth {
  #bed = null;
  #samples = [];
  #after = 0;
  #live = false;
  #asked = 0;
  #offset = 0;
  #label = element("span", "name", t("Pleth"));
  #state = element("span", "said");
  #canvas = element("canvas");
  #timer = null;
  #still = matchMedia("(prefers-reduced-motion: reduce)");
  #drawnAt = 0;

  constructor() {
    this.#canvas.setAttribute("role", "img");
    this.#canvas.setAttribute("aria-label", t("Pleth, the last ten seconds"));
    this.root = element("section", "panel pleth", element("div", "title", this.#label, this.#state), this.#canvas);
    this.root.setAttribute("aria-label", t("Pleth"));
    setHidden(this.root, true);
  }

  /** Another bed is shown, or none. */
  open(bed) {
    this.#bed = bed;
    this.#samples = [];
    this.#after = 0;
    this.#asked += 1;
    clearInterval(this.#timer);
    this.#timer = null;
    setHidden(this.root, bed === null);
    if (bed === null) return;
    this.#timer = setInterval(() => this.#ask(), ASK_EVERY);
    this.#frame(this.#asked);
    this.#ask();
  }

  /** `now` is the station's time in milliseconds. */
  update({ live, now }) {
    this.#offset = now - performance.now();
    this.#live = live;
    if (!live) this.#samples = [];
  }

  async #ask() {
    if (document.hidden || !this.#live) return;
    const asked = this.#asked;
    try {
      const path = `/api/beds/${encodeURIComponent(this.#bed)}/pleth?after=${this.#after}`;
      const { rate, runs } = await api.get(path);
      if (asked === this.#asked) this.#take(rate, runs);
    } catch {
      // It stops, which is said.
    }
  }

  #take(rate, runs) {
    // All are of before what came last: the station's clock was set back.
    if (runs.length > 0 && runs.every((run) => run.begins_at < this.#after)) {
      this.#after = 0;
      this.#samples = [];
    }
    for (const run of runs) {
      if (run.begins_at <= this.#after) continue;
      this.#after = run.begins_at;
      const next = (this.#samples.at(-1)?.at ?? -Infinity) + 1 / rate;
      // A run is dated by when it came, which is not to the sample: where it follows the last one it is drawn so.
      const late = run.begins_at - next;
      const follows = Math.abs(late) < JITTER;
      const begins = follows ? next + Math.max(late * SLEW, -0.5 / rate) : Math.max(next, run.begins_at);
      run.samples.forEach((value, index) => {
        this.#samples.push({ at: begins + index / rate, value, joined: follows || index > 0 });
      });
    }
    const oldest = this.#now() - 2 * SWEEP;
    const fresh = this.#samples.findIndex((it) => it.at >= oldest);
    this.#samples.splice(0, fresh < 0 ? this.#samples.length : fresh);
  }

  #now() {
    return (performance.now() + this.#offset) / 1000;
  }

  #frame(asked) {
    if (asked !== this.#asked || this.#bed === null) return;
    const moment = performance.now();
    if (!this.#still.matches || moment - this.#drawnAt >= ASK_EVERY) {
      this.#drawnAt = moment;
      this.#draw();
    }
    requestAnimationFrame(() => this.#frame(asked));
  }

  #draw() {
    const pen = this.#now() - BEHIND;
    const newest = this.#samples.at(-1)?.at ?? -Infinity;
    const quiet = pen - newest;
    const shown = this.#samples.filter((it) => it.at > pen - SWEEP + PEN && it.at <= pen);
    const state = !this.#live || shown.length === 0 ? "none" : quiet > STOPPED ? "stopped" : "live";
    setData(this.root, "state", state);
    const none = this.#live ? t("no pleth") : t("not known");
    const words = { none, live: "", stopped: t("stopped {seconds} s ago", { seconds: Math.round(quiet) }) };
    setText(this.#state, words[state]);
    const context = this.#cleared();
    if (state === "none") return;
    this.#trace(context, shown, pen, state === "live");
  }

  #cleared() {
    const scale = window.devicePixelRatio;
    const [width, height] = [this.#canvas.clientWidth, this.#canvas.clientHeight];
    if (this.#canvas.width !== Math.round(width * scale) || this.#canvas.height !== Math.round(height * scale)) {
      this.#canvas.width = Math.round(width * scale);
      this.#canvas.height = Math.round(height * scale);
    }
    const context = this.#canvas.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    return context;
  }

  #trace(context, shown, pen, live) {
    const [width, height] = [this.#canvas.clientWidth, this.#canvas.clientHeight];
    const values = shown.map((it) => it.value);
    const [lowest, highest] = [Math.min(...values), Math.max(...values)];
    const range = Math.max(FLATTEST, highest - lowest);
    const x = (at) => ((at % SWEEP) / SWEEP) * width;
    const y = (value) => height - 4 - ((value - lowest) / range) * (height - 8);
    context.strokeStyle = live ? vitalColour(COLOUR) : pageColour("--dim");
    context.lineWidth = LINE;
    context.lineJoin = "round";
    if (!live) context.setLineDash([2, 4]);
    context.beginPath();
    let before = Infinity;
    for (const { at, value, joined } of shown) {
      const place = x(at);
      if (joined && place > before) context.lineTo(place, y(value));
      else context.moveTo(place, y(value));
      before = place;
    }
    context.stroke();
    if (live) {
      context.fillStyle = pageColour("--text");
      context.fillRect(x(pen), 0, 1.5, height);
    }
  }
}
