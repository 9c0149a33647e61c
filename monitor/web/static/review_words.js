// Words, dates and durations of the review pages.

import { STATES } from "./terms.js";
import { language, t } from "./words.js";

/** How far the chart of a session is, beside a mark that says the same without colour. */
export const STATUS = {
  open: ["○", t("Open")],
  unsigned: ["◐", t("Closed, not signed")],
  signed: ["✓", t("Signed")],
  amended: ["✎", t("Changed since it was signed")],
};

/** What kinds of entries are called. */
export const ENTRIES = {
  opened: t("Opening"),
  step: t("Step"),
  check: t("Checklist"),
  note: t("Note"),
  event: t("Event"),
  dose: t("Dose"),
  score: t("Score"),
  correction: t("Correction"),
  moved: t("Moved"),
  assigned: t("Recording assigned"),
  limit: t("Limit"),
  closed: t("Closing"),
  signed: t("Signature"),
  clock_set: t("Clock set"),
};

const locale = language === "en" ? "en-GB" : language;
const DAY = new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
const BRIEF_DAY = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const HOUR = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

/** The mark and the words of how far a session is; `line` is that of the list. */
export function statusOf({ status, state }) {
  const [mark, words] = STATUS[status];
  return [mark, status === "open" ? `${words}: ${STATES[state] ?? state}` : words];
}

/** Thu, 28 May 2026. */
export function dayOf(at) {
  return DAY.format(new Date(at));
}

/** 28 May. */
export function briefDayOf(at) {
  return BRIEF_DAY.format(new Date(at));
}

/** 12:03. */
export function hourOf(at) {
  return HOUR.format(new Date(at));
}

/** 45 s, 2 min 05 s, 1 h 05 min. */
export function lengthOf(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return t("{s} s", { s: whole });
  const two = (number) => String(number).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (whole < 3600) return t("{m} min {s} s", { m: minutes, s: two(whole % 60) });
  const rounded = Math.round(whole / 60);
  return t("{h} h {m} min", { h: Math.floor(rounded / 60), m: two(rounded % 60) });
}

/** A value as a vital is shown; `--` where there is none. */
export function valueOf(value, vital) {
  return value === null || value === undefined ? "--" : value.toFixed(vital?.decimals ?? 0);
}

/** The number of a limit: one that was computed from the baseline need not be a whole one. */
export function limitText(limit) {
  return String(Math.round(limit * 10) / 10);
}

/** The unit of a vital behind a blank; nothing where it has none. */
export function unitOf(vital) {
  return vital?.unit ? ` ${vital.unit}` : "";
}

/** UTC seconds of RFC 3339 text. */
export function secondsOf(at) {
  return Date.parse(at) / 1000;
}
