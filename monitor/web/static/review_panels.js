// What a drawing is divided into, from above to below, and what the axes of each part say.

import { t } from "./words.js";

/** CSS pixels, above the first panel and between two. */
export const HEAD = 22;
const BETWEEN = 16;
export const AXIS = 22;
/** Of the height that there is, what the panel of pressures and rates takes; at least and at most so many pixels. */
const SHARE = 0.42;
const BOUNDS = [240, 520];

/** `low` to `high` is always shown; beyond that as far as values go, in steps of `grow`. */
const PANELS = [
  {
    id: "main",
    title: "mmHg, /min",
    keys: ["abp_sys", "abp_dia", "abp_mean", "heart_rate", "pulse_rate", "nibp_sys", "nibp_dia", "nibp_mean"],
    low: 0,
    high: 200,
    step: 20,
    grow: 20,
    always: true,
  },
  { id: "spo2", title: "SpO₂ %", keys: ["spo2"], low: 70, high: 100, step: 10, grow: 10, most: 100, height: 0.3 },
  {
    id: "breath",
    title: t("RR, CO₂"),
    keys: ["resp_rate", "etco2"],
    low: 0,
    high: 40,
    step: 20,
    grow: 20,
    height: 0.2,
  },
  { id: "temp", title: "°C", keys: ["temp"], low: 35, high: 39, step: 2, grow: 2, height: 0.16 },
  { id: "perfusion", title: "PI %", keys: ["perfusion_index"], low: 0, high: 4, step: 2, grow: 2, height: 0.16 },
];

/** Values of the axis at which something is written: no more than there is room for. */
function marksOf(low, high, step, height) {
  let every = step;
  while (((high - low) / every) * 13 > height && every < high - low) every *= 2;
  const marks = [];
  for (let value = Math.ceil(low / every) * every; value <= high; value += every) marks.push(value);
  return marks;
}

/** From where to where the axis of a panel goes, for all that is in these `Columns`. */
function extentOf(panel, several) {
  let { low, high } = panel;
  for (const columns of several) {
    for (const [, column] of columns.of(panel.keys)) {
      for (const value of column.low) if (value !== null && value < low) low = value;
      for (const value of column.high) if (value !== null && value > high) high = value;
    }
  }
  const { grow } = panel;
  return [Math.floor(low / grow) * grow, Math.min(panel.most ?? Infinity, Math.ceil(high / grow) * grow)];
}

/**
 * The panels of a drawing, for what is in these `Columns`, with `top`, `height`, `low`, `high`, `marks` and `y(value)`.
 *
 * `room` is the height of the window in pixels; `slim` makes all of them lower.
 */
export function panelsOf(several, room, slim = false) {
  const main = Math.min(BOUNDS[1], Math.max(BOUNDS[0], room * SHARE)) * (slim ? 0.72 : 1);
  let top = HEAD;
  return PANELS.filter((panel) => panel.always || several.some((columns) => columns.of(panel.keys).length > 0)).map(
    (panel) => {
      const [low, high] = extentOf(panel, several);
      const height = Math.round(panel.height === undefined ? main : Math.max(48, main * panel.height));
      const placed = { ...panel, top, height, low, high, marks: marksOf(low, high, panel.step, height) };
      placed.y = (value) => placed.top + height * (1 - (value - low) / (high - low));
      top += height + BETWEEN;
      return placed;
    },
  );
}

/** Seconds between fine lines, bold lines and times on the axis. */
const GRIDS = [
  [1, 10],
  [5, 30],
  [10, 60],
  [60, 300],
  [300, 900],
  [900, 3600],
  [1800, 7200],
  [3600, 21600],
  [7200, 43200],
];
/** CSS pixels between two fine lines, and between two times, at least. */
const FINE = 17;
const TIME = 58;

/** The lines of time from `since` to `until` (seconds): `{fine, times}`, where those of `bold` are of both. */
export function gridOf(since, until, width, zero) {
  const pixels = width / (until - since);
  const [fine, bold] = GRIDS.find(([seconds]) => seconds * pixels >= FINE) ?? GRIDS.at(-1);
  let written = fine * pixels >= TIME ? fine : bold;
  while (written * pixels < TIME) written *= 2;
  const origin = zero ?? new Date(since * 1000).getTimezoneOffset() * 60;
  const lines = [];
  for (let place = Math.ceil((since - origin) / fine); place * fine + origin <= until; place += 1) {
    const at = place * fine;
    lines.push({ at: at + origin, bold: at % bold === 0, written: at % written === 0, since: at });
  }
  return { lines, fine };
}
