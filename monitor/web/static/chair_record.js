// Events, scores, doses and notes: with one touch each, as far as no words are needed.

import { button, element, Keyed, setAttribute, setHidden, setText } from "./dom.js";
import { ask } from "./dialog.js";
import { t } from "./words.js";

/** Numbers of a scale that still get a button each. */
const FEW = 11;
const DOSE = t("As people write it, such as: ketamine 0.5 mg/kg in 40 min");
/** Minutes that can be chosen for what is entered afterwards. */
const AGO = [1, 2, 5, 10, 15, 20, 30];

function ago(minutes) {
  return t("{time} ago", { time: `${minutes} min` });
}

/** When it happened: now, or some minutes ago; for the next entry alone. */
class When {
  #select = element("select");

  constructor() {
    this.root = element("label", "when", t("Happened"), " ");
    this.#select.append(new Option(t("now"), "0"), ...AGO.map((it) => new Option(ago(it), String(it))));
    this.#select.addEventListener("change", () => this.#mark());
    this.root.append(this.#select);
  }

  /** What a request says of it; `now` is the station's time in milliseconds. */
  said(now) {
    const minutes = Number(this.#select.value);
    return minutes === 0 ? {} : { at: new Date(now - minutes * 60000).toISOString() };
  }

  /** Back to now: what was chosen is for one entry. */
  reset() {
    this.#select.value = "0";
    this.#mark();
  }

  #mark() {
    setAttribute(this.root, "data-late", this.#select.value === "0" ? null : "yes");
  }
}

class EventButton {
  #event = null;

  constructor(act) {
    this.root = button("touch", "", () => act(this.#event));
  }

  update(event) {
    this.#event = event;
    this.root.dataset.event = event.id;
    setText(this.root, event.text);
  }
}

function rangeOf({ title, lowest, highest }) {
  return t("{scale}, {lowest} to {highest}", { scale: title, lowest, highest });
}

/** The scales as a row of names, and of the chosen one the numbers. */
class Scores {
  #give;
  #names = element("div", "choices");
  #numbers = element("div", "choices numbers");
  #help = element("p", "help");
  #scales = "";
  #chosen = null;

  constructor(give) {
    this.#give = give;
    setAttribute(this.#names, "role", "group");
    setAttribute(this.#names, "aria-label", t("Scale"));
    setAttribute(this.#numbers, "role", "group");
    this.root = element("div", "scores", this.#names, this.#numbers, this.#help);
  }

  update(scales) {
    const known = JSON.stringify(scales);
    if (known === this.#scales) return;
    this.#scales = known;
    const names = scales.map((scale) => {
      const made = button("touch", scale.title, () => this.#choose(scale));
      made.dataset.scale = scale.id;
      return made;
    });
    this.#names.replaceChildren(...names);
    if (scales.length > 0) this.#choose(scales.find((it) => it.id === this.#chosen) ?? scales[0]);
  }

  /** Forget a number that was begun. */
  clear() {
    for (const input of this.#numbers.querySelectorAll("input")) input.value = "";
  }

  #choose(scale) {
    this.#chosen = scale.id;
    for (const name of this.#names.children) {
      setAttribute(name, "aria-pressed", String(name.dataset.scale === scale.id));
    }
    setAttribute(this.#numbers, "aria-label", rangeOf(scale));
    setText(this.#help, scale.help || scale.version);
    this.#help.title = scale.version;
    const count = scale.highest - scale.lowest + 1;
    this.#numbers.replaceChildren(...(count <= FEW ? this.#buttons(scale, count) : this.#field(scale)));
  }

  #buttons(scale, count) {
    return Array.from({ length: count }, (_, place) => {
      const value = scale.lowest + place;
      const made = button("touch number", String(value), () => this.#give(scale, value));
      setAttribute(made, "aria-label", `${scale.title} ${value}`);
      return made;
    });
  }

  #field(scale) {
    const input = element("input");
    Object.assign(input, { type: "number", min: scale.lowest, max: scale.highest, step: 1, required: true });
    setAttribute(input, "aria-label", rangeOf(scale));
    input.placeholder = `${scale.lowest}-${scale.highest}`;
    const give = () => {
      if (!input.reportValidity()) return;
      this.#give(scale, Number(input.value));
      input.value = "";
    };
    input.addEventListener("keydown", (press) => press.key === "Enter" && give());
    return [input, button("touch", t("Record"), give)];
  }
}

export class Record {
  #desk;
  #session = null;
  #when = new When();
  #eventList = element("div", "events");
  #events = new Keyed(this.#eventList, () => new EventButton((event) => this.#event(event)));
  #scores = new Scores((scale, value) => this.#score(scale, value));
  #fields = element("fieldset");

  constructor(desk) {
    this.#desk = desk;
    const dose = button("touch words", t("Dose…"), () => this.#words(true));
    const note = button("touch words", t("Note…"), () => this.#words(false));
    this.#fields.append(
      element("legend", "unseen", t("Record")),
      element("div", "title", element("h3", "", t("Record")), this.#when.root),
      element("div", "touches", this.#eventList, dose, note),
      this.#scores.root,
    );
    this.root = element("section", "panel record", this.#fields);
  }

  update({ details, live, nurse }) {
    setHidden(this.root, !nurse || !details?.session);
    if (!details?.session) return;
    if (details.session.session !== this.#session) {
      // What was chosen or begun for one patient is nothing of the next.
      this.#session = details.session.session;
      this.#when.reset();
      this.#scores.clear();
    }
    if (this.#fields.disabled !== !live) this.#fields.disabled = !live;
    this.#events.update(details.offer.events, (event) => event.id);
    this.#scores.update(details.offer.scales);
  }

  #event(event) {
    this.#record(`event ${event.id}`, { verb: "note", event: event.id });
  }

  #score(scale, value) {
    this.#record(`score ${scale.id} ${value}`, { verb: "score", scale: scale.id, value });
  }

  #record(key, body) {
    const session = this.#session;
    this.#desk.once(key, () => this.#send({ ...body, session }));
  }

  async #send(body) {
    const answer = await this.#desk.send({ ...body, ...this.#when.said(this.#desk.now) });
    this.#when.reset();
    return answer;
  }

  #words(dose) {
    const session = this.#session;
    this.#desk.once(dose ? "dose" : "note", () =>
      ask({
        title: dose ? t("Record a dose") : t("Write a note"),
        text: dose ? t("As text. Nothing ever acts on it, and no pump is told.") : "",
        fields: [
          dose
            ? { name: "text", label: t("What was given"), required: true, maxlength: 400, help: DOSE }
            : { name: "text", label: t("Note"), type: "textarea", required: true, maxlength: 4000 },
        ],
        ok: dose ? t("Record dose") : t("Record note"),
        submit: ({ text }) => this.#send({ verb: "note", session, text, dose }),
      }),
    );
  }
}
