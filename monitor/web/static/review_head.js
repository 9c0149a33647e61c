// Whose chart it is, when it was, how far it is, and what can be done with it.

import { button, element, setAttribute, setData, setHidden, setText } from "./dom.js";
import { Downloads } from "./review_downloads.js";
import { dayOf, hourOf, lengthOf, statusOf } from "./review_words.js";
import { timeOf } from "./times.js";
import { t, tn } from "./words.js";

/** Entries since the signature that are named in the banner. */
const NAMED = 3;

/** How far a chart is, in the words of the list. */
export function statusOfChart({ session, signed, amended }) {
  if (session.closed_at === null) return "open";
  if (amended) return "amended";
  return signed ? "signed" : "unsigned";
}

/** That something was entered since the last signature: what, and the two versions to look at. */
class Banner {
  #text = element("p");
  #list = element("ul");
  #switch;

  constructor(choose) {
    this.#switch = element("div", "choices versions");
    setAttribute(this.#switch, "role", "group");
    setAttribute(this.#switch, "aria-label", t("Version of the chart"));
    for (const [version, words] of [["now", t("As it is now")], ["signed", t("As it was signed")]]) {
      const made = button("touch", words, () => choose(version));
      made.dataset.version = version;
      this.#switch.append(made);
    }
    this.root = element("div", "banner amended", this.#text, this.#list, this.#switch);
    this.root.setAttribute("role", "status");
  }

  /** `now` is the chart as it stands, `version` which one is shown. */
  update(now, version) {
    const last = now.signatures.at(-1);
    setHidden(this.root, !now.amended || last === undefined);
    if (!now.amended || last === undefined) return;
    const since = now.session.entries.filter((entry) => entry.number > last.number);
    const signed = { name: last.by, day: dayOf(last.at), time: timeOf(last.at) };
    const shown =
      version === "signed"
        ? t("This is the chart as {name} signed it on {day} at {time}. It was changed since then.", signed)
        : t("Changed since {name} signed it on {day} at {time}: it needs a new signature.", signed);
    setText(this.#text, shown);
    const lines = since
      .slice(0, NAMED)
      .map((it) => t("Entry {n}, {day} {time}, {name}: {text}", {
        n: it.number,
        day: dayOf(it.entered_at),
        time: timeOf(it.entered_at),
        name: it.by,
        text: it.text,
      }));
    if (since.length > NAMED) lines.push(t("and {n} more", { n: since.length - NAMED }));
    this.#list.replaceChildren(...lines.map((line) => element("li", "", line)));
    for (const made of this.#switch.children) {
      setAttribute(made, "aria-pressed", String(made.dataset.version === version));
    }
  }
}

export class Head {
  #title = element("h2");
  #status = element("span", "state");
  #facts = element("p", "facts");
  #asOf = element("div", "banner as-of");
  #asOfText = element("p");
  #banner;
  #note;
  #sign;
  #live = element("a", "touch live", t("Chair page"));
  #downloads = new Downloads();

  /** What can be done: `note()`, `sign()`, `refresh()`, `choose(version)`. */
  constructor({ note, sign, refresh, choose }) {
    const back = element("a", "back", t("‹ All sessions"));
    back.href = "/review";
    this.#title.tabIndex = -1;
    this.#note = button("touch", t("Late note…"), note);
    this.#sign = button("touch primary", t("Sign…"), sign);
    this.#banner = new Banner(choose);
    this.#asOf.append(this.#asOfText, button("touch", t("Refresh"), refresh));
    const tools = element("div", "choices tools", this.#live, this.#note, this.#sign, this.#downloads.root);
    const line = element("div", "review-line", back, this.#title, this.#status, tools);
    this.root = element("header", "review-head", line, this.#facts, this.#asOf, this.#banner.root);
  }

  focus() {
    this.#title.focus({ preventScroll: true });
  }

  /** Before anything is known of it. */
  name(text) {
    setText(this.#title, text);
    for (const it of [this.#status, this.#facts, this.#asOf, this.#banner.root]) setHidden(it, true);
    for (const it of [this.#note, this.#sign, this.#live, this.#downloads.root]) setHidden(it, true);
  }

  /** `shown` is the chart that is shown, `now` as it stands; `at` is when it was asked for, milliseconds. */
  update({ shown, now, version, at, nurse, label, chair }) {
    const { session } = shown;
    const status = statusOfChart(now);
    const [mark, words] = statusOf({ status, state: session.state });
    setText(this.#title, session.reference);
    setText(this.#status, `${mark} ${words}`);
    setData(this.#status, "status", status);
    setText(this.#facts, factsOf(shown, label));
    const open = status === "open";
    setText(this.#asOfText, t("As of {time}. This page is not live: it shows what was recorded until then.", {
      time: timeOf(at),
    }));
    this.#banner.update(now, version);
    this.#downloads.update(session.session, version);
    setText(this.#sign, now.signatures.length > 0 ? t("Sign again…") : t("Sign…"));
    setText(this.#note, open ? t("Note…") : t("Late note…"));
    setAttribute(this.#live, "href", chair);
    for (const it of [this.#status, this.#facts, this.#downloads.root]) setHidden(it, false);
    setHidden(this.#asOf, !open);
    setHidden(this.#live, !open);
    setHidden(this.#note, !nurse || version !== "now");
    setHidden(this.#sign, !now.may_sign || open || version !== "now");
  }
}

/** When and where it was, for how long, and who signed it. */
function factsOf({ session, span, stays, signatures, summary }, label) {
  const { opened_at: opened, closed_at: closed, planned_minutes: planned, infusion } = session;
  const until = closed ?? span.until;
  const facts = [
    [...new Set(stays.map((stay) => label(stay.bed)))].join(", ") || t("no bed"),
    dayOf(opened),
    `${hourOf(opened)} - ${dayOf(opened) === dayOf(until) ? "" : `${dayOf(until)} `}${hourOf(until)}`,
    infusion === null
      ? t("no infusion")
      : t("infusion {time} of {planned} min planned", { time: lengthOf(summary.infusion_s), planned }),
    t("profile {name}", { name: session.profile }),
    t("session {session}", { session: session.session }),
  ];
  const last = signatures.at(-1);
  if (last?.stands) facts.push(t("signed by {name}, {day} {time}", {
    name: last.by,
    day: dayOf(last.at),
    time: timeOf(last.at),
  }));
  if (signatures.length > 1) facts.push(tn("1 signature", "{n} signatures", signatures.length));
  return facts.join(" · ");
}
