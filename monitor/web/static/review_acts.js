// What can be done with a chart: a late note, a correction, a signature. Each is said to the station once.

import { Desk } from "./chair_desk.js";
import { VOIDABLE } from "./chair_words.js";
import * as connection from "./connection.js";
import { correct, CORRECTABLE, localOf, makeVoid } from "./corrections.js";
import { ask } from "./dialog.js";
import { dayOf, hourOf } from "./review_words.js";
import { timeOf } from "./times.js";
import { say, wrong } from "./toast.js";
import { t, tn } from "./words.js";

/** Says what became of what was done, as the chair page's line does. */
const TOLD = {
  recorded(answer) {
    const { text, at } = answer.entries[0];
    const kept = answer.recorded ? t("Recorded") : t("Taken, but NOT ON DISK yet");
    say(`${kept} ${timeOf(at)}: ${text}`);
  },
  waiting(touched, wait) {
    const time = timeOf(touched);
    say(t("No answer yet to what you did at {time}. Trying again; it will be recorded once.", { time }));
    return new Promise((resolve) => {
      setTimeout(resolve, wait, true);
    });
  },
  refused() {},
  failed(problem) {
    wrong(problem.text ?? String(problem));
  },
};

export class Acts {
  #desk;

  /** `changed` is called when something was recorded. */
  constructor(changed) {
    this.#desk = new Desk({ told: TOLD, changed, now: () => connection.now() });
  }

  /** Whether an entry can be corrected, and made void. */
  can(entry) {
    if (entry.void) return { correct: false, void: false };
    return { correct: entry.kind in CORRECTABLE, void: VOIDABLE.has(entry.kind) };
  }

  correct(session, entry) {
    this.#once(`correct ${entry.number}`, () => correct(session, entry, (body) => this.#desk.send(body)));
  }

  makeVoid(session, entry) {
    this.#once(`void ${entry.number}`, () => makeVoid(session, entry, (body) => this.#desk.send(body)));
  }

  /** Ask for a note of what happened then; `at` is where the question begins, RFC 3339 text or milliseconds. */
  note(chart, at) {
    const { session, reference } = chart.session;
    this.#once("note", () =>
      ask({
        title: t("Late note for {reference}", { reference }),
        text: t("It is kept with both times: when it happened, and that it was entered now."),
        fields: [
          { name: "text", label: t("Note"), type: "textarea", required: true, maxlength: 4000 },
          {
            name: "at",
            label: t("When it happened"),
            type: "datetime-local",
            step: 1,
            required: true,
            value: localOf(at),
          },
        ],
        ok: t("Record note"),
        submit: ({ text, at: when }) =>
          this.#desk.send({ verb: "note", session, text, at: new Date(when).toISOString() }),
      }),
    );
  }

  /** Ask for the signature of a chart as it is shown. */
  sign(chart) {
    const { session, reference, opened_at: opened, closed_at: closed, entries } = chart.session;
    const through = entries.at(-1).number;
    const readings = chart.vitals.reduce((sum, it) => sum + it.readings, 0);
    const corrected = entries.filter((entry) => entry.kind === "correction").length;
    this.#once("sign", () =>
      ask({
        title: t("Sign the chart of {reference}", { reference }),
        text: t("You say that you have reviewed it as it is shown here. What comes later is shown as added after that."),
        list: [
          t("Session {session}, {day}, {from} to {to}", {
            session,
            day: dayOf(opened),
            from: hourOf(opened),
            to: hourOf(closed),
          }),
          tn("1 entry", "{n} entries, through entry {through}", entries.length, { through }),
          tn("1 of them a correction", "{n} of them corrections", corrected),
          tn("1 alert", "{n} alerts", chart.alerts.length),
          tn("1 reading", "{n} readings", readings),
        ],
        ok: t("Sign"),
        submit: () => this.#desk.send({ verb: "sign", session, through }),
      }),
    );
  }

  #once(key, act) {
    return this.#desk.once(key, act);
  }
}
