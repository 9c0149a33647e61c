// What the page itself has to say: notices that stand while they are true, and toasts that pass.

import { button, element, setText } from "./dom.js";
import { t } from "./words.js";

/** Milliseconds that a toast is shown; one that says what went wrong stays until it is put away. */
const SHOWN = 6000;

const standing = new Map();

/** Show a notice in the header under that name, with a link `{text, href}` if there is one; null takes it away. */
export function notice(name, text, link = null) {
  const shown = standing.get(name);
  if (text === null) {
    shown?.root.remove();
    standing.delete(name);
    return;
  }
  const made = shown ?? madeNotice(name);
  setText(made.text, text);
  made.link.hidden = link === null;
  if (link !== null) {
    setText(made.link, link.text);
    made.link.href = link.href;
  }
}

function madeNotice(name) {
  const text = element("span");
  const link = element("a");
  const made = { root: element("p", "own-notice", text, " ", link), text, link };
  made.root.dataset.name = name;
  made.root.setAttribute("role", "status");
  document.getElementById("notices").append(made.root);
  standing.set(name, made);
  return made;
}

/** Say that something was done. */
export function say(text) {
  const shown = show("toast", text);
  setTimeout(() => shown.remove(), SHOWN);
}

/** Say that something went wrong. */
export function wrong(text) {
  const shown = show("toast wrong", text);
  shown.setAttribute("role", "alert");
  shown.append(button("away", t("Close"), () => shown.remove()));
}

function show(className, text) {
  const shown = element("div", className, element("span", "", text));
  document.getElementById("toasts").append(shown);
  return shown;
}
