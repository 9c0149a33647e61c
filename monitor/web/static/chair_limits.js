// The limits in force, and their change for this session within the site's bounds.

import { button, element, Keyed, setData, setHidden, setText } from "./dom.js";
import { ask } from "./dialog.js";
import { scroller } from "./chair_words.js";
import { BRIEF_PRIORITIES } from "./terms.js";
import { t } from "./words.js";

class LimitRow {
  #desk;
  #limit = null;
  #vital = element("th");
  #value = element("td", "number");
  #priority = element("td", "priority");
  #delay = element("td", "delay");
  #change;
  #reset;

  constructor(desk) {
    this.#desk = desk;
    this.#vital.scope = "row";
    this.#change = button("touch", t("Change…"), () => this.#ask());
    this.#reset = button("touch", t("Profile's…"), () => this.#back());
    const tools = element("td", "tools", element("div", "choices", this.#change, this.#reset));
    this.root = element("tr", "", this.#vital, this.#value, this.#priority, this.#delay, tools);
  }

  update({ limit, session, live, nurse }) {
    this.#limit = { ...limit, session };
    setText(this.#vital, limit.label);
    const sign = limit.side === "low" ? "<" : ">";
    const own = limit.set_for_session ? ` · ${t("this session")}` : "";
    const priority = BRIEF_PRIORITIES[limit.priority];
    setText(this.#value, `${sign} ${limit.limit} ${limit.unit}${own}`);
    setText(this.#priority, priority);
    setData(this.#priority, "priority", limit.priority);
    setText(this.#delay, limit.delay_s > 0 ? t("after {seconds} s", { seconds: limit.delay_s }) : t("at once"));
    setData(this.root, "own", limit.set_for_session ? "yes" : "");
    this.root.title = t("Rule {rule}", { rule: limit.rule });
    const changeable = nurse && session !== null && limit.bounds !== null;
    setHidden(this.#change, !changeable);
    setHidden(this.#reset, !changeable || !limit.set_for_session);
    const named = `${limit.label} ${sign} ${limit.limit}, ${priority}`;
    this.#change.setAttribute("aria-label", t("Change {limit}", { limit: named }));
    for (const it of [this.#change, this.#reset]) if (it.disabled !== !live) it.disabled = !live;
  }

  #ask() {
    const { label, side, unit, limit, bounds, session, rule, priority } = this.#limit;
    const [min, max] = bounds;
    const named = { label, priority: BRIEF_PRIORITIES[priority] };
    const below = t("{label}: {priority} alert below", named);
    const above = t("{label}: {priority} alert above", named);
    this.#desk.once(`limit ${rule}`, () =>
      ask({
        title: side === "low" ? below : above,
        text: t("For this session alone, from now on. Now {limit} {unit}.", { limit, unit }),
        fields: [
          {
            name: "limit",
            label: t("Limit in {unit}, {min} to {max}", { unit, min, max }),
            type: "number",
            required: true,
            min,
            max,
            step: "any",
            value: String(limit),
          },
          { name: "reason", label: t("Reason"), required: true, maxlength: 200 },
        ],
        ok: t("Set limit"),
        submit: (values) => this.#desk.send({ verb: "limit", session, rule, ...values }),
      }),
    );
  }

  #back() {
    const { label, session, rule } = this.#limit;
    this.#desk.once(`profile ${rule}`, () =>
      ask({
        title: t("{label}: back to the profile's limit", { label }),
        fields: [{ name: "reason", label: t("Reason"), required: true, maxlength: 200 }],
        ok: t("Back to the profile's"),
        submit: ({ reason }) => this.#desk.send({ verb: "limit", session, rule, limit: null, reason }),
      }),
    );
  }
}

export class Limits {
  #rows;
  #profile = element("span", "count");

  constructor(desk) {
    const body = element("tbody");
    this.#rows = new Keyed(body, () => new LimitRow(desk));
    const names = [t("Vital"), t("Alert at"), t("Priority"), t("Delay")].map((name) => {
      const made = element("th", "", name);
      made.scope = "col";
      return made;
    });
    const head = element("thead", "", element("tr", "", ...names, element("td")));
    this.root = element(
      "section",
      "panel limit-list",
      element("div", "title", element("h3", "", t("Limits in force")), this.#profile),
      scroller(t("Limits in force"), element("table", "", head, body)),
    );
  }

  update({ details, live, nurse }) {
    setHidden(this.root, details === null);
    if (details === null) return;
    const session = details.session?.session ?? null;
    const name = details.session?.profile ?? details.offer.profile;
    setText(this.#profile, t("profile {name}", { name: name.replaceAll("_", " ") }));
    this.#rows.update(
      details.limits.map((limit) => ({ limit, session, live, nurse })),
      (it) => it.limit.rule,
    );
  }
}
