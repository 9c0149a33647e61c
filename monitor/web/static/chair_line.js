// One line that says what became of what was just done: recorded, with a way back; not answered yet; or refused.

import { button, element, setData, setHidden, setText } from "./dom.js";
import { textOf, VOIDABLE } from "./chair_words.js";
import { timeOf } from "./times.js";
import { t } from "./words.js";

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
    this.#undo = button("", t("Undo"), () => this.#last && undo(this.#last));
    this.#words = button("", t("Add words"), () => this.#last && addWords(this.#last));
    this.#giveUp = button("", t("Stop trying"), () => this.#stop?.());
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
    this.#show("", t("What you record is confirmed here, and can be undone."));
  }

  /** Something was recorded; its entry can be taken back. */
  recorded(answer) {
    const entry = answer.entries[0];
    const kept = answer.recorded ? t("Recorded") : t("Taken, but NOT ON DISK yet");
    const away = answer.bed !== this.#bed;
    const before = this.#visit !== null && this.#visit !== answer.session;
    const earlier = before ? t("for {reference}, who was here before", { reference: answer.reference }) : "";
    const where = away ? t("on {bed}", { bed: answer.bed }) : earlier;
    const said = [kept, timeOf(entry.at), where].filter(Boolean).join(" ");
    this.#show(answer.recorded ? "done" : "unsure", `${said}: ${entry.text}`);
    this.#last = { ...entry, session: answer.session, bed: answer.bed };
    setHidden(this.#undo, !VOIDABLE.has(entry.kind));
    setHidden(this.#words, !WORDED.has(entry.kind));
  }

  /** No answer came to what was asked for at that time. Gives whether to try again, after so many milliseconds. */
  waiting(touched, wait) {
    const time = timeOf(touched);
    const said = t("No answer yet to what you did at {time}. Trying again; it will be recorded once.", { time });
    this.#show("unsure", said);
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
