// Logging in: with a login and a password, or by way of the organization's own login.

import * as api from "./api.js";
import { setHidden, setText } from "./dom.js";
import * as languageChoice from "./language_choice.js";
import { nextPath } from "./next.js";
import { t } from "./words.js";

/** What came of the organization's own login, by the word that it left in the address. */
const PROVIDER = new Map([
  ["oidc_refused", t("You were not let in: you have no account here, or the login was refused.")],
  ["oidc_unavailable", t("That login cannot be reached at the moment. Try again later, or use a password.")],
  ["oidc_expired", t("That took too long. Try again.")],
]);

const at = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const next = nextPath(query.get("next"));

/** Until when another attempt is refused, by `performance.now`; and the timer that counts it down. */
let waitUntil = 0;
let waiting = null;
let asking = false;

async function begin() {
  try {
    const person = await api.me();
    if (person.via === "open") {
      location.replace(next);
      return;
    }
    name(person.site);
    setText(at("known"), t("You are logged in as {name}.", { name: person.name || person.login }));
    setHidden(at("known"), false);
  } catch (problem) {
    if (!(problem instanceof api.Refused) || problem.status !== 401) {
      say(problem.text);
      return;
    }
    name(problem.data.site);
    offer(problem.data.oidc);
  }
}

function name(site) {
  if (!site) return;
  setText(at("station"), site);
  document.title = t("Log in - {site}", { site });
}

/** Offer the organization's own login, where there is one. */
function offer(oidc) {
  if (!oidc) return;
  setText(at("oidc"), oidc);
  at("oidc").href = `/oidc/login?next=${encodeURIComponent(next)}`;
  setHidden(at("oidc"), false);
}

async function submit(event) {
  event.preventDefault();
  if (asking || performance.now() < waitUntil) return;
  asking = true;
  at("go").disabled = true;
  say("");
  try {
    await api.login(at("name").value.trim(), at("password").value);
    location.assign(next);
  } catch (problem) {
    refused(problem);
  } finally {
    asking = false;
    at("go").disabled = performance.now() < waitUntil;
  }
}

function refused(problem) {
  if (problem instanceof api.Unreachable) {
    say(t("The station cannot be reached. Nothing is wrong with your password: try again in a moment."));
  } else if (problem.status === 429) {
    waitUntil = performance.now() + 1000 * (problem.data.retry_after_s ?? 30);
    waiting ??= setInterval(countDown, 250);
    countDown();
  } else if (problem.status === 401) {
    say(t("Login or password is wrong."));
    at("password").select();
  } else {
    say(problem.text);
  }
}

function countDown() {
  const left = Math.ceil((waitUntil - performance.now()) / 1000);
  if (left > 0) {
    say(t("Too many attempts. Try again in {left} s.", { left }));
    at("go").disabled = true;
    return;
  }
  clearInterval(waiting);
  waiting = null;
  say("");
  at("go").disabled = asking;
}

function say(text) {
  setText(at("problem"), text);
  setHidden(at("problem"), text === "");
}

function reveal() {
  const shown = at("password").type === "password";
  at("password").type = shown ? "text" : "password";
  at("reveal").setAttribute("aria-pressed", String(shown));
  setText(at("reveal"), shown ? t("Hide") : t("Show"));
}

say(PROVIDER.get(query.get("error")) ?? "");
at("login").addEventListener("submit", submit);
// Before that it would do nothing.
at("go").disabled = false;
at("reveal").addEventListener("click", reveal);
languageChoice.start(at("language"), { named: true });
begin();
