// The page's colours as a canvas needs them: asked of the style sheets, and again when the theme changes.

import { element } from "./dom.js";

const known = new Map();
const watchers = [];
/** The one is styled as a numeric is, so that a vital has the same colour in both. */
const numeric = element("span", "numeric");
const plain = element("span");
const probe = element("div", "probe", numeric, plain);
probe.hidden = true;

/** A vital's colour, fit for the ground that it is drawn on. */
export function vitalColour(colour) {
  return asked(`vital ${colour}`, () => {
    numeric.style.setProperty("--vital", colour);
    return getComputedStyle(numeric).color;
  });
}

/** The value of one of the page's variables, such as `--quiet`. */
export function pageColour(name) {
  return asked(name, () => {
    plain.style.setProperty("color", `var(${name})`);
    return getComputedStyle(plain).color;
  });
}

/** Have `watcher` called when the colours have changed. */
export function watchColours(watcher) {
  watchers.push(watcher);
}

function asked(name, ask) {
  if (!probe.isConnected) document.getElementById("chair").append(probe);
  if (!known.has(name)) known.set(name, ask());
  return known.get(name);
}

function forget() {
  known.clear();
  for (const watcher of watchers) watcher();
}

matchMedia("(prefers-color-scheme: light)").addEventListener("change", forget);
new MutationObserver(forget).observe(document.documentElement, { attributeFilter: ["data-theme"] });
