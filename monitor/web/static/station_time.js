// The station's clock as it is known here, and how old a message may be at most.
//
// A message says when it was made, by the station's clock; how long it was on its way cannot be seen from it. But an
// answer is never made before it was asked for: each round trip bounds the station's clock from above, and each message
// bounds it from below. The upper bound is what messages are judged by: one may be younger than it says, never older.

/** Milliseconds that the two clocks of this computer may part between two looks; more, and it slept or was set. */
const JUMP = 1000;
/** Milliseconds for which an upper bound is used: meanwhile the clocks of two computers part by less than 0.1 s. */
const UPPER_KEPT = 600000;
/** The same of a lower one; there is a new one with every message. */
const LOWER_KEPT = 30000;
/** Milliseconds that clocks part by themselves between two round trips; more, and one of them was set. */
const DRIFT = 250;

export class StationTime {
  #performance = performance.now();
  #date = Date.now();
  #steady = 0;
  #epoch = 0;
  #guessed = true;
  #upper = [];
  #lower = [];

  /**
   * Milliseconds of this computer, which go on while it sleeps, provided that somebody looks again and again.
   *
   * performance.now() may stand still while the machine sleeps, and the wall clock may be set back: the longer counts.
   */
  look() {
    const [before, beforeDate] = [this.#performance, this.#date];
    this.#performance = performance.now();
    this.#date = Date.now();
    const counted = this.#performance - before;
    const dated = this.#date - beforeDate;
    const parted = Math.abs(dated - counted) > JUMP;
    this.#steady += parted ? Math.max(counted, dated) : counted;
    if (parted) this.#forget();
    return this.#steady;
  }

  #forget() {
    this.#epoch += 1;
    this.#upper = [];
    this.#lower = [];
    this.#guessed = true;
  }

  /** Whether a round trip is wanted, because what is known is a guess. */
  get guessed() {
    return this.#guessed;
  }

  /** To be called when something is asked of the station; `answered` takes what it gives. */
  asked() {
    return { steady: this.look(), epoch: this.#epoch };
  }

  /** The station has answered what was asked then; `made` is the station's time, in milliseconds, of its answer. */
  answered(asked, made) {
    this.look();
    if (asked.epoch !== this.#epoch) return;
    if (this.#guessed) this.#upper = [];
    this.#guessed = false;
    keep(this.#upper, made - asked.steady, this.#steady, UPPER_KEPT);
    // A clock that was set back leaves messages behind that are from its future.
    if (this.#highest() < this.#lowest()) this.#lower = [];
  }

  /** A message came that the station made at that time of its clock. */
  heard(made) {
    this.look();
    const ahead = made - this.#steady;
    // No message comes before it is made: the bound no longer holds. Until the next one this guess serves.
    const over = ahead - this.#highest();
    if (over > 0) this.#upper = [{ bound: ahead, steady: this.#steady }];
    if (over > DRIFT) this.#guessed = true;
    keep(this.#lower, ahead, this.#steady, LOWER_KEPT);
  }

  /** Milliseconds that a message of that time can be old at most; 0 where nothing is known. */
  age(made) {
    return this.#upper.length === 0 ? 0 : this.#highest() + this.#steady - made;
  }

  /** The station's time now, in milliseconds; null before its first message. */
  now() {
    if (this.#lower.length === 0 || this.#upper.length === 0) return null;
    return (this.#highest() + this.#lowest()) / 2 + this.look();
  }

  /** By how many milliseconds this computer's clock is surely ahead of the station's; below 0 it is behind. */
  ahead() {
    const now = this.now();
    if (now === null) return 0;
    const difference = Date.now() - now;
    const unsure = Math.max(0, this.#highest() - this.#lowest()) / 2;
    return Math.sign(difference) * Math.max(0, Math.abs(difference) - unsure);
  }

  // Infinite where there is none, as the least and the greatest of nothing are in JavaScript.
  #highest() {
    return Math.min(...this.#upper.map((it) => it.bound));
  }

  #lowest() {
    return Math.max(...this.#lower.map((it) => it.bound));
  }
}

function keep(bounds, bound, steady, span) {
  bounds.push({ bound, steady });
  while (bounds[0].steady < steady - span) bounds.shift();
}
