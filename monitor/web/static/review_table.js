// Tables of the review pages: each row can lead to its time in the drawing.

import { button, element, setAttribute } from "./dom.js";

let count = 0;

/** A heading with what stands beside it, and below it its content: a part of the page. */
export function section(className, title, ...content) {
  const heading = element("h3", "", title);
  heading.id = `review-part-${(count += 1)}`;
  const beside = element("span", "count");
  const root = element("section", `panel ${className}`, element("div", "title", heading, beside), ...content);
  setAttribute(root, "aria-labelledby", heading.id);
  return { root, beside };
}

/** A field with its name before it, as one thing. */
export function labelled(name, input) {
  input.id = `review-field-${(count += 1)}`;
  const label = element("label", "name", name);
  label.htmlFor = input.id;
  return element("div", "labelled", label, input);
}

/** A button of a time, which leads there. */
export function timeButton(text, act) {
  return button("time", text, act);
}

/**
 * A table with these names of columns. Each row is `{cells, go, data, key}`: the first cell is its heading; `go`, where
 * there is one, leads to its time, by a click on the row or on the button that the heading then is.
 */
export function table(names, rows) {
  const heads = names.map((name) => {
    const made = element("th", "", name);
    made.scope = "col";
    return made;
  });
  const body = element("tbody", "", ...rows.map((row) => rowOf(row, names)));
  const made = element("table", "", element("thead", "", element("tr", "", ...heads)), body);
  return element("div", "wide", made);
}

function rowOf({ cells, go = null, data = {} }, names) {
  const [first, ...others] = cells;
  const head = element("th", "", go === null ? first : timeButton(first, go));
  head.scope = "row";
  const made = element("tr", "", head);
  others.forEach((cell, place) => {
    const shown = element("td", "", ...(Array.isArray(cell) ? cell : [cell]));
    shown.dataset.name = names[place + 1];
    made.append(shown);
  });
  for (const [name, value] of Object.entries(data)) if (value) made.dataset[name] = value;
  if (go !== null) {
    made.classList.add("leads");
    made.addEventListener("click", (click) => click.target.closest("button, a") ?? go());
  }
  return made;
}

/** What may be long scrolls, also by the keyboard. */
export function listed(name, content) {
  const made = element("div", "scroll", content);
  made.tabIndex = 0;
  setAttribute(made, "role", "group");
  setAttribute(made, "aria-label", name);
  return made;
}
