// What the codes of the station's messages are called.

import { language, t } from "./words.js";

/** The parts of a visit, by the phase of a session. */
export const PHASES = {
  check_in: t("Check-in"),
  baseline: t("Baseline"),
  infusion: t("Infusion"),
  recovery: t("Recovery"),
};

/** The same in more detail, by the state of a session. */
export const STATES = {
  check_in: t("Check-in"),
  baseline: t("Baseline"),
  running: t("Infusion running"),
  paused: t("Infusion paused"),
  stopped: t("Infusion stopped"),
  recovery: t("Recovery"),
};

/** Where there is room for one word of a state. */
export const BRIEF_STATES = { ...STATES, running: t("Infusion"), paused: t("Paused"), stopped: t("Stopped") };

/** How urgent an alert is, as one says it, and as a column of it has it. */
export const PRIORITIES = { high: t("high priority"), medium: t("medium priority"), low: t("low priority") };
export const BRIEF_PRIORITIES = { high: t("high"), medium: t("medium"), low: t("low") };

/** What an alert is about: the patient, or the equipment. */
export const KINDS = { physiological: t("physiological"), technical: t("technical") };

/** Who may do what, the least first. */
export const ROLES = { viewer: t("viewer"), nurse: t("nurse"), reviewer: t("reviewer"), admin: t("admin") };

const CAUSES = {
  sensor_off: t("sensor off"),
  searching: t("searching for pulse"),
  artifact: t("motion"),
  low_perfusion: t("low perfusion"),
  no_data: t("no value"),
  measurement_failed: t("measurement failed"),
  provisional: t("provisional, still measuring"),
  age_unknown: t("age unknown"),
  checksum: t("unproven checksum"),
  implausible: t("implausible"),
};

/** Why a reading is not valid, in words. */
export function reasonOf({ cause }) {
  const causes = cause.split(",").filter(Boolean);
  return causes.map((code) => CAUSES[code] ?? code.replaceAll("_", " ")).join(", ");
}

const ANSWERS = { yes: t("yes"), no: t("no") };

/** How an answer to an item of the checklist reads. */
export function answerRead(answer) {
  return ANSWERS[answer] ?? answer;
}

/** What is recorded of an answer: "no" in any language leaves the item open, and the station knows it by that word. */
export function answerRecorded(text) {
  if (language === "en") return text;
  return Object.keys(ANSWERS).find((word) => ANSWERS[word].toLowerCase() === text.toLowerCase()) ?? text;
}
