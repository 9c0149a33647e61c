// What became of the alerts of this bed, newest first.

import { MARKS } from "./alerts.js";
import { element, Keyed, setData, setHidden, setText } from "./dom.js";
import { scroller, whenOf } from "./chair_words.js";
import { t } from "./words.js";

/** Of alerts. */
const CHANGES = {
  on: t("began"),
  latched: t("over, not acknowledged"),
  acknowledged: t("acknowledged"),
  off: t("over"),
};

/** Of alerts, and of what people did to the signals. */
function wordOf({ kind, state }) {
  if (kind === "other") return t("signals");
  return CHANGES[state] ?? state;
}

class Change {
  #at = element("span", "at");
  #mark = element("span", "mark");
  #text = element("span", "text");
  #state = element("span", "by");

  constructor() {
    // As the station told it.
    this.#text.lang = "en";
    this.root = element("li", "change", this.#at, this.#mark, element("span", "words", this.#text, " ", this.#state));
  }

  update({ event, now }) {
    setText(this.#at, whenOf(event.at, now));
    setText(this.#mark, MARKS[event.kind]?.[event.priority] ?? "");
    setText(this.#text, event.text);
    const actor = event.text.includes(event.actor) ? "" : event.actor;
    setText(this.#state, [wordOf(event), actor].filter(Boolean).join(", "));
    setData(this.root, "priority", event.priority);
    setData(this.root, "state", event.state);
  }
}

export class AlertHistory {
  #rows;
  #list = element("ol", "entries");
  #count = element("span", "count");
  #none = element("p", "none", t("None"));

  constructor() {
    this.#rows = new Keyed(this.#list, () => new Change());
    this.root = element(
      "section",
      "panel alert-history",
      element("div", "title", element("h3", "", t("Alert history")), this.#count),
      scroller(t("Alert history"), this.#none, this.#list),
    );
  }

  update({ history, now }) {
    setHidden(this.root, history === null);
    if (history === null) return;
    setText(this.#count, history.more ? t("the last {n}", { n: history.alerts.length }) : "");
    setHidden(this.#none, history.alerts.length > 0);
    const seen = new Map();
    const keyed = history.alerts.map((event) => {
      const same = `${event.at} ${event.rule} ${event.state} ${event.why}`;
      seen.set(same, (seen.get(same) ?? 0) + 1);
      return { event, now, key: `${same} ${seen.get(same)}` };
    });
    this.#rows.update(keyed, (it) => it.key);
  }
}
