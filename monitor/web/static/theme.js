// Light or dark: as the system is, or as it was chosen on this computer.

import { button, setText } from "./dom.js";
import { recall, remember } from "./remembered.js";

const CHOICES = ["auto", "light", "dark"];
const CHOSEN = "theme";

apply();

/** Show the button that changes it. */
export async function start() {
  // The colours wait for no words.
  const { t } = await import("./words.js");
  const names = { auto: t("Auto"), light: t("Light"), dark: t("Dark") };
  const titles = { auto: t("Colours: auto"), light: t("Colours: light"), dark: t("Colours: dark") };
  const shown = button("", "", () => {
    const next = CHOICES[(CHOICES.indexOf(choice()) + 1) % CHOICES.length];
    remember(CHOSEN, next === "auto" ? null : next);
    apply();
    say();
  });
  const say = () => {
    setText(shown, names[choice()]);
    shown.title = titles[choice()];
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
  return CHOICES.includes(chosen) ? chosen : "auto";
}

function apply() {
  document.documentElement.dataset.theme = choice();
}
