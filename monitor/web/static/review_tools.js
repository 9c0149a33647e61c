// The buttons above the drawing: zoom, and how it is drawn.

import { button, element, setAttribute, setHidden } from "./dom.js";
import { t } from "./words.js";

/** What a zoom shows of what was shown, and how far one goes to the side. */
export const CLOSER = 0.5;
export const FAR = 0.5;

/** A button whose sign is said in words. */
function signed(sign, words, act) {
  const made = button("touch", sign, act);
  setAttribute(made, "aria-label", words);
  made.title = words;
  return made;
}

export class Tools {
  #changed;
  #limitsButton = button("touch", t("Limits"), () => this.#toggleLimits());
  #countedButton = button("touch", t("Infusion time"), () => this.count(!this.counted));
  /** Whether limits are drawn, and whether time is counted from the infusion's start. */
  limits = true;
  counted = false;

  /** What is done: `whole()`, `zoom(factor)`, `move(part)`, and `changed()` when it is to be drawn in another way. */
  constructor({ whole, zoom, move, changed }) {
    this.#changed = changed;
    this.#countedButton.title = t("Count the minutes from the start of the infusion");
    this.root = element(
      "div",
      "choices zooms",
      button("touch", t("Whole"), whole),
      signed("+", t("Zoom in"), () => zoom(CLOSER)),
      signed("−", t("Zoom out"), () => zoom(1 / CLOSER)),
      signed("◀", t("Earlier"), () => move(-FAR)),
      signed("▶", t("Later"), () => move(FAR)),
      this.#limitsButton,
      this.#countedButton,
    );
    setAttribute(this.root, "role", "group");
    setAttribute(this.root, "aria-label", t("Zoom"));
    this.#mark();
  }

  /** Offer to count from the infusion, where there is one. */
  offer(infusion) {
    setHidden(this.#countedButton, !infusion);
  }

  /** Count time from the infusion's start, or have the time of the day. */
  count(counted) {
    this.counted = counted;
    this.#mark();
    this.#changed();
  }

  #toggleLimits() {
    this.limits = !this.limits;
    this.#mark();
    this.#changed();
  }

  #mark() {
    setAttribute(this.#limitsButton, "aria-pressed", String(this.limits));
    setAttribute(this.#countedButton, "aria-pressed", String(this.counted));
  }
}
