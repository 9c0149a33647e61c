// The alerts that stand on the bed, with what a nurse can do about them.

import { inhibitions, told } from "./alerts.js";
import { AlertLine, Inhibition, acknowledge, asSeen } from "./calls.js";
import { button, element, Keyed, setAttribute, setHidden, setText } from "./dom.js";
import { minutes } from "./times.js";
import { t } from "./words.js";

/** A line as on the wall, with a button that is hard to miss. */
class Standing {
  #alert = null;
  #line = new AlertLine();
  #see;

  constructor(acknowledge) {
    this.#see = button("see", t("Acknowledge"), () => acknowledge(this.#alert));
    this.root = this.#line.root;
    this.root.classList.add("standing");
    this.root.append(this.#see);
  }

  update({ alert, live, nurse }) {
    this.#alert = alert;
    this.#line.update(alert);
    setHidden(this.#see, !nurse || alert.state === "acknowledged");
    setAttribute(this.#see, "aria-label", t("Acknowledge {alert}", { alert: alert.text }));
    if (this.#see.disabled !== !live) this.#see.disabled = !live;
  }
}

/** Audio or alarm signals that are paused or off, with how long still, and the way back. */
class Inhibited {
  #shown = null;
  #said = new Inhibition();
  #on;

  constructor(resume) {
    this.#on = button("", t("Resume"), () => resume(this.#shown.what));
    this.root = this.#said.root;
    this.root.append(this.#on);
  }

  update({ shown, live, nurse }) {
    this.#shown = shown;
    this.#said.update(shown);
    setText(this.#on, shown.state === "off" ? t("Switch on") : t("Resume"));
    setHidden(this.#on, !nurse);
    if (this.#on.disabled !== !live) this.#on.disabled = !live;
  }
}

export class Alerts {
  #desk;
  #bed = null;
  #offer = null;
  #shown = [];
  #list = element("ul", "alerts");
  #inhibitionList = element("ul", "inhibitions");
  #none = element("p", "none", t("No alerts"));
  #all;
  #pause;
  #alerts = new Keyed(this.#list, () => new Standing((alert) => this.#acknowledge([alert])));
  #inhibitions = new Keyed(this.#inhibitionList, () => new Inhibited((what) => this.#resume(what)));

  constructor(desk) {
    this.#desk = desk;
    this.#all = button("all", t("Acknowledge all"), () => this.#acknowledge(this.#shown));
    this.#pause = button("pause", t("Pause audio"), () => this.#pauseAudio());
    const tools = element("div", "tools", this.#none, this.#inhibitionList, this.#pause, this.#all);
    this.root = element("section", "panel standing-alerts", element("h3", "unseen", t("Alerts")), this.#list, tools);
  }

  update({ bed, details, now, live, nurse }) {
    this.#bed = bed;
    this.#offer = details?.offer ?? null;
    this.#shown = told(bed.alerts, now, bed.alarm);
    this.#alerts.update(
      this.#shown.map((alert) => ({ alert, live, nurse })),
      (it) => it.alert.key,
    );
    this.#inhibitions.update(
      inhibitions(bed).map((shown) => ({ shown, live, nurse })),
      (it) => it.shown.what,
    );
    setText(this.#none, live ? t("No alerts") : t("Alerts are not known"));
    setHidden(this.#none, this.#shown.length > 0);
    const waiting = this.#shown.filter((alert) => alert.state !== "acknowledged");
    setHidden(this.#all, !nurse || waiting.length < 2);
    const quiet = bed.audio.state !== "on" || bed.alarm.state !== "on";
    setHidden(this.#pause, !nurse || quiet || this.#offer === null);
    if (this.#offer) setText(this.#pause, t("Pause audio {time}", { time: minutes(this.#offer.pause.seconds) }));
    for (const it of [this.#all, this.#pause]) if (it.disabled !== !live) it.disabled = !live;
  }

  /** Only what is shown: an alert that comes meanwhile has been seen by nobody. */
  #acknowledge(alerts) {
    const groups = alerts.filter((alert) => alert.state !== "acknowledged").map((alert) => alert.group);
    if (groups.length > 0) this.#signal(`acknowledge ${groups}`, acknowledge([...new Set(groups)]));
  }

  #resume(what) {
    this.#signal("on", { verb: "on", what });
  }

  #pauseAudio() {
    this.#signal("pause", asSeen({ verb: "pause", what: "audio", seconds: this.#offer.pause.seconds }));
  }

  #signal(key, body) {
    const bed = this.#bed.id;
    this.#desk.once(key, () => this.#desk.signal({ ...body, bed }));
  }
}
