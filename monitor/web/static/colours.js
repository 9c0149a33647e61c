// The page's colours as a canvas needs them: asked of the style sheets, and again when the theme changes.

import { element } from "./dom.js";

const known = new Map();
const watchers = [];
/** Styled as a numeric is, so that a vital has the same colour in both. */
const probe = element("span", "colour-probe");
probe.hidden = true;

/** How often the colours have changed: what was drawn before has the old ones. */
export let changes = 0;

/** A vital's colour, fit for the ground that it is drawn on. */
export function vitalColour(colour) {
  return asked(`vital ${colour}`, () => {
    probe.style.removeProperty("color");
    probe.style.setProperty("--vital", colour);
  });
}

/** The value of one of the page's variables, such as `--quiet`. */
export function pageColour(name) {
  return asked(name, () => probe.style.setProperty("color", `var(${name})`));
}

/** Have `watcher` called when the colours have changed. */
export function watchColours(watcher) {
  watchers.push(watcher);
}

function asked(name, dress) {
  if (!known.has(name)) {
    if (!probe.isConnected) document.body.append(probe);
    dress();
    known.set(name, getComputedStyle(probe).color);
  }
  return known.get(name);
}

function forget() {
  known.clear();
  changes += 1;
  for (const watcher of watchers) watcher();
}

matchMedia("(prefers-color-scheme: light)").addEventListener("change", forget);
new MutationObserver(forget).observe(document.documentElement, { attributeFilter: ["data-theme"] });
