// The columns of the trends: fetched as a whole, then kept up to date at their end.

/** Seconds without a step after which a line is interrupted; or so many steps, whichever is longer. */
const GAP = 6;
const GAP_STEPS = 2.5;

/** Of one vital: what it is called, and its steps in order of time. */
class Column {
  constructor(told) {
    this.about = { label: told.label, unit: told.unit, colour: told.colour, decimals: told.decimals };
    this.episodic = told.episodic;
    this.t = [];
    this.low = [];
    this.high = [];
    this.questionable = [];
    this.invalid = [];
  }

  /** Take steps, which replace all from `since` on. */
  take(told, since) {
    const kept = firstFrom(this.t, since);
    for (const name of ["t", "low", "high", "questionable", "invalid"]) {
      this[name].length = kept;
      this[name].push(...told[name]);
    }
  }

  /** Indices of the steps from `since` to `until`, the second excluded. */
  between(since, until) {
    return [firstFrom(this.t, since), firstFrom(this.t, until)];
  }

  /** Index of the step nearest to a time; -1 where none is within `tolerance` seconds. */
  nearest(at, tolerance) {
    const after = firstFrom(this.t, at);
    const near = [after - 1, after].filter((it) => it >= 0 && it < this.t.length);
    const best = near.sort((a, b) => Math.abs(this.t[a] - at) - Math.abs(this.t[b] - at))[0];
    return best !== undefined && Math.abs(this.t[best] - at) <= tolerance ? best : -1;
  }
}

export class Columns {
  vitals = new Map();
  phases = [];
  step = 1;
  /** Another number whenever something has changed. */
  version = 0;
  /** Whether the journal could be read: without it only what is in the station's memory is here. */
  read = true;

  /** Take an answer of the station in place of all. */
  replace(told) {
    this.vitals.clear();
    this.phases = [];
    this.step = told.step_s;
    this.append(told);
  }

  /** Take an answer of the station in place of what was from its beginning on. */
  append(told) {
    const since = Date.parse(told.since) / 1000;
    this.version += 1;
    this.read = told.journal_read;
    for (const [vital, steps] of Object.entries(told.vitals)) {
      if (!this.vitals.has(vital)) this.vitals.set(vital, new Column(steps));
      this.vitals.get(vital).take(steps, steps.t.length > 0 ? Math.min(since, steps.t[0]) : since);
    }
    // Of a session that was there all its parts are told, of one that was not none.
    const anew = new Set(told.phases.map((phase) => phase.session));
    this.phases = [...this.phases.filter((phase) => !anew.has(phase.session)), ...told.phases];
  }

  /** The vitals of these that have steps, in that order. */
  of(keys) {
    return keys.filter((key) => this.vitals.has(key)).map((key) => [key, this.vitals.get(key)]);
  }

  /**
   * Lines of these columns on one axis of time: `[times, low, high, low, high, ...]`.
   *
   * A null interrupts a line; where only another column has a step it is undefined, which does not.
   */
  lines(columns) {
    const gap = Math.max(GAP, GAP_STEPS * this.step);
    const points = columns.map((column) => withGaps(column, gap));
    const times = [...new Set(points.flatMap((it) => it.t))].sort((a, b) => a - b);
    const place = new Map(times.map((t, index) => [t, index]));
    const lines = points.flatMap(({ t, low, high }) =>
      [low, high].map((values) => {
        const line = new Array(times.length).fill(undefined);
        t.forEach((at, index) => {
          line[place.get(at)] = values[index];
        });
        return line;
      }),
    );
    return [times, ...lines];
  }
}

function withGaps(column, gap) {
  const made = { t: [], low: [], high: [] };
  column.t.forEach((at, index) => {
    if (index > 0 && at - column.t[index - 1] > gap) {
      made.t.push(column.t[index - 1] + gap / 2);
      made.low.push(null);
      made.high.push(null);
    }
    made.t.push(at);
    made.low.push(column.low[index]);
    made.high.push(column.high[index]);
  });
  return made;
}

/** Index of the first of these rising numbers that is not below `least`. */
function firstFrom(rising, least) {
  let [low, high] = [0, rising.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle] < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
