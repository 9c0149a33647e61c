// Three time lines below the plots: where the visit was, how long alerts lasted, and what was entered.

import { element, Keyed, setAttribute, setData, setText } from "./dom.js";
import { BRIEF_STATES } from "./terms.js";
import { timeOf } from "./times.js";
import { t } from "./words.js";

const RANKS = { low: 1, medium: 2, high: 3 };

/** A mark at a place in time, from `since` to `until`; one without an end has no length. */
class Mark {
  constructor(className) {
    this.root = element("span", className);
  }

  update({ left, width, title, kind, text = "" }) {
    setText(this.root, text);
    setAttribute(this.root, "title", title);
    setData(this.root, "kind", kind);
    if (this.left !== left) this.root.style.setProperty("left", (this.left = left));
    if (this.width !== width) this.root.style.setProperty("width", (this.width = width));
  }
}

/** How long each alert lasted, by its changes, newest first: `{rule, text, priority, since, until}`, milliseconds. */
function spells(events) {
  const open = new Map();
  const made = [];
  for (const event of [...events].reverse()) {
    if (event.kind === "other") continue;
    const at = Date.parse(event.at);
    const spell = open.get(event.rule);
    if (event.state === "on" || event.state === "acknowledged") {
      if (spell === undefined) {
        const begun = { rule: event.rule, text: event.text, priority: event.priority, since: at, until: null };
        open.set(event.rule, begun);
        made.push(begun);
      } else if (RANKS[event.priority] > RANKS[spell.priority]) {
        spell.priority = event.priority;
      }
    } else if (spell !== undefined) {
      spell.until = at;
      open.delete(event.rule);
    }
  }
  return made.filter((spell) => spell.priority in RANKS);
}

export class Lanes {
  #phases;
  #entries;
  #alerts;

  constructor() {
    const phases = element("div", "track");
    const entries = element("div", "track");
    const alerts = element("div", "track");
    this.#phases = new Keyed(phases, () => new Mark("stretch"));
    this.#entries = new Keyed(entries, () => new Mark("tick"));
    this.#alerts = new Keyed(alerts, () => new Mark("spell"));
    // The same is in the lists of entries and of alerts.
    this.root = element(
      "div",
      "lanes",
      element("div", "lane", element("span", "name", t("Phase")), phases),
      element("div", "lane", element("span", "name", t("Alerts")), alerts),
      element("div", "lane", element("span", "name", t("Entries")), entries),
    );
    this.root.setAttribute("aria-hidden", "true");
  }

  /** `since`, `until` and `now` are UTC seconds. */
  update({ phases, entries, events, since, until, now }) {
    const place = (ms) => ((ms / 1000 - since) / (until - since)) * 100;
    const stretches = phases.map((phase) => ({
      ...between(place, Date.parse(phase.since), phase.until === null ? now * 1000 : Date.parse(phase.until)),
      key: phase.since,
      title: `${timeOf(phase.since)} ${BRIEF_STATES[phase.state]}`,
      text: BRIEF_STATES[phase.state],
      kind: phase.state,
    }));
    this.#phases.update(stretches.filter(isShown), (it) => it.key);
    const ticks = entries
      .filter((entry) => !entry.void && entry.kind !== "correction")
      .map(({ number, at, text, kind }) => ({
        ...between(place, Date.parse(at), Date.parse(at)),
        key: number,
        width: "",
        title: `${timeOf(at)} ${text}`,
        kind,
      }));
    this.#entries.update(ticks.filter(isShown), (it) => it.key);
    const bars = spells(events)
      .sort((a, b) => RANKS[a.priority] - RANKS[b.priority])
      .map(({ rule, text, priority, since: begun, until: over }) => ({
        ...between(place, begun, over ?? now * 1000),
        key: `${rule} ${begun}`,
        title: spanOf(begun, over, text),
        kind: priority,
      }));
    this.#alerts.update(bars.filter(isShown), (it) => it.key);
  }
}

/** How long an alert lasted, in words. */
function spanOf(begun, over, alert) {
  const until = over === null ? t("now") : timeOf(over);
  return t("{since} to {until}: {alert}", { since: timeOf(begun), until, alert });
}

/** Where a stretch of time is, in percent of the track; as far as it is on it. */
function between(place, begins, ends) {
  const [from, to] = [place(begins), place(ends)];
  const left = Math.max(0, from);
  const percent = (number) => `${number.toFixed(2)}%`;
  return { from, to, left: percent(left), width: percent(Math.max(0, Math.min(100, to) - left)) };
}

function isShown({ from, to }) {
  return to >= 0 && from <= 100;
}
