// One plot of the trends. uPlot has the axes, the lines and the cursor; what else is drawn is in `chair_drawing.js`.
// A line has the lowest and the highest of each step, so that nothing is smoothed away.

import uPlot from "./vendor/uPlot.esm.js";
import { pageColour, vitalColour } from "./colours.js";
import { drawDoubts, drawLimits, drawPhases, drawPressures, inside } from "./chair_drawing.js";
import { element } from "./dom.js";
import { t } from "./words.js";

/** CSS pixels: beside the plot, so that all have the same axis of time. */
const GUTTER = 44;
const MARGIN = 54;
const AXIS = 22;

/** `12:03`, with seconds where the marks are closer than minutes. */
function clock(seconds, increment) {
  const date = new Date(seconds * 1000);
  const parts = [date.getHours(), date.getMinutes(), ...(increment < 60 ? [date.getSeconds()] : [])];
  return parts.map((it) => String(it).padStart(2, "0")).join(":");
}

export class Plot {
  #spec;
  #hooks;
  #columns = null;
  #limits = [];
  #drawn = [];
  #keys = "";
  #range = [0, 1];
  #version = -1;
  #u = null;
  #width = 0;
  #height = 0;
  #title = element("p", "plot-title");
  #area = element("div", "plot-area");

  /** `hooks` has `zoom(since, until)`, `follow()` and `point(at)`, all in UTC seconds; `point(null)` when it leaves. */
  constructor(spec, hooks) {
    this.#spec = spec;
    this.#hooks = hooks;
    this.#area.setAttribute("role", "img");
    this.#area.setAttribute("aria-label", t("{plot}: the values are in the table below", { plot: spec.title }));
    this.root = element("div", "plot", this.#title, this.#area);
    this.root.dataset.plot = spec.id;
  }

  get spec() {
    return this.#spec;
  }

  /** Show the columns from `since` to `until`, UTC seconds. */
  show(columns, limits, since, until) {
    this.#columns = columns;
    this.#limits = limits.filter((limit) => this.#spec.keys.includes(limit.vital));
    this.#drawn = columns.of(this.#spec.keys);
    const keys = this.#drawn.map(([key]) => key).join(" ");
    if (this.#u === null || keys !== this.#keys) this.#make(keys);
    if (this.#u === null) return;
    this.#range = this.#extent(since, until);
    this.#u.batch(() => {
      if (columns.version !== this.#version) this.#u.setData(columns.lines(this.#lines), false);
      this.#version = columns.version;
      this.#u.setScale("x", { min: since, max: until });
      this.#u.setScale("y", { min: this.#range[0], max: this.#range[1] });
    });
  }

  resize(width, height) {
    if (width === this.#width && height === this.#height) return;
    this.#width = width;
    this.#height = height;
    if (this.#u !== null) this.#u.setSize({ width, height });
    else if (this.#columns !== null) this.#make(this.#keys);
  }

  /** Draw again, in the colours of now. */
  recolour() {
    if (this.#u !== null) this.#make(this.#keys);
  }

  /** Move the cursor to a time; null takes it away. */
  point(at) {
    if (this.#u === null) return;
    const left = at === null ? -10 : this.#u.valToPos(at, "x");
    this.#u.setCursor({ left, top: at === null ? -10 : 10 }, false, false);
  }

  #make(keys) {
    if (this.#width === 0) return;
    this.#u?.destroy();
    this.#keys = keys;
    this.#name();
    this.#version = this.#columns.version;
    this.#u = new uPlot(this.#options(), this.#columns.lines(this.#lines), this.#area);
  }

  /** The columns that are drawn as lines: the others are measured now and then. */
  get #lines() {
    return this.#drawn.map(([, column]) => column).filter((column) => !column.episodic);
  }

  #name() {
    const names = new Map();
    for (const [key, { about }] of this.#drawn) {
      const label = about.label.replace(/ (sys|dia|mean)$/, "");
      names.set(label, { ...about, label, key });
    }
    const parts = [...names.values()].map(({ label, unit, colour }) => {
      const name = element("b", "", label);
      name.style.setProperty("color", vitalColour(colour));
      return element("span", "key", name, ` ${unit}`);
    });
    this.#title.replaceChildren(...(parts.length > 0 ? parts : [this.#spec.title]));
  }

  #options() {
    const axis = {
      stroke: pageColour("--quiet"),
      grid: { stroke: pageColour("--edge"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
    };
    const series = this.#lines.flatMap(({ about }) => {
      const stroke = vitalColour(about.colour);
      return [about, about].map(() => ({ stroke, width: 1.5, points: { show: false }, spanGaps: false }));
    });
    const bands = this.#lines.map(({ about }, index) => ({
      series: [2 + 2 * index, 1 + 2 * index],
      fill: vitalColour(about.colour),
    }));
    return {
      width: this.#width,
      height: this.#height,
      padding: [6, MARGIN, this.#spec.times ? 0 : 6, 0],
      legend: { show: false },
      scales: { x: { time: true, auto: false }, y: { auto: false, range: () => this.#range } },
      axes: [
        {
          ...axis,
          size: AXIS,
          space: 60,
          show: this.#spec.times,
          values: (_u, splits, _axis, _space, increment) => splits.map((it) => clock(it, increment)),
        },
        { ...axis, size: GUTTER, gap: 4, incrs: this.#spec.steps, space: 22 },
      ],
      series: [{}, ...series],
      bands,
      cursor: {
        y: false,
        points: { show: false },
        drag: { x: true, y: false, setScale: false, dist: 8 },
        sync: { key: "chair", scales: ["x", null], setSeries: false },
        bind: { dblclick: () => () => this.#hooks.follow() },
      },
      hooks: {
        drawClear: [(u) => inside(u, () => drawPhases(u, this.#columns.phases))],
        draw: [(u) => this.#drawOver(u)],
        setCursor: [(u) => this.#hooks.point(u.cursor.left >= 0 ? u.posToVal(u.cursor.left, "x") : null)],
        setSelect: [(u) => this.#selected(u)],
      },
    };
  }

  #selected(u) {
    const { left, width } = u.select;
    if (width === 0) return;
    const [since, until] = [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.#hooks.zoom(since, until);
  }

  /** From where to where the values go: as usual for these vitals, and as far beyond as what is shown goes. */
  #extent(since, until) {
    let { low, high } = this.#spec;
    for (const [, column] of this.#drawn) {
      const [first, last] = column.between(since, until);
      for (let index = first; index < last; index += 1) {
        if (column.low[index] === null) continue;
        low = Math.min(low, column.low[index]);
        high = Math.max(high, column.high[index]);
      }
    }
    const { grow, lowest } = this.#spec;
    const highest = this.#spec.highest ?? Infinity;
    return [Math.max(lowest, Math.floor(low / grow) * grow), Math.min(highest, Math.ceil(high / grow) * grow)];
  }

  #drawOver(u) {
    const { vitals, step } = this.#columns;
    drawLimits(u, this.#limits, vitals);
    inside(u, () => {
      this.#drawn.forEach(([, column], place) => drawDoubts(u, column, step, place));
      if (this.#spec.keys.includes("nibp_sys")) drawPressures(u, vitals);
    });
  }
}
