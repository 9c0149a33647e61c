// What people do on the chair page goes to the station from here: each thing once, however often it has to be said.

import * as api from "./api.js";
import { t } from "./words.js";

/** Milliseconds after an answer in which the same button does nothing: the second half of a double click. */
const SETTLE = 700;
/** Milliseconds between two tries while no answer comes; the last one for ever. */
const WAITS = [1000, 2000, 3000, 5000];
/** Verbs that say when it happened. */
const TIMED = new Set(["open", "phase", "check", "note", "score", "correct", "move", "close"]);
/** Refusals that say nothing of the thing itself: whoever has asked before goes on asking. */
const PASSING = new Set([401, 403, 429, 502, 503, 504]);

/** Thrown where somebody did not want to wait for the station's answer any longer. */
class GivenUp extends Error {
  constructor() {
    super("given up");
    this.text = t("It is not known whether this was recorded. Look at the entries before you do it again.");
  }
}

/** 32 digits of 0-9a-f by which the station knows a request that is sent again. */
function newId() {
  return crypto.randomUUID().replaceAll("-", "");
}

export class Desk {
  #told;
  #changed;
  #now;
  #busy = new Set();

  /** `told` says what became of it (`waiting`, `recorded`, `failed`), `changed` is called when something was done. */
  constructor({ told, changed, now }) {
    this.#told = told;
    this.#changed = changed;
    this.#now = now;
  }

  /** Milliseconds of the station's clock. */
  get now() {
    return this.#now();
  }

  /**
   * Send a request of a session, until there is an answer; gives it. Throws `Refused`, or `GivenUp`.
   *
   * Sent again it has the same id, so it is done once, and the time at which it was asked for.
   */
  async send(body) {
    const actor = api.actor();
    const touched = new Date(this.#now()).toISOString();
    let whole = { ...body, request: newId() };
    for (let tries = 0; ; tries += 1) {
      try {
        if (tries > 0) api.stillActs(actor);
        const answer = await api.post("/api/sessions", whole);
        this.#told.recorded(answer);
        this.#changed();
        return answer;
      } catch (problem) {
        const lost = problem instanceof api.Unreachable;
        if (!lost && !(tries > 0 && PASSING.has(problem.status))) {
          this.#told.refused();
          throw problem;
        }
        if (TIMED.has(body.verb) && whole.at === undefined) whole = { ...whole, at: touched };
        const goOn = await this.#told.waiting(touched, WAITS[Math.min(tries, WAITS.length - 1)]);
        if (!goOn) {
          this.#changed();
          throw new GivenUp();
        }
      }
    }
  }

  /** Do something to the alerts of a bed. Throws `Refused` or `Unreachable`: it is not sent again by itself. */
  async signal(body) {
    const answer = await api.post("/api/alerts", body);
    this.#changed();
    return answer;
  }

  /**
   * Do `act` for the button `key`, once however often it is pressed; what goes wrong is told.
   *
   * Ends when the button can be pressed again.
   */
  async once(key, act) {
    if (this.#busy.has(key)) return;
    this.#busy.add(key);
    try {
      await act();
    } catch (problem) {
      if (problem.word !== "cancelled") this.#told.failed(problem);
    }
    await new Promise((resolve) => setTimeout(resolve, SETTLE));
    this.#busy.delete(key);
  }

  /** Record with one touch: the same as `once` of `send`. */
  record(key, body) {
    return this.once(key, () => this.send(body));
  }
}
