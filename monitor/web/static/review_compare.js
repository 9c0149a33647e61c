// An earlier session of the same patient, drawn below on the same scale: both begin with their infusion.

import * as api from "./api.js";
import { Drawing } from "./review_drawing.js";
import { readings } from "./review_readings.js";
import { labelled, section, table } from "./review_table.js";
import { element, setHidden, setText } from "./dom.js";
import { dayOf, hourOf, lengthOf, secondsOf, statusOf, unitOf, valueOf } from "./review_words.js";
import { t } from "./words.js";
import { reviewPath } from "./views.js";

/** Milliseconds without another zoom before the station is asked. */
const SETTLED = 200;

/** What is told of both, vital by vital: its name, and how it is had. */
const NUMBERS = [
  [() => t("Lowest"), (it, vital) => valueOf(it?.lowest?.value, vital)],
  [() => t("Highest"), (it, vital) => valueOf(it?.highest?.value, vital)],
  [() => t("Baseline"), (it, vital) => valueOf(it?.baseline, vital)],
  [() => t("Largest rise"), (it, vital) => valueOf(it?.rise, vital)],
];

export class Compare {
  #chart = null;
  #other = null;
  #columns = null;
  /** The readings of what is zoomed in to, with its beginning and end. */
  #part = null;
  #timer = 0;
  #asked = 0;
  #shown = null;
  #loaded;
  #select = element("select");
  #problem = element("p", "problem");
  #name = element("p", "compared");
  #drawing = new Drawing();
  #area = element("div", "drawing");
  #numbers = element("div", "numbers");

  /** `loaded(columns)` is called when another one is compared, with null when none is. */
  constructor(loaded) {
    this.#loaded = loaded;
    const label = labelled(t("Compare with an earlier session"), this.#select);
    this.#select.addEventListener("change", () => this.#choose(this.#select.value));
    this.#area.append(this.#drawing.root);
    const parts = [label, this.#problem, this.#name, this.#area, this.#numbers];
    this.root = section("compare", t("Earlier sessions"), ...parts).root;
    this.#problem.setAttribute("role", "alert");
    new ResizeObserver(() => this.#draw()).observe(this.#area);
    this.#hide();
  }

  /** Offer the earlier sessions of the patient of a chart. */
  update(chart) {
    const same = this.#chart?.session.session === chart.session.session;
    this.#chart = chart;
    setHidden(this.root, chart.earlier.length === 0);
    if (same) {
      this.#tell();
      return;
    }
    const told = (it) => `${dayOf(it.opened_at)} ${hourOf(it.opened_at)}, ${statusOf(it)[1]} (${it.session})`;
    const options = chart.earlier.map((it) => new Option(told(it), it.session));
    this.#select.replaceChildren(new Option(t("none"), ""), ...options);
    this.#choose("");
  }

  /** Follow what the drawing above shows. */
  follow(shown) {
    this.#shown = shown;
    if (!shown.zoomed) this.#part = null;
    this.#draw();
    clearTimeout(this.#timer);
    if (shown.zoomed && this.#other !== null) this.#timer = setTimeout(() => this.#look(), SETTLED);
  }

  /** Ask for the readings of what is zoomed in to. */
  async #look() {
    const other = this.#other;
    if (other === null) return;
    const [since, until] = this.#stretch();
    const place = [since, until].join();
    if (this.#part?.place === place) return;
    try {
      const columns = await readings(other.session.session, "now", [since, until], this.#area.clientWidth);
      if (other !== this.#other || place !== this.#stretch().join()) return;
      this.#part = { place, columns };
      this.#draw();
    } catch {
      // The coarser readings of the whole are still there.
    }
  }

  /** When the infusion of the earlier session began, or it was opened. */
  get #zero() {
    const { session } = this.#other;
    return secondsOf(session.infusion === null ? session.opened_at : session.infusion.started_at);
  }

  /** From when to when the earlier session is shown, UTC seconds. */
  #stretch() {
    const { since, until, started } = this.#shown;
    return [since + this.#zero - started, until + this.#zero - started];
  }

  async #choose(session) {
    this.#asked += 1;
    const asked = this.#asked;
    this.#other = this.#columns = this.#part = null;
    this.#hide();
    if (session === "") {
      this.#loaded(null);
      return;
    }
    try {
      const other = await api.get(`/api/sessions/${encodeURIComponent(session)}`);
      const span = [secondsOf(other.span.since), secondsOf(other.span.until)];
      const columns = await readings(session, "now", span, this.#area.clientWidth || window.innerWidth);
      if (asked !== this.#asked) return;
      this.#other = other;
      this.#columns = columns;
      this.#tell();
      this.#loaded(columns);
    } catch (problem) {
      if (asked !== this.#asked) return;
      setText(this.#problem, problem.text ?? String(problem));
      setHidden(this.#problem, false);
    }
  }

  #hide() {
    for (const it of [this.#problem, this.#name, this.#area, this.#numbers]) setHidden(it, true);
  }

  /** The numbers of both beside each other. */
  #tell() {
    if (this.#other === null) return;
    for (const it of [this.#name, this.#area, this.#numbers]) setHidden(it, false);
    const { session } = this.#other;
    const link = element("a", "", `${dayOf(session.opened_at)} ${hourOf(session.opened_at)}`);
    link.href = reviewPath(session.session);
    const how = session.infusion === null || this.#chart.session.infusion === null;
    const aligned = how ? t("aligned at the opening") : t("aligned at the start of the infusion");
    this.#name.replaceChildren(`${t("Below:")} `, link, `, ${aligned}`);
    const byVital = (it) => new Map(it.summary.vitals.map((one) => [one.vital, one]));
    const [now, then] = [byVital(this.#chart), byVital(this.#other)];
    const rows = this.#chart.vitals.map((vital) => ({
      cells: [
        `${vital.label}${unitOf(vital)}`,
        ...NUMBERS.flatMap(([, had]) => [had(now.get(vital.vital), vital), had(then.get(vital.vital), vital)]),
      ],
    }));
    const both = (what) => [t("{what}: this", { what }), t("{what}: earlier", { what })];
    const names = NUMBERS.flatMap(([name]) => both(name()));
    const durations = [
      [t("Infusion"), "infusion_s"],
      [t("SpO₂ below 90 %"), "desaturated_s"],
    ].map(([name, field]) => {
      const told = (it) => (it.summary[field] === null ? "--" : lengthOf(it.summary[field]));
      return element("p", "", t("{what}: {this}, earlier {earlier}", {
        what: name,
        this: told(this.#chart),
        earlier: told(this.#other),
      }));
    });
    this.#numbers.replaceChildren(...durations, table([t("Vital"), ...names], rows));
    this.#draw();
  }

  #draw() {
    const width = this.#area.clientWidth;
    if (this.#other === null || this.#shown === null || width === 0) return;
    const { hidden, scaled } = this.#shown;
    const [since, until] = this.#stretch();
    this.#drawing.show({
      chart: this.#other,
      columns: this.#part?.columns ?? this.#columns,
      scaled: scaled.includes(this.#columns) ? scaled : [...scaled, this.#columns],
      since,
      until,
      width,
      zero: this.#zero,
      hidden,
      limits: false,
      slim: true,
    });
  }
}
