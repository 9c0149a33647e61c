// What is asked for before the infusion and before the discharge, and what was found of it.

import { button, element, Keyed, setData, setHidden, setText } from "./dom.js";
import { ask } from "./dialog.js";
import { labelOf } from "./chair_words.js";
import { answerRead, answerRecorded } from "./terms.js";
import { timeOf } from "./times.js";
import { t } from "./words.js";

/** What is said where nothing is known of what was measured. */
const UNREAD = t("The journal cannot be read: what was measured is not known here.");

/** How the id of a criterion begins that is an item of the checklist. */
const ITEM = "item_";
const MARKS = { done: "✓", open: "○", bad: "✕" };

/** A line with a mark, words, what was found, and buttons. */
class Row {
  #mark = element("span", "mark");
  #text = element("span", "text");
  #found = element("span", "found");

  constructor(...buttons) {
    this.buttons = element("span", "choices", ...buttons);
    this.#mark.setAttribute("role", "img");
    const words = element("span", "words", this.#text, " ", this.#found);
    this.root = element("li", "row", this.#mark, words, this.buttons);
  }

  show(state, text, found) {
    setText(this.#mark, MARKS[state]);
    this.#mark.setAttribute("aria-label", state === "done" ? t("done") : t("open"));
    setText(this.#text, text);
    setText(this.#found, found);
    setData(this.root, "state", state);
  }

  offer(shown, live) {
    setHidden(this.buttons, !shown);
    for (const it of this.buttons.children) if (it.disabled !== !live) it.disabled = !live;
  }
}

class ItemRow extends Row {
  #item = null;
  #desk;

  constructor(desk) {
    super(
      button("touch yes", t("Yes"), () => this.#answer()),
      button("touch", t("Other…"), () => this.#other()),
      button("touch", t("Skip…"), () => this.#skip()),
    );
    this.#desk = desk;
    this.root.classList.add("item");
  }

  update({ item, session, live, nurse }) {
    this.#item = { ...item, session };
    const said = item.reason === null ? answerRead(item.answer) : t("skipped: {reason}", { reason: item.reason });
    const found = item.by ? `${said} (${item.by}, ${timeOf(item.at)})` : "";
    this.show(item.state === "open" ? (item.by ? "bad" : "open") : "done", item.text, found);
    this.offer(nurse && item.state === "open", live);
    for (const it of this.buttons.children) it.setAttribute("aria-label", `${it.textContent} ${item.text}`);
  }

  #body(more) {
    return { verb: "check", session: this.#item.session, item: this.#item.item, ...more };
  }

  #answer() {
    this.#desk.record(`check ${this.#item.item}`, this.#body({ answer: "yes" }));
  }

  #other() {
    const help = t("“{no}” leaves it open.", { no: answerRead("no") });
    this.#ask({ name: "answer", label: t("Answer"), help }, t("Record answer"), ({ answer }) => ({
      answer: answerRecorded(answer),
    }));
  }

  #skip() {
    this.#ask({ name: "skip", label: t("Reason for skipping it") }, t("Skip"), (values) => values);
  }

  #ask(field, ok, saidBy) {
    const body = this.#body({});
    this.#desk.once(`${field.name} ${body.item}`, () =>
      ask({
        title: this.#item.text,
        fields: [{ ...field, required: true, maxlength: 200 }],
        ok,
        submit: (values) => this.#desk.send({ ...body, ...saidBy(values) }),
      }),
    );
  }
}

/** A vital of the baseline phase: its median, and the site's bounds. */
class MedianRow extends Row {
  update({ label, unit, found }) {
    const { median, readings, low, high, within } = found;
    const value = median === null ? t("no reading yet") : `${Math.round(median * 10) / 10} ${unit}`;
    const of = median === null ? "" : t("median of {n}", { n: readings });
    const state = within === false ? "bad" : median === null ? "open" : "done";
    this.show(state, `${label} ${value}`, [of, wanted(low, high)].filter(Boolean).join(", "));
  }
}

/** The site's bounds in words; null where there is none. */
function wanted(low, high) {
  if (low !== null && high !== null) return t("wanted from {low} to {high}", { low, high });
  if (low !== null) return t("wanted from {low}", { low });
  return high === null ? "" : t("wanted to {high}", { high });
}

/** The checklist and the baseline. */
export class Before {
  #items;
  #medians;
  #count = element("span", "count");
  #medianTitle = element("h4", "", t("Baseline"));
  #unread = element("p", "unread", UNREAD);
  #session = "";

  constructor(desk) {
    const itemList = element("ul", "rows");
    const medianList = element("ul", "rows medians");
    this.#items = new Keyed(itemList, () => new ItemRow(desk));
    this.#medians = new Keyed(medianList, () => new MedianRow());
    this.root = element(
      "section",
      "panel before",
      element("div", "title", element("h3", "", t("Before the infusion")), this.#count),
      element("div", "halves", element("div", "", itemList), element("div", "", this.#medianTitle, medianList)),
      this.#unread,
    );
  }

  update({ bed, details, live, nurse }) {
    setHidden(this.root, !details?.session);
    if (!details?.session) return;
    const { session, checklist, baseline } = details.session;
    this.#items.update(
      checklist.map((item) => ({ item, session, live, nurse })),
      (it) => it.item.item,
    );
    const medians = Object.entries(baseline).map(([vital, found]) => ({
      vital,
      label: labelOf(bed, vital),
      unit: bed.vitals[vital]?.unit ?? "",
      found,
    }));
    this.#medians.update(medians, (it) => it.vital);
    setHidden(this.#medianTitle, medians.length === 0);
    setHidden(this.#unread, details.journal_read);
    const open = checklist.filter((item) => item.state === "open").length;
    setText(this.#count, open === 0 ? t("complete") : t("{n} open", { n: open }));
    setData(this.#count, "open", open === 0 ? "" : "yes");
  }
}

class CriterionRow extends Row {
  #desk;
  #criterion = null;

  constructor(desk) {
    super(button("touch yes", t("Yes"), () => this.#answer()));
    this.#desk = desk;
  }

  update({ criterion, session, live, nurse }) {
    this.#criterion = { ...criterion, session };
    this.show(criterion.met ? "done" : "open", criterion.text, criterion.detail);
    this.offer(nurse && !criterion.met && criterion.id.startsWith(ITEM), live);
    this.buttons.firstChild.setAttribute("aria-label", `${t("Yes")} ${criterion.text}`);
  }

  #answer() {
    const { id, session } = this.#criterion;
    this.#desk.record(`check ${id}`, { verb: "check", session, item: id.slice(ITEM.length), answer: "yes" });
  }
}

/** The criteria of the discharge, as they stand now. */
export class Discharge {
  #rows;
  #count = element("span", "count");
  #unread = element("p", "unread", UNREAD);

  constructor(desk) {
    const list = element("ul", "rows");
    this.#rows = new Keyed(list, () => new CriterionRow(desk));
    this.root = element(
      "section",
      "panel discharge",
      element("div", "title", element("h3", "", t("For the discharge")), this.#count),
      list,
      this.#unread,
    );
  }

  update({ details, live, nurse }) {
    setHidden(this.root, !details?.session);
    if (!details?.session) return;
    const { session, discharge } = details.session;
    this.#rows.update(
      discharge.map((criterion) => ({ criterion, session, live, nurse })),
      (it) => it.criterion.id,
    );
    setHidden(this.#unread, details.journal_read);
    const open = discharge.filter((it) => !it.met).length;
    setText(this.#count, open === 0 ? t("all met") : t("{n} open", { n: open }));
    setData(this.#count, "open", open === 0 ? "" : "yes");
  }
}
