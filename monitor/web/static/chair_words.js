// The words of the chair page, and what its lists are in.

import { element, setAttribute } from "./dom.js";
import { timeOf } from "./times.js";
import { language } from "./words.js";

const DAY = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });

/** Kinds of entries that can be made void. */
export const VOIDABLE = new Set(["step", "check", "note", "event", "dose", "score", "assigned", "limit", "closed"]);

/** 12:03:10, with the day where it is not that of `now` (milliseconds). */
export function whenOf(at, now) {
  const date = new Date(at);
  const day = date.toDateString() === new Date(now).toDateString() ? "" : `${DAY.format(date)} `;
  return day + timeOf(at);
}

/** Text of what went wrong, for people. */
export function textOf(error) {
  return error.text ?? String(error);
}

/** What a vital is called on this bed; its key where the bed does not have it. */
export function labelOf(bed, vital) {
  return bed?.vitals[vital]?.label ?? vital.replaceAll("_", " ");
}

/** A box that scrolls, also by the keyboard. */
export function scroller(label, ...children) {
  const made = element("div", "scroll", ...children);
  made.tabIndex = 0;
  setAttribute(made, "role", "group");
  setAttribute(made, "aria-label", label);
  return made;
}
