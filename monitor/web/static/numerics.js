// What a tile shows of a bed's vitals, session and devices: pure functions from a snapshot to texts.

import { PHASES, STATES, reasonOf } from "./terms.js";
import { duration, minutes } from "./times.js";
import { t } from "./words.js";

const NONE = "--";

function number(vital) {
  return vital === undefined || vital.value === null ? NONE : vital.value.toFixed(vital.decimals);
}

function note(vital) {
  switch (vital.state) {
    case "missing":
      return t("no reading yet");
    case "invalid":
      return reasonOf(vital);
    case "old":
      return t("no reading for {time}", { time: duration(vital.age_s) });
    case "stale":
      return t("no reading for {time}", { time: duration(Math.max(1, vital.age_s)) });
    default:
      return vital.validity === "questionable" ? reasonOf(vital) : "";
  }
}

/** Where no alert is raised, in words: 50-120, ≥ 90; nothing without limits. */
function between(limits) {
  const { low = null, high = null } = limits ?? {};
  if (low !== null && high !== null) return `${low}–${high}`;
  if (low !== null) return `≥ ${low}`;
  return high === null ? "" : `≤ ${high}`;
}

function ago(seconds) {
  return t("{time} ago", { time: minutes(seconds) });
}

function single(key, vital, limits) {
  return {
    key,
    keys: [key],
    label: vital.label,
    unit: vital.unit,
    colour: vital.colour,
    state: vital.state,
    doubtful: vital.state === "fresh" && vital.validity === "questionable",
    value: number(vital),
    extra: "",
    limits: between(limits[key]),
    age: vital.episodic && vital.age_s !== null ? ago(vital.age_s) : "",
    due: "",
    overdue: false,
    note: note(vital),
  };
}

function pressure(group, label, vitals, cuff = null) {
  const keys = [`${group}_sys`, `${group}_dia`, `${group}_mean`].filter((key) => vitals[key]);
  if (keys.length === 0) return null;
  const [sys, dia, mean] = ["sys", "dia", "mean"].map((part) => vitals[`${group}_${part}`]);
  const lead = keys.map((key) => vitals[key]).find((vital) => vital.value !== null) ?? vitals[keys[0]];
  const causes = lead.cause.split(",");
  const provisional = causes.includes("provisional");
  const shown = { ...single(group, lead, {}), keys, label, provisional, due: due(cuff), overdue: cuff?.due_s < 0 };
  const known = [sys, dia, mean].some((vital) => vital && vital.value !== null);
  shown.value = known ? `${number(sys)}/${number(dia)}` : NONE;
  shown.extra = known && mean && mean.value !== null ? `(${number(mean)})` : "";
  if (lead.episodic && lead.age_s !== null) {
    shown.age = causes.includes("age_unknown") ? t("age unknown") : ago(lead.age_s);
    if (lead.state === "old") shown.note = t("too old to show");
    if (lead.state === "stale") shown.note = lead.validity === "questionable" ? reasonOf(lead) : t("not recent");
  }
  return shown;
}

/** The time to the next cuff reading that is due, in words. */
function due(cuff) {
  if (cuff === null) return "";
  if (cuff.due_s < 0) return t("overdue {time}", { time: minutes(-cuff.due_s) });
  return t("next in {time}", { time: minutes(cuff.due_s) });
}

function has(vital) {
  return vital !== undefined && vital.value !== null;
}

/**
 * The numerics of a bed: those to be read from across the room, and the smaller ones.
 *
 * An oximeter's pulse stands in for the heart rate only where no ECG gives one; otherwise it is a small numeric.
 */
export function numerics(bed) {
  const { vitals } = bed;
  const limits = bed.limits ?? {};
  const { heart_rate: ecg, pulse_rate: pulse, spo2 } = vitals;
  const big = [];
  const small = [];
  const ecgLeads = has(ecg) || (ecg && !has(pulse) && (ecg.state !== "missing" || !pulse || pulse.state === "missing"));
  if (ecg) (ecgLeads ? big : small).push(single("heart_rate", ecg, limits));
  if (pulse) (ecgLeads ? small : big).push(single("pulse_rate", pulse, limits));
  if (spo2) big.push(single("spo2", spo2, limits));
  const cuff = pressure("nibp", "NIBP", vitals, bed.cuff ?? null);
  if (cuff) big.push(cuff);
  for (const key of ["resp_rate", "etco2"]) if (vitals[key]) small.push(single(key, vitals[key], limits));
  const arterial = pressure("abp", "ABP", vitals);
  if (arterial) small.push(arterial);
  for (const key of ["temp", "perfusion_index"]) if (vitals[key]) small.push(single(key, vitals[key], limits));
  return { big, small: small.filter((it) => it.state !== "missing") };
}

/**
 * Where a session is, in words: `phase`, and in the infusion `elapsed`, `planned` and `over`, the time by which it runs
 * on past its plan; `done` is how much of the plan is done (0 to 1), null before and after the infusion.
 */
export function sessionLine(session) {
  const line = { phase: t("No session"), elapsed: "", planned: "", over: "", done: null };
  if (!session) return line;
  line.phase = PHASES[session.phase] ?? session.phase;
  if (session.phase !== "infusion") return line;
  const planned = session.planned_minutes * 60;
  if (!session.running) line.phase = STATES[session.state] ?? session.state;
  line.elapsed = minutes(session.elapsed_s);
  line.planned = `/ ${session.planned_minutes} min`;
  line.over = session.overrun_s > 0 ? minutes(session.overrun_s) : "";
  line.done = planned > 0 ? Math.min(1, session.elapsed_s / planned) : 1;
  return line;
}

/** A device's link, in words. */
export function deviceText(device) {
  switch (device.state) {
    case "receiving":
      return t("receiving");
    case "silent":
      return t("silent for {time}", { time: duration(device.quiet_s ?? device.for_s) });
    case "undecodable":
      return t("cannot decode what it sends");
    case "lost":
      return t("lost, reconnecting");
    case "refused":
      return t("needs a person: {why}", { why: device.detail });
    case "ended":
      return t("recording ended");
    default:
      return t("connecting");
  }
}
