// What is said of the connection: in the header, and on the cover over all that is not live.

import { element, setData, setText } from "./dom.js";
import { timeOf } from "./times.js";
import { t } from "./words.js";

const at = (id) => document.getElementById(id);

/** Where to log in again and come back to this view. */
export function loginPath() {
  return `/login?next=${encodeURIComponent(location.pathname)}`;
}

/** How the connection is: `live`, `slow`, `lost`. */
export function say(state, text) {
  setData(at("connection"), "state", state);
  setText(at("connection"), text);
}

/** The station's time. */
export function clock(stamp) {
  setText(at("clock"), timeOf(stamp));
}

/** Cover everything: what is under it was made at that moment of the station's time. */
export function raise(stamp) {
  document.body.classList.add("not-live");
  setText(at("clock"), "--:--:--");
  const since = element("span", "", t("since {time}", { time: timeOf(stamp) }));
  at("not-live-text").replaceChildren(element("strong", "", t("NOT LIVE")), " ", since);
  at("not-live").hidden = false;
}

/** Say on the cover, and in the header, why. */
export function explain(brief, text, link = null) {
  say("lost", brief);
  const why = at("not-live").querySelector(".quiet");
  if (why.dataset.why === text) return;
  why.dataset.why = text;
  why.replaceChildren(text);
  if (link === null) return;
  const made = element("a", "", link.text);
  made.href = link.href;
  why.append(" ", made);
}

/** Take the cover away. */
export function lift() {
  document.body.classList.remove("not-live");
  at("not-live").hidden = true;
  at("not-live-text").replaceChildren();
}
