// The chair page: one bed, its visit and what can be done. What is shown of the present comes with every message; what
// was entered is asked for when it has changed, after what was done here, and now and then for what time alone changes.

import * as api from "./api.js";
import { AlertHistory } from "./chair_alert_history.js";
import { Alerts } from "./chair_alerts.js";
import { Before, Discharge } from "./chair_checks.js";
import { Desk } from "./chair_desk.js";
import { Entries } from "./chair_entries.js";
import { Head, Numerics } from "./chair_head.js";
import { Limits } from "./chair_limits.js";
import { Line } from "./chair_line.js";
import { Pleth } from "./chair_pleth.js";
import { Record } from "./chair_record.js";
import { Steps } from "./chair_steps.js";
import { Trends } from "./chair_trends.js";
import * as connection from "./connection.js";
import { ask, leave } from "./dialog.js";
import { element, setData, setHidden, setText } from "./dom.js";
import { withheld } from "./tile.js";
import * as views from "./views.js";
import * as who from "./who.js";
import { t } from "./words.js";

/** Milliseconds between looks at what time alone changes; and after a change, or an answer that did not come. */
const LOOK_EVERY = 30000;
const AGAIN_AFTER = 2000;
/** What is recorded where an entry is taken back with one touch. */
const UNDONE = "undone: entered by mistake";

let page = null;

/** Begin to show chairs in that element. */
export function start(root) {
  page = new Chair(root);
  views.watch((bed) => page.open(bed));
}

/** Show a message of the station. */
export function show(message) {
  page.show(message);
}

/** Take away all that is no longer the present. */
export function withhold() {
  page.withhold();
}

class Chair {
  #root;
  #shown = null;
  /** The last session that was seen there. */
  #visit = null;
  #message = null;
  #live = false;
  #details = null;
  #history = null;
  #known = "";
  #looked = -Infinity;
  #soon = false;
  #asked = 0;
  #parts;
  #trends = new Trends();
  #pleth = new Pleth();
  #head = new Head();
  #line;
  #desk;
  #missing = element("p", "missing");
  #body;
  #before;
  #discharge;
  #leading = element("div", "leading");
  #below = element("div", "below");

  constructor(root) {
    this.#root = root;
    this.#line = new Line({ undo: (entry) => this.#undo(entry), addWords: (entry) => this.#addWords(entry) });
    const desk = new Desk({ told: this.#line, changed: () => this.#look(), now: () => connection.now() });
    this.#desk = desk;
    const [numerics, alerts, steps, record] = [new Numerics(), new Alerts(desk), new Steps(desk), new Record(desk)];
    const [limits, entries, history] = [new Limits(desk), new Entries(desk), new AlertHistory()];
    this.#before = new Before(desk);
    this.#discharge = new Discharge(desk);
    this.#parts = [
      ...[this.#head, numerics, alerts, steps, record, this.#before, this.#discharge],
      ...[limits, entries, history, this.#trends, this.#pleth],
    ];
    const acting = element("div", "acting", numerics.root, alerts.root, steps.root, this.#line.root, record.root);
    const looking = element("div", "looking", this.#leading, this.#trends.root, this.#pleth.root, entries.root);
    this.#below.append(this.#before.root, this.#discharge.root, limits.root, history.root);
    this.#body = element("div", "chair-body", acting, looking, this.#below);
    root.replaceChildren(this.#head.root, this.#missing, this.#body);
    setHidden(this.#missing, true);
    document.addEventListener("visibilitychange", () => document.hidden || this.#look());
  }

  /** Show the chair of that bed; null is none. */
  open(bed) {
    if (bed === this.#shown) return;
    this.#shown = bed;
    this.#visit = null;
    leave();
    this.#asked += 1;
    this.#details = this.#history = null;
    this.#known = "";
    this.#looked = -Infinity;
    this.#line.open(bed);
    this.#trends.open(bed);
    this.#pleth.open(bed);
    if (bed === null) return;
    this.#draw();
    this.#head.focus();
  }

  show(message) {
    this.#message = message;
    this.#live = true;
    const bed = this.#bed();
    if (this.#shown === null) return;
    if (bed !== undefined) {
      this.#meet(bed.session?.session ?? null);
      // The alerts are of the history too: what has changed of them has changed there.
      const alerts = bed.alerts.map((it) => `${it.rule} ${it.state} ${it.priority}`);
      const { session, entries, state } = bed.session ?? {};
      const known = [session, entries, state, message.boot, bed.audio.state, ...alerts].join("|");
      const due = performance.now() - this.#looked >= (this.#soon ? AGAIN_AFTER : LOOK_EVERY);
      if (known !== this.#known || due) {
        // What has changed is in the journal a moment later.
        this.#soon = known !== this.#known;
        this.#known = known;
        this.#look();
      }
    }
    this.#draw();
  }

  withhold() {
    this.#live = false;
    this.#known = "";
    this.#draw();
  }

  /** A question about one patient must not stand over the page of the next: it would be answered for the wrong one. */
  #meet(session) {
    if (session === null) return;
    if (this.#visit !== null && this.#visit !== session) leave();
    this.#visit = session;
  }

  #bed() {
    return this.#message?.beds.find((bed) => bed.id === this.#shown);
  }

  /** Ask for the details and the alerts' history; the last that was asked for is what is shown. */
  async #look() {
    if (this.#shown === null || this.#bed() === undefined) return;
    this.#asked += 1;
    const asked = this.#asked;
    this.#looked = performance.now();
    const path = `/api/beds/${encodeURIComponent(this.#shown)}`;
    try {
      // Where the journal cannot be read there is no history, and all else there is.
      const past = api.get(`${path}/alerts`).catch(() => null);
      const details = await api.get(path);
      const history = await past;
      if (asked !== this.#asked) return;
      this.#details = details;
      this.#history = history;
      this.#draw();
    } catch {
      if (asked === this.#asked) this.#soon = true;
    }
  }

  #draw() {
    if (this.#shown === null || this.#message === null) return;
    const bed = this.#bed();
    setHidden(this.#body, bed === undefined);
    setHidden(this.#missing, bed !== undefined);
    if (bed === undefined) {
      setText(this.#missing, t("There is no bed {bed} at this station.", { bed: this.#shown }));
      this.#head.update({ bed: { label: this.#shown, session: null }, details: null, live: this.#live });
      return;
    }
    const live = this.#live;
    const now = live ? Date.parse(this.#message.now) : connection.now();
    const shown = live ? bed : withheld(bed);
    const nurse = who.may("nurse");
    // What is done goes by the present session: until its details are here nothing is offered.
    const fits = (this.#details?.session?.session ?? null) === (bed.session?.session ?? null);
    const details = fits ? this.#details : null;
    this.#lead(bed.session?.state);
    this.#line.enable(live && nurse);
    this.#line.visit(bed.session?.session ?? null);
    const state = { bed: shown, shown, details, history: this.#history, now, live, nurse };
    for (const part of this.#parts) part.update(state);
    setData(this.#root, "live", live ? "yes" : "no");
    setData(this.#root, "state", bed.session?.state ?? "none");
  }

  /** What has to be seen to in this part of the visit stands above the trends; else it is below. */
  #lead(state) {
    const leads = {
      check_in: this.#before,
      baseline: this.#before,
      stopped: this.#discharge,
      recovery: this.#discharge,
    }[state];
    for (const part of [this.#before, this.#discharge]) {
      const place = part === leads ? this.#leading : this.#below;
      if (part.root.parentNode !== place) place.prepend(part.root);
    }
  }

  #undo({ session, number }) {
    this.#desk.record("undo", { verb: "correct", session, number, void: true, reason: UNDONE });
  }

  #addWords({ session, number, text }) {
    this.#desk.once("words", () =>
      ask({
        title: t("Add words to “{text}”", { text }),
        fields: [{ name: "text", label: t("Words"), required: true, maxlength: 200 }],
        ok: t("Add"),
        submit: (values) => this.#desk.send({ verb: "correct", session, number, reason: "words added", ...values }),
      }),
    );
  }
}
