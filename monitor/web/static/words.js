// The page in the language of who reads it. It is written in English; what is not translated stays English, and so does
// what the station composes (alerts, entries, refusals): that is recorded as it was told.

import { recall, remember } from "./remembered.js";

/** The languages that there are words in, each by its own name. */
export const LANGUAGES = { en: "English", de: "Deutsch", fr: "Français", es: "Español" };

const CHOSEN = "language";
/** Milliseconds that the page waits for its words: an alert is shown in English sooner than late. */
const PATIENCE = 2000;
/** The same where the words of an earlier time are at hand. */
const PATIENCE_WITH_KEPT = 300;

/** The language of the page: as chosen in this browser, else the first of the browser's that there is. */
export const language = chosen() ?? preferred() ?? "en";

const words = language === "en" ? {} : await wordsOf(language);
document.documentElement.lang = language;
fill(document);

/** An English text in the language of the page; `{name}` in it is filled with that value. */
export function t(text, values = {}) {
  const said = Object.hasOwn(words, text) ? words[text] : text;
  return said.replace(/\{(\w+)\}/g, (sign, name) => (Object.hasOwn(values, name) ? String(values[name]) : sign));
}

/** The text for one or for many, by a count, which fills `{n}` in it. */
export function tn(one, many, n, values = {}) {
  const single = language === "fr" ? n < 2 : n === 1;
  return t(single ? one : many, { n, ...values });
}

/** Have the page in that language from now on, in this browser. */
export function choose(wanted) {
  remember(CHOSEN, wanted);
  location.reload();
}

function chosen() {
  const recalled = recall(CHOSEN);
  return recalled !== null && Object.hasOwn(LANGUAGES, recalled) ? recalled : null;
}

function preferred() {
  const primary = navigator.languages.map((tag) => tag.split("-", 1)[0].toLowerCase());
  return primary.find((tag) => Object.hasOwn(LANGUAGES, tag));
}

/** The words of a language, by the English: the station's, or those of an earlier time where it takes long. */
async function wordsOf(wanted) {
  const name = `words.${wanted}`;
  const kept = parsed(recall(name));
  const asked = fetch(`/api/words/${wanted}`)
    .then(async (answer) => (answer.ok ? answer.text() : null))
    .catch(() => null)
    .then((text) => {
      const told = parsed(text);
      // Also where it comes too late for this time.
      if (told !== null) remember(name, text);
      return told;
    });
  const patience = kept === null ? PATIENCE : PATIENCE_WITH_KEPT;
  const late = new Promise((resolve) => {
    setTimeout(resolve, patience, null);
  });
  return (await Promise.race([asked, late])) ?? kept ?? {};
}

/** An object of texts; null of what is none. */
function parsed(text) {
  try {
    const told = JSON.parse(text);
    return Object.values(told).every((it) => typeof it === "string") ? told : null;
  } catch {
    return null;
  }
}

/** What stands in the document itself: the text of what has `data-t`, the label of what has `data-t-label`. */
function fill(root) {
  for (const node of root.querySelectorAll("[data-t]")) {
    node.textContent = t(node.textContent.trim().replace(/\s+/g, " "));
  }
  for (const node of root.querySelectorAll("[data-t-label]")) {
    node.setAttribute("aria-label", t(node.getAttribute("aria-label")));
  }
}
