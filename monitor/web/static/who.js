// Who acts on this page: by a login, or by the name that is given where the station has no accounts.

import * as api from "./api.js";
import * as connection from "./connection.js";
import { loginPath } from "./cover.js";
import * as dialog from "./dialog.js";
import { button, element, setText } from "./dom.js";
import { recall, remember } from "./remembered.js";
import { ROLES } from "./terms.js";
import { notice, wrong } from "./toast.js";
import { t } from "./words.js";

const RANKS = Object.keys(ROLES);
/** Milliseconds before the end of a login from which on it is said. */
const SOON = 600000;
const LOOK_EVERY = 15000;
const LONGEST_NAME = 60;
/** Under which the name of who acts is remembered. */
const NAME = "who.name";

/** What `/api/me` says; null while that is not known, and when nobody is logged in. */
let person = null;
/** The question for the name that is being asked. */
let asking = null;

const name = element("strong");
const role = element("span", "role");
const logOut = button("", t("Log out"), leave);
const change = button("", "", ask);

export function start() {
  api.actAs(by);
  api.events.addEventListener("me", (event) => know(event.detail));
  api.events.addEventListener("unauthorized", () => know(null));
  connection.events.addEventListener("restarted", load);
  connection.events.addEventListener("live", () => person ?? load());
  // Another page of this browser may have been told another name.
  window.addEventListener("storage", show);
  setInterval(look, LOOK_EVERY);
  load();
}

/** Whether whoever acts here has at least that role. */
export function may(least) {
  return person !== null && RANKS.indexOf(person.role) >= RANKS.indexOf(least);
}

/**
 * The name of who acts, where the station does not know it by a login: asked once, then remembered.
 *
 * Undefined where there are accounts, and where no name was given.
 */
export async function by() {
  if (person !== null && person.via !== "open") return undefined;
  return recall(NAME) || ask();
}

async function load() {
  try {
    await api.me();
  } catch {
    // Whoever is not known may nothing; the connection says what is wrong.
  }
}

function know(found) {
  person = found;
  show();
  look();
}

function show() {
  const root = document.getElementById("who");
  if (person === null) {
    root.replaceChildren();
  } else if (person.via === "open") {
    const trying = element("span", "trying", t("Trying out: no accounts, this computer only"));
    const given = recall(NAME);
    setText(change, given ? t("{name} (change)", { name: given }) : t("Who are you?"));
    root.replaceChildren(trying, change);
  } else {
    setText(name, person.name || person.login);
    setText(role, ROLES[person.role] ?? person.role);
    root.replaceChildren(name, role, logOut);
  }
}

/** Say it when the login is about to end. */
function look() {
  const left = person?.expires_at ? Date.parse(person.expires_at) - connection.now() : Infinity;
  if (left > SOON) {
    notice("login", null);
    return;
  }
  const minutes = Math.max(1, Math.round(left / 60000));
  const text = t("Your login ends in {minutes} min.", { minutes });
  notice("login", text, { text: t("Log in again"), href: loginPath() });
}

async function leave() {
  try {
    await api.logout();
    location.assign("/login");
  } catch (problem) {
    if (problem instanceof api.Refused && problem.status === 401) location.assign("/login");
    else wrong(t("Not logged out. {why}", { why: problem.text }));
  }
}

/** Ask for the name; undefined where none is given. */
function ask() {
  asking ??= question().finally(() => {
    asking = null;
    show();
  });
  return asking;
}

async function question() {
  const label = t("Your name stands beside what you do.");
  const field = { name: "name", label, value: recall(NAME) ?? "", required: true, maxlength: LONGEST_NAME };
  const answer = await dialog.ask({ title: t("Who are you?"), fields: [field], ok: t("That is me") });
  if (answer === null) return undefined;
  remember(NAME, answer.name);
  return answer.name;
}
