// Vitals as lines: each has the lowest and the highest of every step, so nothing is smoothed away. A gap stays one.

import { inColour, px, shape } from "./review_svg.js";

/** Seconds without a reading after which a line is interrupted; or so many steps, whichever is longer. */
const GAP = 6;
const GAP_STEPS = 1.5;
/** CSS pixels between readings from which on each is a dot of its own, and has its number. */
const APART = 6;
const NUMBERED = 26;

/** Which steps are to be drawn from `since` to `until`, with the one before and the one after: the second excluded. */
function shown(column, since, until) {
  const [first, last] = column.between(since, until);
  return [Math.max(0, first - 1), Math.min(column.t.length, last + 1)];
}

/** Stretches without a gap, each as places in the column, and whether it is doubtful: `{places, doubtful}`. */
function stretchesOf(column, since, until, step) {
  const gap = Math.max(GAP, GAP_STEPS * step);
  const [first, last] = shown(column, since, until);
  const made = [];
  let current = null;
  for (let place = first; place < last; place += 1) {
    if (column.low[place] === null) {
      current = null;
      continue;
    }
    const doubtful = column.questionable[place] > 0;
    const joined = current !== null && column.t[place] - column.t[place - 1] <= gap;
    if (!joined || current.doubtful !== doubtful) {
      // Where only the doubt begins or ends the line goes on.
      current = { places: joined ? [place - 1] : [], doubtful };
      made.push(current);
    }
    current.places.push(place);
  }
  return made;
}

/** One stretch as a closed band from its lowest to its highest. */
function bandOf(places, x, high, low) {
  const there = places.map((place) => `${px(x(place))} ${px(high(place))}`);
  const back = places.map((place) => `${px(x(place))} ${px(low(place))}`).reverse();
  if (places.length === 1) return `M${there[0]}L${back[0]}h0.1`;
  return `M${there.join("L")}L${back.join("L")}Z`;
}

/** The line of one vital. `on` has `panel`, `x(seconds)`, `since`, `until` and `step`, the seconds of a step. */
export function lineOf(vital, column, on) {
  const { panel, since, until, step } = on;
  const x = (place) => on.x(column.t[place]);
  const high = (place) => panel.y(column.high[place]);
  const low = (place) => panel.y(column.low[place]);
  const paths = { sure: "", doubtful: "" };
  const all = stretchesOf(column, since, until, step);
  for (const { places, doubtful } of all) paths[doubtful ? "doubtful" : "sure"] += bandOf(places, x, high, low);
  const made = Object.entries(paths).filter(([, path]) => path !== "");
  const group = inColour(
    vital,
    column.about.colour,
    "line",
    ...made.map(([name, path]) => shape("path", { class: name, d: path })),
  );
  group.dataset.stretches = String(all.length);
  return group;
}

/** The band between the arterial systolic and diastolic: where one of them is missing there is none. */
export function arterialBand(columns, on) {
  const [sys, dia] = ["abp_sys", "abp_dia"].map((key) => columns.vitals.get(key));
  if (sys === undefined || dia === undefined) return [];
  let path = "";
  for (const { places } of stretchesOf(sys, on.since, on.until, on.step)) {
    const both = places.map((place) => [place, dia.nearest(sys.t[place], 0.5)]).filter(([, other]) => other >= 0);
    const known = both.filter(([, other]) => dia.low[other] !== null);
    if (known.length < 2) continue;
    const other = new Map(known);
    path += bandOf(
      known.map(([place]) => place),
      (place) => on.x(sys.t[place]),
      (place) => on.panel.y(sys.high[place]),
      (place) => on.panel.y(dia.low[other.get(place)]),
    );
  }
  return path === "" ? [] : [inColour("abp_sys", sys.about.colour, "band", shape("path", { d: path }))];
}

/**
 * Dots of a rate: at each fine line of the grid, as on paper; and where there is room, one for each reading.
 *
 * Filled ones are of the heart, open ones of the pulse.
 */
export function dotsOf(vital, column, on, lines) {
  const { panel, since, until } = on;
  const [first, last] = column.between(since, until);
  const places = roomFor(column, on, APART)
    ? Array.from({ length: last - first }, (_, index) => first + index)
    : lines.map(({ at }) => column.nearest(at, Math.max(on.step, 2))).filter((place) => place >= 0);
  const dots = places
    .filter((place) => column.low[place] !== null)
    .map((place) =>
      shape("circle", {
        class: column.questionable[place] > 0 ? "doubtful" : "sure",
        cx: px(on.x(column.t[place])),
        cy: px(panel.y((column.low[place] + column.high[place]) / 2)),
        r: 3.2,
      }),
    );
  return inColour(vital, column.about.colour, "dots", ...dots);
}

/**
 * The number of each reading, where there is room for it: above the line, or below where `other`, a column of the same
 * panel, is above it.
 */
export function numbersOf(vital, column, on, other = null) {
  if (column.episodic || !roomFor(column, on, NUMBERED)) return [];
  const [first, last] = column.between(on.since, on.until);
  const texts = [];
  for (let place = first; place < last; place += 1) {
    if (column.low[place] === null) continue;
    const text = shape("text", {
      x: px(on.x(column.t[place])),
      y: px(on.panel.y(column.high[place]) + (isAbove(other, column, place) ? 16 : -7)),
      "data-at": column.t[place],
    });
    text.textContent = column.high[place].toFixed(column.about.decimals);
    texts.push(text);
  }
  return [inColour(vital, column.about.colour, "numbers", ...texts)];
}

/** Whether the other column is above this one at that place of it. */
function isAbove(other, column, place) {
  const there = other?.nearest(column.t[place], 0.9) ?? -1;
  return there >= 0 && other.high[there] !== null && other.high[there] > column.high[place];
}

/** Whether readings stand for themselves and are so far apart, in pixels, for the most part. */
function roomFor(column, on, apart) {
  const [first, last] = column.between(on.since, on.until);
  if (last - first < 1) return false;
  return (on.x(on.until) - on.x(on.since)) / (last - first) >= apart && on.step <= 1;
}
