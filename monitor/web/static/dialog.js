// One way to ask: a native <dialog>, which keeps the keyboard inside, closes with Esc and gives the focus back.

import { button, element, setAttribute, setHidden, setText } from "./dom.js";
import { t } from "./words.js";

let count = 0;

/** Leave what is being asked: whoever asked has gone. */
export function leave() {
  for (const asked of document.querySelectorAll("dialog.ask")) asked.close();
}

/** One question of a form: its label, its help, and the element that is written into or chosen from. */
class Field {
  constructor(asked) {
    this.name = asked.name;
    this.input = inputOf(asked);
    this.input.id = `asked-${(count += 1)}`;
    const label = element("label", "name", asked.label);
    label.htmlFor = this.input.id;
    this.root = element("div", "field", label, this.input);
    if (asked.help) {
      const help = element("p", "help", asked.help);
      help.id = `${this.input.id}-help`;
      this.input.setAttribute("aria-describedby", help.id);
      this.root.append(help);
    }
  }

  /** What was written, without blanks at its ends; a number of a number field; null where nothing was. */
  get value() {
    const text = this.input.value.trim();
    if (text === "") return null;
    return this.input.type === "number" ? Number(text) : text;
  }

  /** A required field that has only blanks is empty to everybody but the browser. */
  check() {
    const blank = this.input.required && this.value === null && this.input.value !== "";
    this.input.setCustomValidity(blank ? t("Please write something here.") : "");
  }
}

function inputOf(asked) {
  const { type = "text", value = "", options = [] } = asked;
  const input = element(type === "select" || type === "textarea" ? type : "input");
  if (input instanceof HTMLInputElement) input.type = type;
  for (const option of options) {
    const made = element("option", "", option.label);
    made.value = option.value;
    input.append(made);
  }
  input.value = value;
  input.required = asked.required ?? false;
  input.autocomplete = "off";
  for (const name of ["min", "max", "step", "pattern", "maxlength", "inputmode", "list", "title"]) {
    if (asked[name] !== undefined) setAttribute(input, name, String(asked[name]));
  }
  return input;
}

/**
 * Ask something. Gives what `submit` gives, or without it the values by the fields' names; null where it was left.
 *
 * `title` is the question, `text` a paragraph and `list` lines below it; `fields` are `{name, label, type, value,
 * required, help, options, ...}`. While `submit(values)` is under way the question stays; what it throws is said there,
 * and what was written stays.
 */
export function ask({ title, text = "", list = [], fields = [], ok = t("OK"), cancel = t("Cancel"), submit = null }) {
  const shown = fields.map((field) => new Field(field));
  const heading = element("h2", "", title);
  heading.id = `asked-${(count += 1)}`;
  const problem = element("p", "problem");
  problem.setAttribute("role", "alert");
  const yes = element("button", "primary", ok);
  yes.type = "submit";
  const no = button("", cancel, () => dialog.close());
  const form = element("form", "", heading);
  if (text) form.append(element("p", "text", text));
  if (list.length > 0) form.append(element("ul", "list", ...list.map((line) => element("li", "", line))));
  form.append(...shown.map((field) => field.root), problem, element("div", "answers", no, yes));
  const dialog = element("dialog", "ask", form);
  dialog.setAttribute("aria-labelledby", heading.id);
  setHidden(problem, true);
  return new Promise((resolve) => {
    let answer = null;
    let asking = false;
    form.addEventListener("input", () => shown.forEach((field) => field.check()));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (asking) return;
      asking = yes.disabled = true;
      setHidden(problem, true);
      const values = Object.fromEntries(shown.map((field) => [field.name, field.value]));
      try {
        answer = submit === null ? values : await submit(values);
        dialog.close();
      } catch (error) {
        setText(problem, error.text ?? String(error));
        setHidden(problem, false);
      } finally {
        asking = yes.disabled = false;
      }
    });
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    const before = document.activeElement;
    dialog.showModal();
    (shown[0]?.input ?? yes).focus();
    dialog.addEventListener("close", () => before?.isConnected && before.focus());
  });
}
