// Light or dark: as the system is, or as it was chosen on this computer.

import { button, setText } from "./dom.js";
import { recall, remember } from "./remembered.js";

const CHOICES = { auto: "Auto", light: "Light", dark: "Dark" };
const CHOSEN = "theme";

apply();

/** Show the button that changes it. */
export function start() {
  const shown = button("", "", () => {
    const choices = Object.keys(CHOICES);
    const next = choices[(choices.indexOf(choice()) + 1) % choices.length];
    remember(CHOSEN, next === "auto" ? null : next);
    apply();
    say();
  });
  const say = () => {
    setText(shown, CHOICES[choice()]);
    shown.title = `Colours: ${CHOICES[choice()].toLowerCase()}`;
    shown.setAttribute("aria-label", shown.title);
  };
  say();
  document.getElementById("theme").replaceChildren(shown);
  window.addEventListener("storage", () => {
    apply();
    say();
  });
}

function choice() {
  const chosen = recall(CHOSEN);
  return chosen !== null && Object.hasOwn(CHOICES, chosen) ? chosen : "auto";
}

function apply() {
  document.documentElement.dataset.theme = choice();
}
