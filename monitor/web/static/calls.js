// The alerts of a bed as lines, and what can be done about them.

import { MARKS, actionsOf } from "./alerts.js";
import * as api from "./api.js";
import * as connection from "./connection.js";
import { Keyed, Symbol, button, element, setAttribute, setData, setFigures, setHidden, setText } from "./dom.js";
import { KINDS, PRIORITIES } from "./terms.js";
import { minutes } from "./times.js";
import * as who from "./who.js";
import { t } from "./words.js";

/** Milliseconds for which is said that something could not be done. */
const SAID = 20000;

/** A button for which a double click is one: what it offers may be the contrary by the second. */
function once(className, text, act) {
  return button(className, text, (click) => {
    if (click.detail < 2) act();
  });
}

/** The same request, as of somebody who has seen what is shown now: what comes on meanwhile is not silenced by it. */
export function asSeen(request) {
  return request.verb === "on" ? request : { ...request, seen: connection.moment };
}

/** A request to acknowledge these groups, as they are shown now. */
export function acknowledge(groups) {
  return asSeen({ verb: "acknowledge", groups });
}

/** One line of alerts: how urgent it is, what it says, since when; and a button that acknowledges it. */
export class AlertLine {
  #alert = null;

  /** `act(request)` has something done to the alerts of the bed; without it the line cannot be acknowledged. */
  constructor(act = null) {
    this.mark = element("span", "mark");
    this.mark.setAttribute("role", "img");
    this.text = element("span", "text");
    // As the station told it.
    this.text.lang = "en";
    this.note = element("span", "said");
    this.age = element("span", "figures");
    this.seen = once("seen", "✓", () => act(acknowledge([this.#alert.group])));
    const age = element("span", "age", this.age);
    this.root = element("li", "alert", this.mark, element("span", "words", this.text, " ", this.note), age, this.seen);
    this.acts = act !== null;
  }

  update(alert) {
    this.#alert = alert;
    setText(this.mark, MARKS[alert.kind][alert.priority]);
    setAttribute(this.mark, "aria-label", `${PRIORITIES[alert.priority]}, ${KINDS[alert.kind]}`);
    setText(this.text, alert.text);
    setText(this.note, alert.note);
    setFigures(this.age, minutes(alert.ageSeconds));
    setAttribute(this.seen, "aria-label", t("Acknowledge {alert}", { alert: alert.text }));
    setHidden(this.seen, !this.acts || alert.state === "acknowledged" || !who.may("nurse"));
    setData(this.root, "priority", alert.priority);
    setData(this.root, "kind", alert.kind);
    setData(this.root, "signal", alert.signal);
  }
}

/** Whether the signals of a bed are paused or off, in words and with the symbol. */
export class Inhibition {
  #symbol = new Symbol();

  constructor() {
    this.what = element("span");
    this.left = element("span", "figures");
    this.by = element("span");
    this.root = element("li", "inhibition", this.#symbol.root, element("span", "text", this.what, this.left, this.by));
  }

  update(shown) {
    this.#symbol.show(`${shown.what}-${shown.state}`);
    setText(this.what, shown.text);
    setFigures(this.left, shown.left);
    setText(this.by, shown.by);
    setData(this.root, "what", shown.what);
    setData(this.root, "state", shown.state);
  }
}

class ActionButton {
  #symbol = new Symbol();
  #request = null;

  constructor(act) {
    this.text = element("span", "text");
    this.root = once("action", "", () => act(asSeen(this.#request)));
    this.root.append(this.#symbol.root, this.text);
  }

  update(action) {
    this.#request = action.request;
    this.#symbol.show(action.symbol);
    setText(this.text, action.text);
    setAttribute(this.root, "title", action.text);
  }
}

/** The alerts of one bed, the most urgent first, none left out, and the buttons for all of them. */
export class Calls {
  #bed = null;
  #asked = Promise.resolve();
  #forget = 0;

  constructor() {
    const act = (request) => {
      this.#asked = this.#asked.then(() => this.#act(request));
    };
    this.list = element("ul", "alerts");
    this.bar = element("div", "actions");
    this.failed = element("p", "failed");
    this.failed.setAttribute("role", "alert");
    this.root = element("div", "calls", this.list, this.bar, this.failed);
    this.lines = new Keyed(this.list, () => new AlertLine(act));
    this.buttons = new Keyed(this.bar, () => new ActionButton(act));
  }

  /** Show a bed's alerts. Returns how many buttons there are for all of them. */
  update(bed) {
    this.#bed = bed;
    const focused = this.root.contains(document.activeElement) ? document.activeElement : null;
    this.lines.update(bed.alerts, (alert) => alert.key);
    const actions = who.may("nurse") ? actionsOf(bed) : [];
    this.buttons.update(actions, (action) => action.what);
    this.#hide();
    // Who works with the keyboard stays on this bed, also where what was pressed has gone with what it was for.
    if (focused && (!focused.isConnected || focused.hidden)) this.root.closest(".tile")?.querySelector("a")?.focus();
    return actions.length;
  }

  /** With nothing in it, it takes no room. */
  #hide() {
    setHidden(this.root, [this.list, this.bar, this.failed].every((it) => it.firstChild === null));
  }

  /** One after the other, so that what was asked last is what stays. */
  async #act(request) {
    setData(this.root, "busy", "yes");
    try {
      await api.post("/api/alerts", { ...request, bed: this.#bed.id });
      this.#say("");
    } catch (problem) {
      this.#say(problem.text ?? String(problem));
    }
    setData(this.root, "busy", "");
  }

  #say(text) {
    clearTimeout(this.#forget);
    setText(this.failed, text);
    this.#hide();
    if (text) this.#forget = setTimeout(() => this.#say(""), SAID);
  }
}
