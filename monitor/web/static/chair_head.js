// Whose chair it is, where the visit is, and the numerics as they are on the wall.

import { loudest, told } from "./alerts.js";
import { element, Keyed, setAttribute, setData, setHidden, setText } from "./dom.js";
import { numerics } from "./numerics.js";
import { Numeric } from "./tile.js";
import { STATES } from "./terms.js";
import { minutes } from "./times.js";
import { reviewPath } from "./views.js";
import { t } from "./words.js";

/** How far the infusion is: `12:03 of 40 min`, and what it ran beyond that. */
function progress(session) {
  if (!session || session.elapsed_s === null || session.elapsed_s === undefined) return ["", ""];
  const over = session.overrun_s > 0 ? t("over by {time}", { time: minutes(session.overrun_s) }) : "";
  const elapsed = minutes(session.elapsed_s);
  return [t("{elapsed} of {planned} min", { elapsed, planned: session.planned_minutes }), over];
}

export class Head {
  #label = element("h2");
  #reference = element("span", "reference");
  #state = element("span", "state");
  #progress = element("span", "progress");
  #over = element("span", "over");
  #asked = element("span", "asked");
  #review = element("a", "review", t("Review this session"));

  constructor() {
    const back = element("a", "back", t("‹ All beds"));
    back.href = "/";
    this.#label.tabIndex = -1;
    this.root = element(
      "header",
      "chair-head",
      back,
      this.#label,
      this.#reference,
      this.#state,
      this.#progress,
      this.#over,
      this.#asked,
      this.#review,
    );
  }

  focus() {
    this.#label.focus({ preventScroll: true });
  }

  update({ bed, details, live }) {
    const session = live ? bed.session : null;
    setText(this.#label, bed.label);
    setText(this.#reference, session?.reference ?? "");
    setText(this.#state, session ? (STATES[session.state] ?? session.state) : live ? t("No session") : t("Not known"));
    setData(this.#state, "state", session?.state ?? "");
    const [run, over] = progress(session);
    setText(this.#progress, run);
    setText(this.#over, over);
    setText(this.#asked, live ? (details?.session?.asked ?? "") : "");
    if (session) setAttribute(this.#review, "href", reviewPath(session.session));
    setHidden(this.#review, !session);
    setAttribute(this.root, "aria-label", bed.label);
    for (const it of [this.#reference, this.#progress, this.#over, this.#asked]) {
      setHidden(it, it.textContent === "");
    }
  }
}

export class Numerics {
  #bigList = element("dl", "vitals");
  #smallList = element("dl", "small");
  #big = new Keyed(this.#bigList, () => new Numeric());
  #small = new Keyed(this.#smallList, () => new Numeric());

  constructor() {
    this.root = element("section", "panel values-now", this.#bigList, this.#smallList);
    this.root.setAttribute("aria-label", t("Vitals"));
  }

  /** `shown` is the bed, with its vitals withheld where nothing is live. */
  update({ shown, now }) {
    const { big, small } = numerics(shown);
    const alerts = told(shown.alerts, now, shown.alarm);
    for (const it of [...big, ...small]) {
      it.alert = loudest(alerts.filter((alert) => it.keys.includes(alert.vital)));
    }
    this.#big.update(big, (it) => it.key);
    this.#small.update(small, (it) => it.key);
  }
}
