// The wall: one tile a bed, updated in place. Everything from outside is set as text, never as markup.

import { MARKS, inhibitions, loudest, rankOf, told } from "./alerts.js";
import { deviceText, minutes, numerics } from "./numerics.js";

const SYMBOLS = "http://www.w3.org/2000/svg";
const NARROWEST_TILE = 320;
const BEST_SHAPE = 1.45;

function element(tag, className = "", ...children) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function setData(node, name, value) {
  if (value) {
    if (node.dataset[name] !== value) node.dataset[name] = value;
  } else if (name in node.dataset) {
    delete node.dataset[name];
  }
}

/** The children of one parent, kept by key: made once, moved only when the order changes, removed when gone. */
class Keyed {
  #parent;
  #make;
  #kept = new Map();

  constructor(parent, make) {
    this.#parent = parent;
    this.#make = make;
  }

  /** Returns whether a child came or went. */
  update(items, keyOf) {
    const gone = new Set(this.#kept.keys());
    let changed = false;
    let place = this.#parent.firstChild;
    for (const item of items) {
      const key = keyOf(item);
      gone.delete(key);
      let child = this.#kept.get(key);
      if (child === undefined) {
        child = this.#make(item);
        this.#kept.set(key, child);
        changed = true;
      }
      if (child.root === place) place = place.nextSibling;
      else this.#parent.insertBefore(child.root, place);
      child.update(item);
    }
    for (const key of gone) {
      this.#kept.get(key).root.remove();
      this.#kept.delete(key);
    }
    return changed || gone.size > 0;
  }
}

class Numeric {
  constructor() {
    this.name = element("span", "name");
    this.unit = element("span", "unit");
    this.age = element("span", "age");
    this.main = element("span", "main");
    this.extra = element("span", "extra");
    this.note = element("dd", "note");
    this.root = element(
      "div",
      "numeric",
      element("dt", "label", this.name, " ", this.unit, " ", this.age),
      element("dd", "value", this.main, " ", this.extra),
      this.note,
    );
  }

  update(shown) {
    setText(this.name, shown.label);
    setText(this.unit, shown.unit);
    setText(this.age, shown.age);
    setText(this.main, shown.value);
    setText(this.extra, shown.extra);
    setText(this.note, shown.note);
    setData(this.root, "key", shown.key);
    setData(this.root, "state", shown.state);
    setData(this.root, "doubt", shown.provisional ? "provisional" : shown.doubtful ? "questionable" : "");
    setData(this.root, "alert", shown.alert?.priority);
    setData(this.root, "signal", shown.alert?.signal);
    if (this.colour !== shown.colour) {
      this.colour = shown.colour;
      this.root.style.setProperty("--vital", shown.colour);
    }
  }
}

class Alert {
  constructor() {
    this.mark = element("span", "mark");
    this.mark.setAttribute("role", "img");
    this.text = element("span", "text");
    this.note = element("span", "said");
    this.age = element("span", "age");
    this.root = element("li", "alert", this.mark, this.text, this.note, this.age);
  }

  update(alert) {
    setText(this.mark, MARKS[alert.kind][alert.priority]);
    const label = `${alert.priority} priority, ${alert.kind}`;
    if (this.mark.getAttribute("aria-label") !== label) this.mark.setAttribute("aria-label", label);
    setText(this.text, alert.text);
    setText(this.note, alert.note);
    setText(this.age, minutes(alert.ageSeconds));
    setData(this.root, "priority", alert.priority);
    setData(this.root, "kind", alert.kind);
    setData(this.root, "signal", alert.signal);
  }
}

/** Whether the signals of a bed are paused or off, in words and with the symbol. */
class Inhibition {
  constructor() {
    const symbol = document.createElementNS(SYMBOLS, "svg");
    symbol.setAttribute("aria-hidden", "true");
    this.use = document.createElementNS(SYMBOLS, "use");
    symbol.append(this.use);
    this.text = element("span", "text");
    this.root = element("li", "inhibition", symbol, this.text);
  }

  update(shown) {
    const source = `/static/symbols.svg#${shown.what}-${shown.state}`;
    if (this.use.getAttribute("href") !== source) this.use.setAttribute("href", source);
    setText(this.text, shown.text);
    setData(this.root, "what", shown.what);
    setData(this.root, "state", shown.state);
  }
}

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
    const target = `#bed-${encodeURIComponent(bed.id)}`;
    if (this.link.getAttribute("href") !== target) this.link.setAttribute("href", target);
    setData(this.root, "priority", alert.priority);
    setData(this.root, "signal", alert.signal);
  }
}

class Device {
  constructor() {
    this.name = element("span", "name");
    this.state = element("span", "state");
    this.root = element("li", "device", this.name, " ", this.state);
  }

  update(device) {
    setText(this.name, `${device.title}:`);
    setText(this.state, [device.text ?? deviceText(device), ...device.work, ...device.notices].join(", "));
    setData(this.root, "notices", device.notices.length > 0 ? "yes" : "");
    setData(this.root, "state", device.state);
    if (this.root.title !== device.detail) this.root.title = device.detail;
  }
}

class Tile {
  constructor() {
    this.title = element("h2");
    this.inhibitionList = element("ul", "inhibitions");
    this.alertList = element("ul", "alerts");
    this.bigList = element("dl", "numerics");
    this.smallList = element("dl", "small");
    this.deviceList = element("ul", "devices");
    this.root = element(
      "article",
      "tile",
      element("header", "head", this.title, this.inhibitionList),
      this.alertList,
      element("div", "area", this.bigList),
      this.smallList,
      this.deviceList,
    );
    this.inhibitions = new Keyed(this.inhibitionList, () => new Inhibition());
    this.alerts = new Keyed(this.alertList, () => new Alert());
    this.big = new Keyed(this.bigList, () => new Numeric());
    this.small = new Keyed(this.smallList, () => new Numeric());
    this.devices = new Keyed(this.deviceList, () => new Device());
  }

  update(bed) {
    setText(this.title, bed.label);
    if (this.root.id !== `bed-${bed.id}`) this.root.id = `bed-${bed.id}`;
    const { big, small } = numerics(bed.vitals);
    for (const shown of [...big, ...small]) {
      shown.alert = loudest(bed.alerts.filter((alert) => shown.keys.includes(alert.vital)));
    }
    const alert = loudest(bed.alerts);
    setData(this.root, "alert", alert?.priority);
    setData(this.root, "signal", alert?.signal);
    this.inhibitions.update(inhibitions(bed), (it) => it.what);
    setData(this.bigList, "cells", big.map((it) => it.key === "nibp" ? "wide" : "one").join(" "));
    this.alerts.update(bed.alerts, (alert) => alert.group);
    this.big.update(big, (it) => it.key);
    this.small.update(small, (it) => it.key);
    this.devices.update(bed.devices, (device) => device.id);
  }
}

/** The same beds with nothing that could be taken for the present. */
function withheld(bed) {
  const blank = { value: null, state: "withheld", validity: null, cause: "", reason: "", age_s: null };
  const quiet = { state: "withheld", detail: "", notices: [], work: [] };
  const hidden = (vital) => (vital.state === "missing" ? vital : { ...vital, ...blank });
  return {
    ...bed,
    vitals: Object.fromEntries(Object.entries(bed.vitals).map(([key, vital]) => [key, hidden(vital)])),
    devices: bed.devices.map((device) => ({ ...device, ...quiet, text: "not known" })),
    alerts: [],
    audio: { state: "on" },
    alarm: { state: "on" },
  };
}

export class Wall {
  #root;
  #tiles;
  #standing;
  #station;
  #beds = [];
  #alertKeys = "";

  constructor(root, standing, station) {
    this.#root = root;
    this.#standing = new Keyed(standing, () => new Standing());
    this.#station = new Keyed(station, () => new Alert());
    this.#tiles = new Keyed(root, () => new Tile());
    new ResizeObserver(() => this.#arrange()).observe(document.documentElement);
  }

  /** Show a snapshot's beds and the alerts of the station itself; `now` is the station's time in milliseconds. */
  show(beds, ofStation, now) {
    this.#beds = beds;
    const dated = beds.map((bed) => ({ ...bed, alerts: told(bed.alerts, now, bed.alarm) }));
    // The notice beside them has the rest.
    const brief = told(ofStation, now).map((alert) => ({ ...alert, text: alert.text.split(": ", 1)[0] }));
    this.#station.update(brief, (alert) => alert.group);
    if (this.#tiles.update(dated, (bed) => bed.id)) this.#arrange();
    this.#name(dated);
    this.#flashTogether([...dated, { id: "", alerts: brief }]);
  }

  /** Take every value away: what is shown is no longer the present. */
  withhold() {
    this.#tiles.update(this.#beds.map(withheld), (bed) => bed.id);
    this.#standing.update([], (bed) => bed.id);
    this.#station.update([], (alert) => alert.group);
    this.#alertKeys = "";
  }

  /** Name the beds with alerts, the most urgent first, for a page on which they may be out of sight. */
  #name(beds) {
    const alarmed = beds.filter((bed) => bed.alerts.length > 0).sort((a, b) => rankOf(b) - rankOf(a));
    this.#standing.update(alarmed, (bed) => bed.id);
    document.body.classList.toggle("scrolls", this.#root.offsetHeight + this.#root.offsetTop > window.innerHeight);
  }

  /** As many columns as make the tiles largest in the shape that suits them. */
  #arrange() {
    const count = this.#beds.length;
    const width = this.#root.clientWidth;
    const bars = [...document.querySelectorAll(".bar")].reduce((sum, bar) => sum + bar.offsetHeight, 0);
    const height = window.innerHeight - bars;
    let best = 1;
    let bestSize = 0;
    for (let columns = 1; columns <= count; columns += 1) {
      const tile = width / columns;
      if (columns > 1 && tile < NARROWEST_TILE) break;
      const size = Math.min(tile, (height / Math.ceil(count / columns)) * BEST_SHAPE);
      if (size > bestSize) [best, bestSize] = [columns, size];
    }
    this.#root.style.setProperty("--columns", String(best));
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
