// The next step of the visit, as one large button, and the others that are possible beside it.

import { button, element, Keyed, setAttribute, setData, setHidden, setText } from "./dom.js";
import { ask } from "./dialog.js";
import { t } from "./words.js";

/** What is on the buttons: what is done, and what pressing it means. */
const STEPS = {
  open: [t("Open session"), t("Who is here, and how long is planned")],
  baseline: [t("Begin baseline"), t("First readings before the infusion")],
  start: [t("Start infusion"), t("You start the pump; this records when")],
  pause: [t("Pause infusion"), t("You pause the pump; this records when")],
  resume: [t("Resume infusion"), t("You start the pump again; this records when")],
  stop: [t("Stop infusion"), t("You stop the pump; this records when")],
  recovery: [t("Begin recovery"), t("The infusion is over")],
  close: [t("Close session"), t("The patient leaves")],
};

/** Which of the possible steps usually comes next, by the session's state. */
const NEXT = {
  check_in: "baseline",
  baseline: "start",
  running: "stop",
  paused: "resume",
  stopped: "recovery",
  recovery: "close",
};

/** Steps that stand in the second place, before all others. */
const SECOND = ["start", "pause", "stop", "resume"];

class StepButton {
  #name = element("span", "what");
  #hint = element("span", "hint");

  constructor(step, act) {
    this.root = button("step", "", () => act(step));
    this.root.append(this.#name, this.#hint);
    this.root.dataset.step = step;
    const [name, hint] = STEPS[step];
    setText(this.#name, name);
    setText(this.#hint, hint);
    setAttribute(this.root, "aria-label", name);
    setAttribute(this.root, "aria-description", hint);
  }

  update(shown) {
    setData(this.root, "rank", shown.rank);
    if (this.root.disabled !== !shown.able) this.root.disabled = !shown.able;
  }
}

export class Steps {
  #desk;
  #details = null;
  #bed = null;
  #able = false;
  #acting = false;
  #list = element("div", "buttons");
  #buttons = new Keyed(this.#list, ({ step }) => new StepButton(step, (it) => this.#act(it)));

  constructor(desk) {
    this.#desk = desk;
    const said = element("p", "said", t("This page only records. It never controls a pump."));
    this.root = element("section", "panel steps", element("h3", "unseen", t("Next step")), this.#list, said);
  }

  update({ bed, details, live, nurse }) {
    if (bed.id !== this.#bed?.id) this.#details = null;
    this.#bed = bed;
    // While the details of another step are on their way the buttons stay where they are.
    this.#able = live && details !== null;
    if (details !== null) this.#details = details;
    setHidden(this.root, !nurse || this.#details === null);
    this.#show();
  }

  #show() {
    if (this.#details === null) return;
    const { session } = this.#details;
    const possible = session === null ? ["open"] : session.possible;
    const next = session === null ? "open" : NEXT[session.state];
    const rank = (step) => (step === next ? "first" : SECOND.includes(step) ? "second" : "third");
    const ranks = ["first", "second", "third"];
    const able = this.#able && !this.#acting;
    const shown = possible.map((step) => ({ step, rank: rank(step), able }));
    shown.sort((a, b) => ranks.indexOf(a.rank) - ranks.indexOf(b.rank));
    this.#buttons.update(shown, (it) => it.step);
  }

  /** Of one visit there is one step at a time: where one button was, another one is after it. */
  async #act(step) {
    const { session } = this.#details;
    this.#acting = true;
    this.#show();
    await this.#desk.once("step", () => {
      if (step === "open") return this.#open();
      if (step === "close") return this.#close(session.session);
      return this.#step(session.session, step);
    });
    this.#acting = false;
    this.#show();
    const lost = document.activeElement === null || document.activeElement === document.body;
    if (lost) this.#list.firstChild?.focus({ preventScroll: true });
  }

  #open() {
    const { offer } = this.#details;
    const bed = this.#bed;
    const profiles = offer.profiles.map((name) => ({ value: name, label: name.replaceAll("_", " ") }));
    return ask({
      title: t("Open a session on {bed}", { bed: bed.label }),
      fields: [
        {
          name: "reference",
          label: t("Reference"),
          required: true,
          maxlength: 32,
          pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]{0,31}",
          title: t("Letters, digits, . _ - without blanks"),
          help: t("A pseudonym such as P-017: letters, digits, . _ - and no blanks. Never the patient's name."),
        },
        {
          name: "planned_minutes",
          label: t("Planned minutes of infusion"),
          type: "number",
          required: true,
          min: 1,
          max: 720,
          step: 1,
          value: String(offer.planned_minutes),
        },
        { name: "profile", label: t("Alert profile"), type: "select", value: offer.profile, options: profiles },
      ],
      ok: t("Open session"),
      submit: (values) => this.#desk.send({ verb: "open", bed: bed.id, ...values }),
    });
  }

  async #step(session, step) {
    const body = { verb: "phase", session, step };
    try {
      await this.#desk.send(body);
    } catch (problem) {
      if (problem.word !== "confirm") throw problem;
      await ask({
        title: t("Start all the same?"),
        text: t("Before the infusion is still open:"),
        list: problem.data.open,
        fields: [{ name: "reason", label: t("Reason (may be left empty)"), maxlength: 200 }],
        ok: t("Start all the same"),
        cancel: t("Not yet"),
        submit: ({ reason }) => this.#desk.send({ ...body, confirm: true, ...(reason && { reason }) }),
      });
    }
  }

  async #close(session) {
    const body = { verb: "close", session };
    try {
      await this.#desk.send(body);
    } catch (problem) {
      if (problem.word !== "confirm") throw problem;
      await ask({
        title: t("Close all the same?"),
        text: t("For the discharge is still open:"),
        list: problem.data.open,
        fields: [{ name: "reason", label: t("Reason"), required: true, maxlength: 200 }],
        ok: t("Close session"),
        cancel: t("Not yet"),
        submit: ({ reason }) => this.#desk.send({ ...body, reason }),
      });
    }
  }
}
