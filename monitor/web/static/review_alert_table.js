// Every alert of a session with its whole life; a filter, which is that of the lane below the drawing too.

import { MARKS } from "./alerts.js";
import { element, setHidden, setText } from "./dom.js";
import { labelled, listed, section, table } from "./review_table.js";
import { lengthOf, secondsOf } from "./review_words.js";
import { BRIEF_PRIORITIES as PRIORITIES, KINDS } from "./terms.js";
import { timeOf } from "./times.js";
import { t } from "./words.js";

/** Seconds around an alert that are shown with it. */
const AROUND = 60;
const FIELDS = ["kind", "priority", "rule"];

/** What became of one, change by change. */
function lifeOf(alert) {
  const words = {
    on: t("on"),
    latched: t("over, not acknowledged"),
    acknowledged: t("acknowledged"),
    off: t("over"),
  };
  return alert.changes.map((it) => {
    const by = it.actor ? ` ${it.actor}` : "";
    return element("li", "", `${timeOf(it.at)} ${words[it.state] ?? it.state}${by}: ${it.text}`);
  });
}

function rowOf(alert, zoom, end) {
  const { kind, priority, text, began, ended, acknowledged: seen, present_until: gone, seconds, over_by: by } = alert;
  const details = element("details", "", element("summary", "", `${MARKS[kind]?.[priority] ?? ""} ${text}`));
  details.append(element("ol", "life", ...lifeOf(alert)));
  const over = ended === null ? t("stood to the end") : timeOf(ended);
  return {
    cells: [
      timeOf(began),
      [details],
      `${PRIORITIES[priority] ?? priority}, ${KINDS[kind] ?? kind}`,
      lengthOf(seconds),
      gone === null ? t("stood to the end") : timeOf(gone),
      seen === null ? "--" : `${timeOf(seen.at)} ${seen.by}`,
      by ? `${over} ${by}` : over,
    ],
    go: () => zoom(secondsOf(began) - AROUND, (ended === null ? end : secondsOf(ended)) + AROUND),
    data: { priority, kind, rule: alert.rule, alert: alert.id },
  };
}

export class AlertTable {
  #zoom;
  #filtered;
  #chart = null;
  #choices = {};
  #list = element("div", "rows");
  #none = element("p", "none", t("None"));
  #section;
  #totals = element("div", "totals");

  /** `zoom(since, until)` shows a stretch; `filtered(alerts)` is called with those that are left. */
  constructor({ zoom, filtered }) {
    this.#zoom = zoom;
    this.#filtered = filtered;
    const filter = element("div", "filter");
    const labels = { kind: t("Kind"), priority: t("Priority"), rule: t("Rule") };
    for (const field of FIELDS) {
      const select = element("select");
      select.addEventListener("change", () => this.#show());
      this.#choices[field] = select;
      filter.append(labelled(labels[field], select));
    }
    const lines = listed(t("Alerts"), this.#list);
    this.#section = section("alert-table", t("Alerts"), filter, this.#none, lines, this.#totals);
    this.root = this.#section.root;
  }

  /** Show the alerts of a chart; each has an `id` of its own. */
  update(chart) {
    this.#chart = chart;
    const rules = new Map(chart.summary.alerts.map((it) => [it.rule, it.text]));
    const texts = { kind: (it) => KINDS[it] ?? it, priority: (it) => PRIORITIES[it] ?? it };
    for (const field of FIELDS) {
      const before = this.#choices[field].value;
      const there = [...new Set(chart.alerts.map((it) => it[field]))].sort();
      const told = (it) => (field === "rule" ? `${it} (${rules.get(it) ?? ""})` : texts[field](it));
      this.#choices[field].replaceChildren(new Option(t("all"), ""), ...there.map((it) => new Option(told(it), it)));
      this.#choices[field].value = there.includes(before) ? before : "";
    }
    this.#totals.replaceChildren(...(chart.summary.alerts.length > 0 ? [totalsOf(chart.summary.alerts)] : []));
    this.#show();
  }

  /** Show the row of an alert. */
  reveal(alert) {
    const row = [...this.#list.querySelectorAll("tr")].find((it) => it.dataset.alert === alert.id);
    row?.scrollIntoView({ block: "center" });
    row?.querySelector("button.time").focus({ preventScroll: true });
  }

  #show() {
    const wanted = FIELDS.map((field) => [field, this.#choices[field].value]).filter(([, value]) => value !== "");
    const left = this.#chart.alerts.filter((alert) => wanted.every(([field, value]) => alert[field] === value));
    const end = secondsOf(this.#chart.span.until);
    const names = [
      t("Began"),
      t("Alert"),
      t("Priority"),
      t("Present for"),
      t("Present until"),
      t("Acknowledged"),
      t("Ended"),
    ];
    setHidden(this.#none, left.length > 0);
    const rows = left.map((alert) => rowOf(alert, this.#zoom, end));
    this.#list.replaceChildren(...(rows.length > 0 ? [table(names, rows)] : []));
    const all = this.#chart.alerts.length;
    setText(this.#section.beside, left.length === all ? String(all) : t("{n} of {all}", { n: left.length, all }));
    this.#filtered(left);
  }
}

/** How often, and for how long in all. */
function totalsOf(alerts) {
  const rows = alerts.map((it) => ({
    cells: [
      `${MARKS[it.kind]?.[it.priority] ?? ""} ${it.text}`,
      it.rule,
      PRIORITIES[it.priority] ?? it.priority,
      String(it.times),
      lengthOf(it.seconds),
    ],
    data: { rule: it.rule },
  }));
  const names = [t("Alerts by rule"), t("Rule"), t("Priority"), t("Times"), t("Time in it")];
  return table(names, rows);
}
