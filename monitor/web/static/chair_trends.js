// The trends of a bed: what span is shown, where it comes from, and what the cursor points at.

import * as api from "./api.js";
import { watchColours } from "./colours.js";
import { Columns } from "./chair_columns.js";
import { Lanes } from "./chair_lanes.js";
import { Plot } from "./chair_plot.js";
import { SPECS } from "./chair_specs.js";
import { readAt, Values } from "./chair_values.js";
import { button, element, setAttribute, setData, setHidden, setText } from "./dom.js";
import { t } from "./words.js";

/** Seconds, by their name; the last one is the session's own. */
const SESSION = t("Session");
const SPANS = { "10 min": 600, "30 min": 1800, "1 h": 3600, [SESSION]: null };
/** Seconds of the session's shortest span, and of the shortest that one can zoom in to. */
const SHORTEST = 300;
const NEAREST = 10;
/** Milliseconds between looks at the end, and between looks at the whole. */
const TAIL_EVERY = 2000;
const WHOLE_EVERY = 60000;
/** Seconds that each look at the end goes back: what is late still comes. */
const BACK = 15;
const WIDTHS = [100, 4000];
/** CSS pixels: a plot that is lower says nothing. */
const MINIMUM = 80;
/** Of the span, for each press of an arrow key. */
const STRIDE = 1 / 120;

const HINT = t("Point at the trends to read values; drag over them to zoom, double-click to go back.");
const UNREAD = t("The journal cannot be read: only the last minutes are here.");

export class Trends {
  #bed = null;
  #state = null;
  #columns = new Columns();
  #span = "30 min";
  #zoomed = null;
  #until = 0;
  #asked = 0;
  #looked = { whole: -Infinity, tail: -Infinity };
  #under = false;
  #plots = new Map();
  #pointed = null;
  #waiting = false;
  #drawn = [];
  /** Another number whenever the plots are made or arranged anew. */
  #laidOut = 0;
  #dragging = false;
  #plotList = element("div", "plots");
  #lanes = new Lanes();
  #values = new Values();
  #read = element("p", "read");
  #spans = new Map();
  #live;

  constructor() {
    const spans = element("div", "choices spans");
    setAttribute(spans, "role", "group");
    setAttribute(spans, "aria-label", t("Span of the trends"));
    for (const name of Object.keys(SPANS)) {
      const made = button("touch", name, () => this.#choose(name));
      this.#spans.set(name, made);
      spans.append(made);
    }
    this.#live = button("touch back", t("Back to live"), () => this.#follow());
    const earlier = button("touch", "◀", () => this.#move(-0.5));
    const later = button("touch", "▶", () => this.#move(0.5));
    setAttribute(earlier, "aria-label", t("Earlier"));
    setAttribute(later, "aria-label", t("Later"));
    spans.append(earlier, later, this.#live);
    this.#plotList.tabIndex = 0;
    setAttribute(this.#plotList, "role", "group");
    setAttribute(this.#plotList, "aria-label", t("Trends; the left and right arrow keys move the cursor"));
    this.#plotList.addEventListener("keydown", (press) => this.#key(press));
    this.root = element(
      "section",
      "panel trends",
      element("div", "title", element("h3", "", t("Trends")), spans),
      this.#read,
      this.#plotList,
      this.#lanes.root,
      this.#values.root,
    );
    new ResizeObserver(() => this.#arrange()).observe(this.#plotList);
    watchColours(() => this.#plots.forEach((plot) => plot.recolour()));
    this.#mark();
  }

  /** Another bed is shown, or none: nothing of the one before is kept. */
  open(bed) {
    this.#bed = bed;
    this.#asked += 1;
    this.#columns = new Columns();
    this.#state = null;
    this.#zoomed = null;
    this.#under = false;
    this.#looked = { whole: -Infinity, tail: -Infinity };
    this.#plots.clear();
    this.#plotList.replaceChildren();
  }

  /** Show the present of the bed; `now` is the station's time in milliseconds. */
  update(state) {
    this.#state = state;
    setHidden(this.#spans.get(SESSION), !state.details?.session);
    if (this.#span === SESSION && state.details !== null && !state.details.session) this.#choose("30 min");
    const present = SPECS.filter((spec) => spec.keys.some((key) => state.bed.vitals[key]));
    const last = present.at(-1);
    if (present.map((it) => it.id).join() !== [...this.#plots.keys()].join()) this.#make(present, last);
    if (state.live) this.#look();
    this.#draw();
  }

  #make(specs, last) {
    const hooks = {
      zoom: (since, until) => this.#dragged(since, until),
      follow: () => this.#follow(),
      point: (at) => this.#point(at),
    };
    const made = specs.map((spec) => [spec.id, new Plot({ ...spec, times: spec === last }, hooks)]);
    this.#plots = new Map(made);
    this.#plotList.replaceChildren(...made.map(([, plot]) => plot.root));
    this.#plotList.style.setProperty("min-height", `${MINIMUM * made.length + 10}px`);
    this.#arrange();
  }

  /** From when to when is shown, UTC seconds. */
  get #window() {
    if (this.#zoomed !== null) return this.#zoomed;
    const now = this.#state.now / 1000;
    const seconds = SPANS[this.#span];
    if (seconds !== null) return [now - seconds, now];
    const opened = Date.parse(this.#state.details?.session?.opened_at ?? this.#state.now) / 1000;
    return [Math.min(opened, now - SHORTEST), now];
  }

  /** Ask for what is not known yet: the whole now and then, its end often. */
  #look() {
    const moment = performance.now();
    if (this.#under || this.#bed === null || document.hidden) return;
    const wholeDue = moment - this.#looked.whole >= WHOLE_EVERY;
    if (wholeDue) this.#fetch(true);
    else if (this.#zoomed === null && moment - this.#looked.tail >= TAIL_EVERY) this.#fetch(false);
  }

  async #fetch(whole) {
    const asked = this.#asked;
    const [from, until] = this.#window;
    const since = whole ? from : Math.max(from, this.#until - BACK);
    const width = Math.round(Math.min(WIDTHS[1], Math.max(WIDTHS[0], this.#plotList.clientWidth)));
    const text = (at) => encodeURIComponent(new Date(at * 1000).toISOString());
    // The newest has no end: the two clocks need not agree to the millisecond.
    const end = this.#zoomed === null ? "" : `&until=${text(until)}`;
    const path = `/api/beds/${encodeURIComponent(this.#bed)}/trends?since=${text(since)}${end}&width=${width}`;
    this.#under = true;
    try {
      const told = await api.get(path);
      if (asked !== this.#asked) return;
      if (whole) this.#columns.replace(told);
      else this.#columns.append(told);
      this.#until = Date.parse(told.until) / 1000;
      this.#looked.tail = performance.now();
      if (whole) this.#looked.whole = performance.now();
      this.#draw();
    } catch {
      // What is shown has its time; the head of the page says that nothing is live.
      this.#looked.tail = performance.now();
    } finally {
      if (asked === this.#asked) this.#under = false;
    }
  }

  /** Another span is shown: what was asked for the one before is no longer wanted. */
  #again() {
    this.#asked += 1;
    this.#under = false;
    this.#looked.whole = -Infinity;
    this.#mark();
    if (this.#state?.live) this.#look();
    this.#draw();
  }

  #choose(span) {
    this.#span = span;
    this.#follow();
  }

  #follow() {
    this.#zoomed = null;
    this.#again();
  }

  /** Every plot says what was dragged over: all have said so before the first one changes its scale. */
  #dragged(since, until) {
    if (this.#dragging) return;
    this.#dragging = true;
    queueMicrotask(() => {
      this.#dragging = false;
      this.#zoom(since, until);
    });
  }

  #zoom(since, until) {
    const middle = (since + until) / 2;
    const half = Math.max(until - since, NEAREST) / 2;
    this.#zoomed = [middle - half, middle + half];
    this.#again();
  }

  #move(part) {
    if (this.#state === null) return;
    const [since, until] = this.#window;
    const by = (until - since) * part;
    if (until + by >= this.#state.now / 1000) this.#follow();
    else this.#zoom(since + by, until + by);
  }

  #mark() {
    for (const [name, made] of this.#spans) {
      setAttribute(made, "aria-pressed", String(this.#zoomed === null && name === this.#span));
    }
    setHidden(this.#live, this.#zoomed === null);
  }

  #draw() {
    if (this.#state === null || this.#plots.size === 0) return;
    const [since, until] = this.#window;
    const { details, history, now } = this.#state;
    // What would be drawn as before is not: a chart that follows moves by parts of a pixel with each message.
    const pixel = (until - since) / Math.max(1, this.#plotList.clientWidth);
    const place = [Math.floor(until / pixel), Math.round(until - since), this.#laidOut];
    const drawn = [...place, this.#columns.version, details, history];
    if (drawn.every((it, index) => it === this.#drawn[index])) return;
    this.#drawn = drawn;
    for (const plot of this.#plots.values()) plot.show(this.#columns, details?.limits ?? [], since, until);
    const entries = details?.session?.entries ?? [];
    const { phases } = this.#columns;
    this.#lanes.update({ phases, entries, events: history?.alerts ?? [], since, until, now: now / 1000 });
    this.#values.update(this.#columns, since, until);
    if (this.#pointed === null) this.#say();
  }

  /** Every plot says where the cursor is: it is told once, when all have. */
  #point(at) {
    this.#pointed = at;
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#say();
    });
  }

  #say() {
    const text = this.#pointed === null ? "" : readAt(this.#columns, this.#pointed);
    setText(this.#read, text || (this.#columns.read ? HINT : UNREAD));
    setData(this.#read, "unread", this.#columns.read ? "" : "yes");
  }

  #key(press) {
    const side = { ArrowLeft: -1, ArrowRight: 1 }[press.key];
    if (side === undefined || press.target !== this.#plotList) return;
    press.preventDefault();
    const [since, until] = this.#window;
    const from = this.#pointed ?? (side > 0 ? since : until);
    const at = Math.min(until, Math.max(since, from + side * (until - since) * STRIDE));
    for (const plot of this.#plots.values()) plot.point(at);
    this.#point(at);
  }

  #arrange() {
    const [width, height] = [this.#plotList.clientWidth, this.#plotList.clientHeight];
    if (width === 0) return;
    this.#laidOut += 1;
    const specs = [...this.#plots.values()].map((plot) => plot.spec);
    const weights = specs.reduce((sum, spec) => sum + spec.weight, 0);
    const spare = Math.max(0, height - MINIMUM * specs.length);
    for (const plot of this.#plots.values()) {
      plot.resize(width, MINIMUM + Math.floor((spare * plot.spec.weight) / weights));
    }
    this.#draw();
  }
}
