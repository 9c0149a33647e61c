// One bed's tile, made once and updated in place.

import { inhibitions, loudest } from "./alerts.js";
import { Calls, Inhibition } from "./calls.js";
import { Keyed, element, setAttribute, setData, setFigures, setHidden, setText } from "./dom.js";
import { deviceText, numerics, sessionLine } from "./numerics.js";
import { Trend } from "./trend.js";
import { chairPath } from "./views.js";
import { t } from "./words.js";

const DOWN = new Set(["silent", "lost", "refused", "undecodable"]);

export class Numeric {
  constructor() {
    this.name = element("span", "name");
    this.unit = element("span", "unit");
    this.limits = element("span", "limits");
    this.age = element("span", "age");
    this.due = element("span", "due");
    this.main = element("span", "main figures");
    this.extra = element("span", "extra");
    this.note = element("dd", "note");
    this.root = element(
      "div",
      "numeric",
      element("dt", "label", this.name, " ", this.unit, " ", this.limits, " ", this.age, " ", this.due),
      element("dd", "value", this.main, " ", this.extra),
      this.note,
    );
  }

  update(shown) {
    setText(this.name, shown.label);
    setText(this.unit, shown.unit);
    setText(this.limits, shown.limits);
    setText(this.age, shown.age);
    setText(this.due, shown.due);
    setFigures(this.main, shown.value);
    setText(this.extra, shown.extra);
    setText(this.note, shown.note);
    setData(this.due, "over", shown.overdue ? "yes" : "");
    setData(this.root, "noted", shown.note ? "yes" : "");
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

class Device {
  constructor() {
    this.name = element("span", "name");
    this.state = element("span", "state");
    this.root = element("li", "device", this.name, " ", this.state);
  }

  update(device) {
    setText(this.name, `${device.title}:`);
    setText(this.state, [device.text ?? deviceText(device), ...device.work, ...device.notices].join(", "));
    setData(this.root, "wrong", device.notices.length > 0 || DOWN.has(device.state) ? "yes" : "");
    setData(this.root, "state", device.state);
    setData(this.root, "called", device.called ? "yes" : "");
    if (this.root.title !== device.detail) this.root.title = device.detail;
  }
}

/** Where a session is; a bar says how much of the infusion is done. */
class Session {
  constructor() {
    this.phase = element("span");
    this.elapsed = element("span", "figures");
    this.planned = element("span");
    this.over = element("span", "figures");
    const [before, after] = t("{time} over").split("{time}");
    this.beyond = element("span", "beyond", ", ", before, this.over, after);
    this.bar = element("span", "run");
    this.bar.setAttribute("aria-hidden", "true");
    const words = element("span", "phase", this.phase, " ", this.elapsed, " ", this.planned, this.beyond);
    this.root = element("p", "session", words, this.bar);
  }

  update(session) {
    const line = sessionLine(session);
    setText(this.phase, line.phase);
    setFigures(this.elapsed, line.elapsed);
    setText(this.planned, line.planned);
    setFigures(this.over, line.over);
    setHidden(this.beyond, line.over === "");
    setData(this.root, "state", session?.state ?? "none");
    setData(this.root, "over", line.over ? "yes" : "");
    const percent = line.done === null ? "" : `${Math.floor(line.done * 100)}%`;
    if (this.percent !== percent) {
      this.percent = percent;
      this.bar.hidden = percent === "";
      this.bar.style.setProperty("--done", percent);
    }
  }
}

export class Tile {
  constructor() {
    this.link = element("a");
    const title = element("h2", "", this.link);
    this.reference = element("p", "reference");
    const inhibitionList = element("ul", "inhibitions");
    this.bigList = element("dl", "numerics");
    const smallList = element("dl", "small");
    const deviceList = element("ul", "devices");
    this.session = new Session();
    this.calls = new Calls();
    this.trend = new Trend();
    this.root = element(
      "article",
      "tile",
      element("header", "head", title, this.reference, this.session.root, inhibitionList),
      this.calls.root,
      element("div", "room", element("div", "area", this.bigList, this.trend.root)),
      smallList,
      deviceList,
    );
    this.inhibitions = new Keyed(inhibitionList, () => new Inhibition());
    this.big = new Keyed(this.bigList, () => new Numeric());
    this.small = new Keyed(smallList, () => new Numeric());
    this.devices = new Keyed(deviceList, () => new Device());
  }

  /** Show a bed, with its steps of the last ten minutes as `Trends.of` gives them; `now` is UTC seconds. */
  update({ bed, steps, now }) {
    setText(this.link, bed.label);
    setAttribute(this.link, "href", chairPath(bed.id));
    setAttribute(this.root, "id", `bed-${bed.id}`);
    setAttribute(this.root, "aria-label", bed.label);
    const { big, small } = numerics(bed);
    for (const shown of [...big, ...small]) {
      shown.alert = loudest(bed.alerts.filter((alert) => shown.keys.includes(alert.vital)));
    }
    const alert = loudest(bed.alerts);
    setData(this.root, "alert", alert?.priority);
    setData(this.root, "signal", alert?.signal);
    setText(this.reference, bed.session?.reference ?? "");
    this.session.update(bed.session);
    this.inhibitions.update(inhibitions(bed), (it) => it.what);
    setData(this.bigList, "cells", big.map((it) => (it.key === "nibp" ? "wide" : "one")).join(" "));
    setData(this.bigList, "notes", big.some((it) => it.note) ? "yes" : "");
    setData(this.bigList, "overdue", big.some((it) => it.overdue) ? "yes" : "");
    setData(this.root, "actions", String(this.calls.update(bed) || ""));
    this.big.update(big, (it) => it.key);
    this.small.update(small, (it) => it.key);
    const called = new Set(bed.alerts.map((alert) => alert.device));
    this.devices.update(bed.devices.map((it) => ({ ...it, called: called.has(it.id) })), (device) => device.id);
    this.trend.update(big, bed.limits ?? {}, steps, now);
  }

  /** The tile is no longer shown. */
  end() {
    this.trend.end();
  }
}

/** The same bed with nothing that could be taken for the present. */
export function withheld(bed) {
  const blank = { value: null, state: "withheld", validity: null, cause: "", reason: "", age_s: null };
  const quiet = { state: "withheld", detail: "", notices: [], work: [] };
  const hidden = (vital) => (vital.state === "missing" ? vital : { ...vital, ...blank });
  return {
    ...bed,
    vitals: Object.fromEntries(Object.entries(bed.vitals).map(([key, vital]) => [key, hidden(vital)])),
    devices: bed.devices.map((device) => ({ ...device, ...quiet, text: t("not known") })),
    session: { phase: t("Session not known"), state: "withheld", reference: "" },
    cuff: null,
    limits: {},
    alerts: [],
    audio: { state: "on" },
    alarm: { state: "on" },
  };
}
