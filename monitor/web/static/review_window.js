// What stretch of a session is shown: the whole of it, or what somebody has zoomed in to.

/** Seconds: the whole begins and ends at such a time, and nobody can zoom in further than that. */
const ROUND = 300;
const NEAREST = 8;
const EDGE = 3;

export class Window {
  #whole = [0, ROUND];
  #shown = null;
  #changed;

  /** `changed` is called when another stretch is shown. */
  constructor(changed) {
    this.#changed = changed;
  }

  /** The session goes from `since` to `until`, UTC seconds; what was zoomed in to stays. */
  hold(since, until) {
    const room = Math.min(ROUND, (until - since) / 40);
    this.#whole = [Math.floor((since - room) / 60) * 60, Math.ceil((until + room) / 60) * 60];
  }

  /** UTC seconds, from and to. */
  get shown() {
    return this.#shown ?? this.#whole;
  }

  /** The same and some more on either side, so that lines go on to the edge. */
  get wider() {
    const [since, until] = this.shown;
    const more = Math.max(EDGE, (until - since) / 100);
    return [since - more, until + more];
  }

  get whole() {
    return this.#whole;
  }

  get zoomed() {
    return this.#shown !== null;
  }

  /** Show that stretch: as much of it as there is, and some seconds at least. */
  zoom(since, until) {
    const [first, last] = this.#whole;
    const length = Math.max(NEAREST, until - since);
    if (length >= last - first) {
      this.reset();
      return;
    }
    const begins = Math.min(Math.max((since + until - length) / 2, first), last - length);
    this.#shown = [begins, begins + length];
    this.#changed();
  }

  /** Show more or less: `factor` times as much as now, around a moment. */
  scale(factor, about = null) {
    const [since, until] = this.shown;
    const place = about ?? (since + until) / 2;
    this.zoom(place - (place - since) * factor, place + (until - place) * factor);
  }

  /** Go on by so much of what is shown: 0.5 is half of it to the right. */
  move(part) {
    const [since, until] = this.shown;
    if (this.zoomed) this.zoom(since + (until - since) * part, until + (until - since) * part);
  }

  /** Show the whole. */
  reset() {
    this.#shown = null;
    this.#changed();
  }
}
