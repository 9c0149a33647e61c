// The wall: one tile a bed, updated in place.

import { MARKS, loudest, rankOf, told } from "./alerts.js";
import { AlertLine } from "./calls.js";
import { Keyed, element, setAttribute, setData, setText } from "./dom.js";
import { Tile, withheld } from "./tile.js";
import * as views from "./views.js";

/** Of a tile, in rem: at this width a numeric and its label still stand on one line. */
const NARROWEST_TILE = 13.5;
/** Width to height of a tile in which the digits are largest. */
const BEST_SHAPE = 1.25;
/** Height and width of a tile, in rem, below which it leaves out the lines of devices that work, and then the trend. */
const COMPACT = { height: 27, width: 28 };
const DENSE = { height: 15, width: 18 };

/** A bed with alerts, named in the header of a page that scrolls. */
class Standing {
  constructor() {
    this.mark = element("span", "mark");
    this.link = element("a");
    this.root = element("li", "alert", this.mark, this.link);
  }

  update(bed) {
    const alert = loudest(bed.alerts);
    setText(this.mark, MARKS[alert.kind][alert.priority]);
    setText(this.link, bed.label);
    const onWall = views.bed === null;
    setAttribute(this.link, "href", onWall ? `#bed-${encodeURIComponent(bed.id)}` : views.chairPath(bed.id));
    setData(this.root, "priority", alert.priority);
    setData(this.root, "signal", alert.signal);
  }
}

export class Wall {
  #root;
  #tiles;
  #standing;
  #station;
  #beds = [];
  /** What the tiles show as soon as they are to be seen again. */
  #held = null;
  #alertKeys = "";

  /** `acts(request)` has something done about the alerts of the station itself. */
  constructor(root, standing, station, acts) {
    this.#root = root;
    this.#standing = new Keyed(standing, () => new Standing());
    this.#station = new Keyed(station, () => new AlertLine(acts));
    this.#tiles = new Keyed(root, () => new Tile());
    const arrange = new ResizeObserver(() => this.#arrange());
    for (const part of [document.documentElement, ...document.querySelectorAll(".bar")]) arrange.observe(part);
    new ResizeObserver(() => this.#measure()).observe(root);
    views.watch(() => this.#shown());
  }

  /** Show a snapshot, with the `Trends` of the beds. */
  show(snapshot, trends) {
    const now = Date.parse(snapshot.now);
    this.#beds = snapshot.beds;
    const dated = snapshot.beds.map((bed) => ({ ...bed, alerts: told(bed.alerts, now, bed.alarm) }));
    // The notice beside them has the rest.
    const brief = told(snapshot.station_alerts, now).map((it) => ({ ...it, text: it.text.split(": ", 1)[0] }));
    this.#station.update(brief, (alert) => alert.key);
    this.#held = dated.map((bed) => ({ bed, steps: trends.of(bed.id), now: now / 1000 }));
    this.#update();
    this.#name(dated);
    this.#flashTogether([...dated, { id: "", alerts: brief }]);
  }

  /** Take every value away: what is shown is no longer the present. */
  withhold() {
    const steps = { version: -1, vitals: new Map() };
    this.#held = this.#beds.map((bed) => ({ bed: withheld(bed), steps, now: 0 }));
    this.#update();
    this.#standing.update([], (bed) => bed.id);
    this.#station.update([], (alert) => alert.group);
    this.#alertKeys = "";
  }

  /** The wall comes into sight, or goes out of it. */
  #shown() {
    if (this.#held === null) return;
    this.#update();
    this.#name(this.#held.map((it) => it.bed));
    this.#arrange();
  }

  /** Tiles that nobody sees are left as they are. */
  #update() {
    if (views.bed !== null && this.#root.hidden) return;
    if (this.#tiles.update(this.#held, (it) => it.bed.id)) this.#arrange();
  }

  /** Name the beds with alerts, the most urgent first, for a page on which they may be out of sight. */
  #name(beds) {
    const alarmed = beds.filter((bed) => bed.alerts.length > 0).sort((a, b) => rankOf(b) - rankOf(a));
    this.#standing.update(alarmed, (bed) => bed.id);
  }

  #measure() {
    const { offsetTop, offsetHeight } = this.#root;
    document.body.classList.toggle("scrolls", views.bed !== null || offsetTop + offsetHeight > window.innerHeight);
  }

  /** As many columns as make the tiles largest in the shape that suits them. */
  #arrange() {
    const count = this.#beds.length;
    const width = this.#root.clientWidth;
    if (count === 0 || width === 0) {
      this.#measure();
      return;
    }
    const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
    const heights = [...document.querySelectorAll(".bar")].map((bar) => bar.getBoundingClientRect().height);
    const bars = Math.ceil(heights.reduce((sum, height) => sum + height, 0));
    this.#root.style.setProperty("--bars", `${bars}px`);
    const height = window.innerHeight - bars;
    let best = { columns: 1, size: 0 };
    for (let columns = 1; columns <= count; columns += 1) {
      const tile = { width: width / columns, height: height / Math.ceil(count / columns) };
      if (columns > 1 && tile.width < NARROWEST_TILE * rem) break;
      const size = Math.min(tile.width, tile.height * BEST_SHAPE);
      if (size > best.size) best = { columns, size, ...tile };
    }
    const below = (least) => best.width < least.width * rem || best.height < least.height * rem;
    this.#root.style.setProperty("--columns", String(best.columns));
    // Where the page scrolls anyway there is room for everything.
    const scrolls = best.columns === 1 && count > 1 && below(DENSE);
    setData(this.#root, "density", scrolls ? "roomy" : below(DENSE) ? "dense" : below(COMPACT) ? "compact" : "roomy");
    this.#measure();
  }

  /** Lights that blink out of step tire the eye: all are put in step when the alerts change. */
  #flashTogether(shown) {
    const key = (bed) => bed.alerts.map((it) => `${bed.id} ${it.rule} ${it.priority} ${it.signal}`);
    const keys = shown.flatMap(key).join("\n");
    if (keys === this.#alertKeys) return;
    this.#alertKeys = keys;
    requestAnimationFrame(() => {
      for (const animation of document.getAnimations()) animation.startTime = 0;
    });
  }
}
