// What else is known of a session: checklist, discharge, limits, devices, silences, signatures.

import { element } from "./dom.js";
import { listed, section, table } from "./review_table.js";
import { dayOf, limitText, secondsOf } from "./review_words.js";
import { answerRead, BRIEF_PRIORITIES as PRIORITIES } from "./terms.js";
import { timeOf } from "./times.js";
import { t } from "./words.js";

/** A part with a table; where it has no rows it says so. */
function part(className, title, names, rows) {
  const content = rows.length > 0 ? listed(title, table(names, rows)) : element("p", "none", t("None"));
  return section(className, title, content).root;
}

/** What was asked before the infusion, and what of it was open. */
export function checklistOf(chart) {
  const rows = chart.checklist.map(({ title, state, answer, reason, by, at }) => ({
    cells: [title, state === "skipped" ? t("skipped: {reason}", { reason }) : answerRead(answer), timeOf(at), by],
    data: { state },
  }));
  return part("checklist", t("Checklist"), [t("Item"), t("Answer"), t("Time"), t("By")], rows);
}

/** The criteria of the discharge as they stood at the closing. */
export function dischargeOf(chart) {
  const rows = chart.discharge.map(({ text, met, detail }) => ({
    cells: [text, met ? `✓ ${t("met")}` : `✗ ${t("not met")}`, detail],
    data: { state: met ? "done" : "open" },
  }));
  return part("discharge-table", t("Discharge criteria"), [t("Criterion"), t("At closing"), t("Found")], rows);
}

/** Which limits were in force when. */
export function limitsTable(chart, zoom) {
  const labels = new Map(chart.vitals.map((it) => [it.vital, it.label]));
  const rows = chart.limits.map(({ rule, vital, side, limit, priority, set_for_session: own, since, until }) => ({
    cells: [
      `${labels.get(vital) ?? vital} ${side === "low" ? "<" : ">"} ${limitText(limit)}`,
      PRIORITIES[priority] ?? priority,
      `${timeOf(since)} - ${timeOf(until)}`,
      own ? t("set for this session") : "",
      rule,
    ],
    go: () => zoom(secondsOf(since) - 30, secondsOf(until) + 30),
    data: { own: own ? "yes" : "" },
  }));
  const names = [t("Limit"), t("Priority"), t("In force"), t("Remark"), t("Rule")];
  return part("limits-table", t("Limits"), names, rows);
}

/** The devices, what they measured, and what was found of their clocks. */
export function equipmentOf(chart) {
  const labels = new Map(chart.vitals.map((it) => [it.vital, it.label]));
  const rows = chart.equipment.map(({ device, vitals, readings, since, until, clock }) => ({
    cells: [
      device,
      vitals.map((it) => labels.get(it) ?? it).join(", ") || t("nothing"),
      since === null ? "--" : `${timeOf(since)} - ${timeOf(until)}`,
      String(readings),
      clock.length > 0 ? clock.map((it) => `${timeOf(it.at)} ${it.text}`).join("; ") : t("no fault found"),
    ],
  }));
  const names = [t("Device"), t("Measured"), t("From - to"), t("Readings"), t("Its clock")];
  return part("equipment", t("Devices"), names, rows);
}

/** What became of the devices: links, their own alarms. */
export function deviceEventsOf(chart, zoom) {
  const rows = chart.device_events.map(({ at, device, state, text, code }) => ({
    cells: [timeOf(at), device, [text || code, state].filter(Boolean).join(": ")],
    go: () => zoom(secondsOf(at) - 60, secondsOf(at) + 60),
  }));
  const made = part("device-events", t("What devices told"), [t("Time"), t("Device"), t("What")], rows);
  made.hidden = rows.length === 0;
  return made;
}

/** When alarm signals were paused, switched off and on. */
export function silencesOf(chart, zoom) {
  const rows = chart.silences.map(({ at, text, actor }) => ({
    cells: [timeOf(at), text, actor || "--"],
    go: () => zoom(secondsOf(at) - 60, secondsOf(at) + 300),
  }));
  const made = part("silences", t("Alarm signals paused or off"), [t("Time"), t("What"), t("By")], rows);
  made.hidden = rows.length === 0;
  return made;
}

/** Who signed, through which entry, and whether that still is the whole chart. */
export function signaturesOf(chart) {
  const rows = chart.signatures.map(({ number, at, by, through, stands }) => ({
    cells: [
      by,
      `${dayOf(at)} ${timeOf(at)}`,
      t("through entry {n}", { n: through }),
      stands ? t("stands") : t("something was entered since"),
      String(number),
    ],
    data: { stands: stands ? "yes" : "no" },
  }));
  const names = [t("Signed by"), t("When"), t("What"), t("State"), t("Entry")];
  const made = section("signatures", t("Signatures"));
  made.root.append(rows.length > 0 ? table(names, rows) : element("p", "none", t("Not signed")));
  if (chart.mark !== null) {
    const help = t("Mark in the journal's chain, for infusion-monitor verify --head:");
    made.root.append(element("p", "help", `${help} `, element("code", "", chart.mark)));
  }
  return made.root;
}
