// One line that says what became of what was just done: recorded, with a way back; not answered yet; or refused.

import { button, element, setData, setHidden, setText } from "./dom.js";
import { textOf, VOIDABLE } from "./chair_words.js";
import { timeOf } from "./times.js";

/** Kinds that words can be added to. */
const WORDED = new Set(["event", "score"]);

export class Line {
  #text = element("span", "text");
  #undo;
  #words;
  #giveUp;
  #last = null;
  /** The session on the bed; null where there is none. */
  #visit = null;
  #stop = null;
  #bed = null;

  /** `undo(entry)` and `addWords(entry)` are called with the session's id and the entry as it was answered. */
  constructor({ undo, addWords }) {
    this.#undo = button("", "Undo", () => this.#last && undo(this.#last));
    this.#words = button("", "Add words", () => this.#last && addWords(this.#last));
    this.#giveUp = button("", "Stop trying", () => this.#stop?.());
    const status = element("p", "status", this.#text);
    status.setAttribute("role", "status");
    this.root = element("div", "line", status, this.#words, this.#undo, this.#giveUp);
    this.clear();
  }

  /** Another bed is shown. */
  open(bed) {
    this.#bed = bed;
    this.#visit = null;
    if (this.#stop === null) this.clear();
  }

  /** That session is on the bed: what was done in the one before it was another patient's, and is undone elsewhere. */
  visit(session) {
    const other = session !== null && session !== this.#visit;
    this.#visit = session;
    if (other && this.#last?.bed === this.#bed && this.#last.session !== session) this.clear();
  }

  clear() {
    this.#show("", "What you record is confirmed here, and can be undone.");
  }

  /** Something was recorded; its entry can be taken back. */
  recorded(answer) {
    const entry = answer.entries[0];
    const kept = answer.recorded ? "Recorded" : "Taken, but NOT ON DISK yet";
    const away = answer.bed !== this.#bed;
    const before = this.#visit !== null && this.#visit !== answer.session;
    const where = away ? ` on ${answer.bed}` : before ? ` for ${answer.reference}, who was here before` : "";
    this.#show(answer.recorded ? "done" : "unsure", `${kept} ${timeOf(entry.at)}${where}: ${entry.text}`);
    this.#last = { ...entry, session: answer.session, bed: answer.bed };
    setHidden(this.#undo, !VOIDABLE.has(entry.kind));
    setHidden(this.#words, !WORDED.has(entry.kind));
  }

  /** No answer came to what was asked for at that time. Gives whether to try again, after so many milliseconds. */
  waiting(touched, wait) {
    const said = `No answer yet to what you did at ${timeOf(touched)}.`;
    this.#show("unsure", `${said} Trying again; it will be recorded once.`);
    setHidden(this.#giveUp, false);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(true), wait);
      this.#stop = () => {
        clearTimeout(timer);
        resolve(false);
      };
    });
  }

  /** What was waited for is refused: whoever asked says why. */
  refused() {
    if (this.#stop !== null) this.clear();
  }

  failed(problem) {
    this.#show("failed", textOf(problem));
  }

  /** Nothing can be undone while nothing here is the present. */
  enable(able) {
    for (const it of [this.#undo, this.#words]) it.disabled = !able;
  }

  #show(state, text) {
    this.#last = this.#stop = null;
    setText(this.#text, text);
    setData(this.root, "state", state);
    for (const it of [this.#undo, this.#words, this.#giveUp]) setHidden(it, true);
  }
}
