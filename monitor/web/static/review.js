// The chart of one session: asked for when it is opened and after each thing that was done, never by itself.

import * as api from "./api.js";
import { loginPath } from "./cover.js";
import { leave } from "./dialog.js";
import { button, element, setData, setHidden } from "./dom.js";
import { Acts } from "./review_acts.js";
import { AlertTable } from "./review_alert_table.js";
import { Chart } from "./review_chart.js";
import { Compare } from "./review_compare.js";
import { EntryList } from "./review_entries.js";
import { Head } from "./review_head.js";
import { cuffTable, summaryOf } from "./review_summary.js";
import {
  checklistOf,
  deviceEventsOf,
  dischargeOf,
  equipmentOf,
  limitsTable,
  signaturesOf,
  silencesOf,
} from "./review_tables.js";
import { secondsOf } from "./review_words.js";
import * as views from "./views.js";
import * as who from "./who.js";
import { t } from "./words.js";

/** Seconds around an alert that are shown with it. */
const AROUND = 60;

let page = null;

/** Begin to show charts in that element; `label(bed)` is what a bed is called. */
export function start(root, label) {
  page = new Review(root, label);
  views.watch((_bed, view) => page.open(view.name === "review" ? view.id : null));
  api.events.addEventListener("me", () => page.again());
}

class Review {
  #root;
  #label;
  #session = null;
  #version = "now";
  #asked = 0;
  /** The chart as it stands, the one that is shown, and when it was asked for. */
  #now = null;
  #shown = null;
  #at = 0;
  #acts = new Acts(() => this.#load());
  #head;
  #chart;
  #compare;
  #alerts;
  #entries;
  #problem = element("div", "banner problem");
  #body = element("div", "review-body");
  #sides = { left: element("div", "side"), right: element("div", "side") };
  #wide = element("div", "side");

  constructor(root, label) {
    this.#root = root;
    this.#label = label;
    const zoom = (since, until) => this.#zoom(since, until);
    this.#head = new Head({
      note: () => this.#note(),
      sign: () => this.#acts.sign(this.#now),
      refresh: () => this.#load(),
      choose: (version) => this.#choose(version),
    });
    this.#chart = new Chart({
      alert: (alert) => this.#alerts.reveal(alert),
      entry: (entry) => this.#entries.reveal(entry.number),
    });
    this.#compare = new Compare((columns) => this.#chart.beside(columns));
    this.#chart.drawn = (shown) => this.#compare.follow(shown);
    this.#alerts = new AlertTable({ zoom, filtered: (alerts) => this.#chart.only(alerts) });
    this.#entries = new EntryList({ acts: this.#acts, zoom });
    this.#problem.setAttribute("role", "alert");
    this.#body.append(this.#chart.root, this.#compare.root, this.#wide, this.#sides.left, this.#sides.right);
    root.replaceChildren(this.#head.root, this.#problem, this.#body);
    setHidden(this.#problem, true);
  }

  /** Show the chart of that session; null is none. */
  open(session) {
    if (session === this.#session) return;
    if (this.#session !== null) leave();
    this.#session = session;
    this.#asked += 1;
    this.#now = this.#shown = null;
    setHidden(this.#body, true);
    setHidden(this.#problem, true);
    if (session === null) return;
    this.#version = new URLSearchParams(location.search).get("version") === "signed" ? "signed" : "now";
    this.#head.name(session);
    this.#head.focus();
    this.#load();
  }

  /** Who acts is known now, or is somebody else. */
  again() {
    if (this.#shown !== null) this.#draw();
    else if (this.#session !== null && !this.#problem.hidden) this.#load();
  }

  async #load() {
    if (this.#session === null) return;
    this.#asked += 1;
    const asked = this.#asked;
    const path = `/api/sessions/${encodeURIComponent(this.#session)}`;
    setData(this.#root, "busy", "yes");
    try {
      const now = await api.get(path);
      if (this.#version === "signed" && now.signatures.length === 0) this.#version = "now";
      const shown = this.#version === "signed" ? await api.get(`${path}?version=signed`) : now;
      if (asked !== this.#asked) return;
      this.#now = now;
      this.#shown = numbered(shown);
      this.#at = now.session.closed_at === null ? Date.parse(now.span.until) : 0;
      setHidden(this.#problem, true);
      setHidden(this.#body, false);
      this.#draw();
      await this.#chart.load(this.#shown, this.#version);
    } catch (problem) {
      if (asked === this.#asked) this.#say(problem);
    }
    if (asked === this.#asked) setData(this.#root, "busy", "");
  }

  #draw() {
    const [shown, version] = [this.#shown, this.#version];
    const nurse = who.may("nurse");
    const label = this.#label;
    const chair = views.chairPath(shown.session.bed);
    const zoom = (since, until) => this.#zoom(since, until);
    this.#head.update({ shown, now: this.#now, version, at: this.#at, nurse, label, chair });
    this.#compare.update(shown);
    this.#alerts.update(shown);
    this.#entries.update(shown, nurse && version === "now");
    this.#wide.replaceChildren(summaryOf(shown, zoom), this.#alerts.root);
    this.#sides.left.replaceChildren(this.#entries.root, checklistOf(shown), dischargeOf(shown), signaturesOf(shown));
    this.#sides.right.replaceChildren(
      cuffTable(shown, zoom),
      limitsTable(shown, zoom),
      silencesOf(shown, zoom),
      equipmentOf(shown),
      deviceEventsOf(shown, zoom),
    );
    setData(this.#root, "version", version);
  }

  #choose(version) {
    if (version === this.#version) return;
    this.#version = version;
    history.replaceState(null, "", `${location.pathname}${version === "signed" ? "?version=signed" : ""}`);
    this.#load();
  }

  #note() {
    const { closed_at: closed, opened_at: opened } = this.#now.session;
    this.#acts.note(this.#now, this.#chart.pointed ?? closed ?? (this.#at || opened));
  }

  #zoom(since, until) {
    const { span } = this.#shown;
    this.#chart.zoom(Math.max(since, secondsOf(span.since) - AROUND), Math.min(until, secondsOf(span.until) + AROUND));
    this.#chart.root.scrollIntoView({ block: "start" });
  }

  #say(problem) {
    const shown = [element("p", "", textOf(problem, this.#session))];
    if (problem.status === 401) {
      const login = element("a", "touch", t("Log in again"));
      login.href = loginPath();
      shown.push(login);
    } else if (problem.status !== 404) {
      shown.push(button("touch", t("Try again"), () => this.#load()));
    }
    this.#problem.replaceChildren(...shown);
    setHidden(this.#problem, false);
  }
}

/** Each alert with an `id` of its own. */
function numbered(chart) {
  return { ...chart, alerts: chart.alerts.map((alert, place) => ({ ...alert, id: `alert-${place + 1}` })) };
}

function textOf(problem, session) {
  if (problem.status === 404) return t("There is no session {session} at this station.", { session });
  if (problem.status === 401) return t("Your login has ended.");
  return problem.text ?? String(problem);
}
