// Correcting an entry, or making it void: what was written first stays to be seen.

import { ask } from "./dialog.js";
import { answerRead, answerRecorded } from "./terms.js";
import { t } from "./words.js";

/** What a correction can change of each kind of entry, beside its time: as the station has it. */
export const CORRECTABLE = {
  opened: ["reference", "planned_minutes"],
  step: [],
  check: ["answer"],
  note: ["text"],
  event: ["text"],
  dose: ["text"],
  score: ["value", "text"],
  moved: [],
  closed: [],
};
const REASON = { name: "reason", label: t("Reason"), required: true, maxlength: 200 };

/** As a field of date and time takes it, to the second; `at` is RFC 3339 text or milliseconds. */
export function localOf(at) {
  const date = new Date(at);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

/** Ask what is to stand in place of an entry; `send(body)` records it. */
export function correct(session, entry, send) {
  return ask({
    title: t("Correct entry {number}", { number: entry.number }),
    text: t("{text}. Both stay: what stands from now on, and what was written first.", { text: entry.text }),
    fields: [...fieldsOf(entry), REASON],
    ok: t("Record correction"),
    submit: (values) => send({ verb: "correct", session, number: entry.number, ...changesOf(entry, values) }),
  });
}

/** Ask why an entry is to be void; `send(body)` records it. */
export function makeVoid(session, entry, send) {
  return ask({
    title: t("Make entry {number} void", { number: entry.number }),
    text: t("{text}. It stays to be seen, struck through.", { text: entry.text }),
    fields: [REASON],
    ok: t("Make void"),
    submit: ({ reason }) => send({ verb: "correct", session, number: entry.number, void: true, reason }),
  });
}

/** The fields of a correction, filled with what stands. */
function fieldsOf({ kind, content, at }) {
  const types = { text: "textarea", value: "number", planned_minutes: "number" };
  const labels = {
    reference: t("Reference"),
    planned_minutes: t("Planned minutes"),
    answer: t("Answer"),
    text: t("Text"),
    value: t("Value"),
  };
  const fields = CORRECTABLE[kind].map((name) => ({
    name,
    label: labels[name],
    type: types[name] ?? "text",
    value: name === "answer" ? answerRead(content.answer ?? "") : String(content[name] ?? ""),
  }));
  const when = { name: "at", label: t("When it happened"), type: "datetime-local", step: 1, value: localOf(at) };
  return [...fields, when];
}

/** What of the values is another than stands, as a correction says it. */
function changesOf({ at, content }, { reason, at: when, ...values }) {
  if (values.answer) values.answer = answerRecorded(values.answer);
  const changed = Object.entries(values).filter(([name, value]) => value !== null && value !== (content[name] ?? null));
  const time = when === null || when === localOf(at) ? {} : { at: new Date(when).toISOString() };
  return { reason, ...Object.fromEntries(changed), ...time };
}
