// What is shown of alerts: pure functions from a snapshot's alerts to texts and looks.

import { minutes } from "./times.js";
import { t } from "./words.js";

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
  if (alert.state === "latched") return t("not acknowledged");
  return alert.state === "acknowledged" ? t("✓ seen by {name}", { name: alert.actor || t("somebody") }) : "";
}

/**
 * What is shown of alerts, with how long each stands and how it is told; `key` is another one for each.
 *
 * Of a group there are two where what is over, and waits for an answer, is more urgent than what is present.
 */
export function told(alerts, now, alarm) {
  const groups = new Set();
  const keyOf = ({ group }) => (groups.size === groups.add(group).size ? `${group} present` : group);
  return alerts.map((alert) => ({
    ...alert,
    key: keyOf(alert),
    text: alert.state === "latched" ? t("was: {alert}", { alert: alert.text.replace(OVER, "") }) : alert.text,
    note: noteOf(alert),
    signal: signalOf(alert, alarm),
    ageSeconds: (now - Date.parse(alert.since)) / 1000,
  }));
}

const INHIBITED = {
  alarm: { paused: t("Alarms paused"), off: t("Alarms OFF") },
  audio: { paused: t("Audio paused"), off: t("Audio OFF") },
};

/** What of a bed's signals is paused or off, in words: `text`, what is `left` of a pause, and `by` whom. */
export function inhibitions(bed) {
  const shown = [];
  for (const what of ["alarm", "audio"]) {
    const { state, for_s: left, by } = bed[what];
    if (state === "on") continue;
    const paused = state !== "off";
    shown.push({
      what,
      state,
      text: paused ? `${INHIBITED[what].paused} ` : INHIBITED[what].off,
      left: paused ? minutes(Math.ceil(left)) : "",
      by: by ? `, ${t("by {name}", { name: by })}` : "",
    });
  }
  return shown;
}

/** What can be done about all alerts of a bed: `request` is what the station is to be asked. */
export function actionsOf(bed) {
  const actions = [];
  if (bed.alerts.some((alert) => alert.state !== "acknowledged")) {
    actions.push({ what: "seen", text: t("Acknowledge"), symbol: "acknowledge", request: { verb: "acknowledge" } });
  }
  for (const [what, resume] of [["audio", t("Resume audio")], ["alarm", t("Resume alarms")]]) {
    if (bed[what].state !== "on") {
      actions.push({ what, text: resume, symbol: `${what}-on`, request: { verb: "on", what } });
    } else if (what === "audio" && bed.alerts.length > 0) {
      actions.push({ what, text: t("Pause audio"), symbol: "audio-paused", request: { verb: "pause", what } });
    }
  }
  return actions;
}
