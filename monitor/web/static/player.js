// Sounds one thing at a time: the most urgent that is wanted, burst after burst, until nothing is wanted any more.

import { SIGNALS, lengthOf, play } from "./bursts.js";

/** Seconds from now to the first pulse: what a browser needs to schedule. */
const AHEAD = 0.03;
/** Seconds between bursts of different kinds, so that they are not taken for one. */
const APART = 0.9;

const rank = (signal) => (signal === null ? 0 : SIGNALS[signal].rank);

/** All times are seconds of the context's clock. */
export class Player {
  #context;
  #output;
  #wanted = null;
  /** Why the next burst is due: a `change` of what is wanted, `another` reason for it, or `again` the same. */
  #why = "again";
  #notBefore = 0;
  /** The burst that is being sounded, and the one before with its end. */
  #playing = null;
  #last = { signal: null, end: -Infinity };
  #queue = [];

  /** Into `output`, a node of `context`. */
  constructor(context, output) {
    this.#context = context;
    this.#output = output;
  }

  /** The signal whose burst is being sounded; null between bursts. */
  get sounding() {
    return this.#playing?.signal ?? null;
  }

  /**
   * What is to be sounded from now on; null is nothing.
   *
   * `answered`: whether somebody has silenced what was wanted before; else enough of its burst is sounded first.
   * `another`: whether it is wanted for one more reason than before. `delay`: seconds to wait before its first burst.
   */
  want(signal, { answered = false, another = false, delay = 0 } = {}) {
    const now = this.#context.currentTime;
    if (signal !== this.#wanted) {
      this.#wanted = signal;
      this.#why = "change";
      this.#notBefore = now + delay;
      if (answered && this.#playing !== null && !this.#playing.tested) this.#end(now);
    } else if (another && this.#why === "again") {
      this.#why = "another";
    }
    if (signal !== null) this.#queue = [];
    this.look();
  }

  /** Sound each of these once, unless something is to be heard. */
  test(signals) {
    if (this.#wanted === null && this.#playing === null) this.#queue = [...signals];
    this.look();
  }

  /** Go on. To be called again and again. */
  look() {
    const now = this.#context.currentTime;
    if (this.#playing !== null && now >= this.#playing.until) this.#over(this.#playing.until);
    if (this.#playing !== null && this.#givesWay(this.#playing, now)) this.#end(now);
    if (this.#playing !== null) return;
    if (this.#wanted !== null) {
      if (now >= this.#due()) this.#begin(this.#wanted, false);
    } else if (this.#queue.length > 0 && now >= this.#last.end + APART) {
      this.#begin(this.#queue.shift(), true);
    }
  }

  #due() {
    const { signal, end } = this.#last;
    const wait = SIGNALS[this.#wanted];
    if (this.#why === "again") return end + wait.interval;
    if (this.#why === "another") return end + wait.least;
    return Math.max(this.#notBefore, rank(this.#wanted) > rank(signal) ? end : end + APART);
  }

  /** Whether this burst ends now: for what is more urgent at once, else when enough of it was heard. */
  #givesWay({ signal, tested, heard }, now) {
    if (tested) return this.#wanted !== null;
    if (signal === this.#wanted) return false;
    return rank(this.#wanted) > rank(signal) || now >= heard;
  }

  #begin(signal, tested) {
    const at = this.#context.currentTime + AHEAD;
    const stop = play(this.#context, this.#output, signal, at);
    const heard = at + lengthOf(signal, SIGNALS[signal].pulses);
    this.#playing = { signal, tested, stop, heard, until: at + lengthOf(signal) };
    if (!tested) this.#why = "again";
  }

  #end(now) {
    this.#playing.stop();
    this.#over(now);
  }

  #over(end) {
    this.#last = { signal: this.#playing.signal, end };
    this.#playing = null;
  }
}
