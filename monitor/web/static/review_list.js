// The list of all sessions: searched and filtered by the station, the newest first.

import * as api from "./api.js";
import { loginPath } from "./cover.js";
import { button, element, setAttribute, setHidden, setText } from "./dom.js";
import { labelled } from "./review_table.js";
import { dayOf, hourOf, lengthOf, STATUS, statusOf } from "./review_words.js";
import * as views from "./views.js";
import { t } from "./words.js";

/** Milliseconds without another letter before the station is asked. */
const SETTLED = 250;
/** What the filter of the state offers, beside all. */
const CHOICES = {
  open: STATUS.open[1],
  closed: t("Closed"),
  unsigned: STATUS.unsigned[1],
  signed: STATUS.signed[1],
  amended: STATUS.amended[1],
};

let page = null;

/** Begin to show the list in that element; `label(bed)` is what a bed is called. */
export function start(root, label) {
  page = new SessionList(root, label);
  views.watch((_bed, view) => page.open(view.name === "reviews"));
  api.events.addEventListener("me", () => page.again());
}

/** The beds of the station, which can be chosen from. */
export function offer(beds) {
  page.offer(beds);
}

/** One session as a row of the table. */
function rowOf(line, label) {
  const { session, reference, beds, bed, opened_at: opened, closed_at: closed, infusion, status } = line;
  const link = element("a", "reference", reference);
  link.href = views.reviewPath(session);
  const [mark, words] = statusOf(line);
  const state = element("span", "state", element("span", "mark", mark), ` ${words}`);
  state.dataset.status = status;
  const ends = closed === null ? "" : `${dayOf(closed) === dayOf(opened) ? "" : `${dayOf(closed)} `}${hourOf(closed)}`;
  const head = element("th", "", link);
  head.scope = "row";
  const cells = [
    [t("Session"), session],
    [t("Bed"), (beds.length > 0 ? beds : [bed]).map(label).join(", ")],
    [t("Date"), dayOf(opened)],
    [t("Time"), `${hourOf(opened)} - ${ends}`],
    [t("Infusion"), infusion === null ? t("none") : lengthOf(infusion.elapsed_s)],
  ].map(([name, text]) => {
    const cell = element("td", "", text);
    cell.dataset.name = name;
    return cell;
  });
  const row = element("tr", "", head, ...cells, element("td", "", state));
  row.dataset.session = session;
  return row;
}

class SessionList {
  #label;
  #shown = false;
  #asked = 0;
  #timer = 0;
  /** The sessions that are shown; null before any are known. */
  #lines = null;
  #beds = "";
  #search = element("input");
  #status = element("select");
  #bed = element("select");
  #since = element("input");
  #until = element("input");
  #body = element("tbody");
  #table;
  #said = element("p", "said");
  #login = element("a", "touch", t("Log in again"));
  #more;

  constructor(root, label) {
    this.#label = label;
    this.#search.type = "search";
    this.#since.type = this.#until.type = "date";
    this.#status.append(new Option(t("all"), ""), ...Object.entries(CHOICES).map(([it, name]) => new Option(name, it)));
    this.#bed.append(new Option(t("all"), ""));
    this.#more = button("touch more", t("More"), () => this.#load(true));
    const names = [t("Reference"), t("Session"), t("Bed"), t("Date"), t("Time"), t("Infusion"), t("State")];
    const heads = names.map((name) => {
      const made = element("th", "", name);
      made.scope = "col";
      return made;
    });
    this.#table = element("table", "sessions", element("thead", "", element("tr", "", ...heads)), this.#body);
    const filters = element("form", "filters");
    setAttribute(filters, "role", "search");
    for (const [name, input] of [
      [t("Reference or id"), this.#search],
      [t("State"), this.#status],
      [t("Bed"), this.#bed],
      [t("From day"), this.#since],
      [t("To day"), this.#until],
    ]) {
      filters.append(labelled(name, input));
    }
    filters.addEventListener("submit", (event) => event.preventDefault());
    filters.addEventListener("input", () => this.#changed());
    this.#login.href = loginPath();
    this.#said.setAttribute("role", "status");
    const title = element("h2", "", t("Review"));
    const panel = element("div", "panel", this.#said, this.#login, this.#table, this.#more);
    root.replaceChildren(element("div", "title", title), filters, panel);
    for (const it of [this.#more, this.#login]) setHidden(it, true);
  }

  /** The list is to be seen now, or not any more. */
  open(shown) {
    if (shown && !this.#shown) this.#load();
    this.#shown = shown;
  }

  /** Who asks is known now, or is somebody else. */
  again() {
    if (this.#shown && this.#lines === null) this.#load();
  }

  /** These beds can be chosen from, `{id, label}`. */
  offer(beds) {
    const known = beds.map((bed) => `${bed.id} ${bed.label}`).join("\n");
    if (known === this.#beds) return;
    this.#beds = known;
    const before = this.#bed.value;
    const options = beds.map((bed) => new Option(bed.label, bed.id));
    this.#bed.replaceChildren(new Option(t("all"), ""), ...options);
    this.#bed.value = beds.some((bed) => bed.id === before) ? before : "";
    this.#draw();
  }

  #changed() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#load(), SETTLED);
  }

  /** What is asked of the station; `before` is the last session that is known. */
  #query(before) {
    const query = new URLSearchParams();
    const said = { search: this.#search.value.trim(), status: this.#status.value, bed: this.#bed.value, before };
    for (const [name, value] of Object.entries(said)) if (value) query.set(name, value);
    for (const [name, input, after] of [["since", this.#since, 0], ["until", this.#until, 1]]) {
      if (!input.value) continue;
      // A day begins at midnight here, and ends with the next one.
      const day = new Date(`${input.value}T00:00:00`);
      day.setDate(day.getDate() + after);
      query.set(name, day.toISOString());
    }
    return query.toString();
  }

  async #load(more = false) {
    this.#asked += 1;
    const asked = this.#asked;
    try {
      const told = await api.get(`/api/sessions?${this.#query(more ? this.#lines.at(-1).session : null)}`);
      if (asked !== this.#asked) return;
      const before = more ? this.#lines : [];
      this.#lines = [...before, ...told.sessions];
      this.#draw();
      if (more) this.#body.children[before.length]?.querySelector("a").focus();
      this.#say(this.#lines.length === 0 ? t("No session is like that.") : "");
      setHidden(this.#more, !told.more);
      setHidden(this.#login, true);
    } catch (problem) {
      if (asked !== this.#asked) return;
      this.#say(problem.status === 401 ? t("Your login has ended.") : (problem.text ?? String(problem)));
      setHidden(this.#login, problem.status !== 401);
    }
  }

  #draw() {
    if (this.#lines === null) return;
    this.#body.replaceChildren(...this.#lines.map((line) => rowOf(line, this.#label)));
    setHidden(this.#table, this.#lines.length === 0);
  }

  #say(text) {
    setText(this.#said, text);
    setHidden(this.#said, text === "");
  }
}
