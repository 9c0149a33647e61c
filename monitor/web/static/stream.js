// The stream of the station's messages, opened again and again until it comes.

import * as places from "./places.js";

const PATH = "/api/live";
/** Milliseconds between two attempts to connect, the last for ever after. */
const BACK_OFF = [1000, 2000, 3500, 5000];
/** Milliseconds that an attempt is given for its first message: a slow way needs more than a station that is back. */
const PATIENCE = [3000, 6000, 12000];
/** Milliseconds without a message after which an open stream is taken for dead. */
const SILENCE = 5000;

const after = (times, failures) => times[Math.min(failures, times.length - 1)];

/** All times are milliseconds of one clock, which `look` is given and `clock` gives. */
export class Stream {
  #clock;
  #receive;
  #dropped;
  #source = null;
  #openedAt = 0;
  /** When the last message of this source came; null before its first. */
  #heardAt = null;
  #failures = 0;
  #retryAt = 0;
  #last = "";

  /** `receive(message, asked)` with each message, `asked` null but for a stream's first; `dropped()` when one ends. */
  constructor(clock, receive, dropped) {
    this.#clock = clock;
    this.#receive = receive;
    this.#dropped = dropped;
  }

  /** Whether there is one, that has given a message or still may. */
  get open() {
    return this.#source !== null;
  }

  /** Since when the stream is open, or is tried to be. */
  get openedAt() {
    return this.#openedAt;
  }

  /** Whether messages come, whatever they are worth. */
  comes(steady) {
    return this.open && this.#heardAt !== null && steady - this.#heardAt <= SILENCE;
  }

  /** See to it that there is one. To be called again and again. */
  look(steady) {
    if (this.#source === null) {
      if (steady >= this.#retryAt) this.renew();
      return;
    }
    const patience = this.#heardAt === null ? after(PATIENCE, this.#failures) : SILENCE;
    if (steady - (this.#heardAt ?? this.#openedAt) <= patience) return;
    this.#failures += 1;
    this.renew();
  }

  /** Try again at once, and as soon as at first when that fails. */
  again(steady) {
    this.#failures = 0;
    this.#retryAt = 0;
    this.look(steady);
  }

  /** Give this stream up and open another; it goes on after the last message that came. */
  renew() {
    if (!places.mine) return;
    this.#source?.close();
    const asked = this.#clock.asked();
    // The browser would reconnect by itself only after some faults, and at its own pace.
    const source = new EventSource(this.#last === "" ? PATH : `${PATH}?last=${encodeURIComponent(this.#last)}`);
    source.onmessage = (event) => {
      if (source === this.#source) this.#take(event, asked);
    };
    source.onerror = () => {
      if (source === this.#source) this.#drop();
    };
    this.#source = source;
    this.#openedAt = asked.steady;
    this.#heardAt = null;
  }

  /** Have none until the next look. */
  rest() {
    this.#source?.close();
    this.#source = null;
    this.#retryAt = 0;
  }

  #take(event, asked) {
    const first = this.#heardAt === null;
    if (!this.#receive(JSON.parse(event.data), first ? asked : null)) return;
    this.#heardAt = this.#clock.look();
    this.#failures = 0;
    this.#last = event.lastEventId;
  }

  #drop() {
    this.#source.close();
    this.#source = null;
    this.#retryAt = this.#clock.look() + after(BACK_OFF, this.#failures);
    this.#failures += 1;
    this.#dropped();
  }
}
