// Which vitals are drawn, and as what: each can be left out, so that what is under it is to be seen.

import { button, element, setAttribute } from "./dom.js";
import { shape } from "./review_svg.js";
import { t } from "./words.js";

/** Vitals that are one thing to people, by the first of them. */
const TOGETHER = { nibp_sys: "NIBP", abp_sys: "ABP" };
const PARTS = /_(dia|mean)$/;

/** How it is drawn, small. */
function sampleOf(vital) {
  const shapes = {
    nibp_sys: () => [shape("path", { d: "M4 2l4 6l4 -6M4 16l4 -6l4 6" })],
    abp_sys: () => [shape("rect", { class: "filled", x: 1, y: 4, width: 14, height: 10 })],
    heart_rate: () => [shape("path", { d: "M0 9h16" }), shape("circle", { class: "filled", cx: 8, cy: 9, r: 3.2 })],
    pulse_rate: () => [shape("path", { d: "M0 9h16" }), shape("circle", { class: "open", cx: 8, cy: 9, r: 3.2 })],
  };
  const made = shapes[vital]?.() ?? [shape("path", { d: "M0 9h16" })];
  return shape("svg", { width: 16, height: 18, viewBox: "0 0 16 18", "aria-hidden": "true" }, ...made);
}

export class Legend {
  #changed;
  /** The vitals that are left out, with all their parts. */
  hidden = new Set();

  /** `changed` is called when another choice is made. */
  constructor(changed) {
    this.#changed = changed;
    this.root = element("div", "choices legend");
    setAttribute(this.root, "role", "group");
    setAttribute(this.root, "aria-label", t("What is drawn"));
  }

  /** Offer these vitals of a chart. */
  offer(vitals) {
    const shown = vitals.filter(({ vital }) => !PARTS.test(vital));
    const made = shown.map(({ vital, label, colour, unit }) => {
      const name = TOGETHER[vital] ?? label;
      const choice = button("vital", "", () => this.#toggle(vital, choice));
      choice.append(sampleOf(vital), name);
      choice.dataset.vital = vital;
      choice.title = `${name} ${unit}`;
      choice.style.setProperty("--vital", colour);
      setAttribute(choice, "aria-pressed", String(!this.hidden.has(vital)));
      return choice;
    });
    this.root.replaceChildren(...made);
  }

  #toggle(vital, choice) {
    const gone = !this.hidden.has(vital);
    const all = vital in TOGETHER ? ["sys", "dia", "mean"].map((part) => vital.replace("sys", part)) : [vital];
    for (const one of all) this.hidden[gone ? "add" : "delete"](one);
    setAttribute(choice, "aria-pressed", String(!gone));
    this.#changed();
  }
}
