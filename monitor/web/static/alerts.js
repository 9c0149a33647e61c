// What is shown of alerts: pure functions from a snapshot's alerts to texts and looks.

import { minutes } from "./numerics.js";

/** Beside the colour, which not everybody sees: how urgent, and whether of the patient or of the equipment. */
export const MARKS = {
  physiological: { high: "***", medium: "**", low: "*" },
  technical: { high: "!!!", medium: "!!", low: "!" },
};

const RANKS = { high: 3, medium: 2, low: 1 };

/** How the text of a latched alert begins. */
const OVER = /^is over: /;

/** The alert that calls loudest: the most urgent that nobody has acknowledged, or else the first of all. */
export function loudest(alerts) {
  const rank = (alert) => (alert.state === "acknowledged" ? 0 : RANKS[alert.priority]);
  return alerts.reduce((best, alert) => (rank(alert) > rank(best) ? alert : best), alerts[0]);
}

/** How urgently a bed calls: without alerts not at all (0); what is acknowledged or withheld less than all else. */
export function rankOf(bed) {
  const alert = loudest(bed.alerts);
  if (alert === undefined) return 0;
  const quiet = alert.state === "acknowledged" || (bed.alarm && bed.alarm.state !== "on");
  return RANKS[alert.priority] + (quiet ? 0 : 3);
}

/** How an alert is shown: `given`, `latched` or `acknowledged`; `withheld` while the bed's alarm signals are. */
function signalOf(alert, alarm) {
  if (alarm && alarm.state !== "on") return "withheld";
  return alert.state === "on" ? "given" : alert.state;
}

function noteOf(alert) {
  if (alert.state === "latched") return "not acknowledged";
  return alert.state === "acknowledged" ? `✓ seen by ${alert.actor || "somebody"}` : "";
}

/** What is shown of alerts, with how long each stands and how it is told. */
export function told(alerts, now, alarm) {
  return alerts.map((alert) => ({
    ...alert,
    text: alert.state === "latched" ? `was: ${alert.text.replace(OVER, "")}` : alert.text,
    note: noteOf(alert),
    signal: signalOf(alert, alarm),
    ageSeconds: (now - Date.parse(alert.since)) / 1000,
  }));
}

/** What of a bed's signals is paused or off, in words. */
export function inhibitions(bed) {
  const shown = [];
  for (const [what, name] of [["alarm", "Alarms"], ["audio", "Audio"]]) {
    const { state, for_s: left, by } = bed[what];
    if (state === "on") continue;
    const words = state === "off" ? `${name} OFF` : `${name} paused ${minutes(Math.ceil(left))}`;
    shown.push({ what, state, text: by ? `${words}, by ${by}` : words });
  }
  return shown;
}
