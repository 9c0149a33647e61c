// Asking the station for something, or to do something.

import { t } from "./words.js";

/** Milliseconds that an answer is waited for. */
const PATIENCE = 8000;

const NOT_REACHED = t("The station cannot be reached.");
const UNSURE = t("The station did not answer. Look whether it was done before you do it again.");
const ANOTHER = t("Nothing was done: somebody else has logged in with this browser. See who acts, and do it again.");
const NAMELESS = t("Nothing was done: it needs a name.");

/** Tells `unauthorized` when the station no longer knows who asks, and `me` with what `/api/me` says. */
export const events = new EventTarget();

let csrf = null;
let open = false;
let acting = null;
let nameOf = async () => undefined;

/** The station refused: `status`, `word` for the page, `text` for people, `data` all that it said. */
export class Refused extends Error {
  constructor(status, data) {
    super(data.text);
    this.name = "Refused";
    this.status = status;
    this.word = data.error;
    this.text = data.text;
    this.data = data;
  }
}

/** No answer came: the station, or the way to it, is gone. `text` is for people. */
export class Unreachable extends Error {
  constructor(text) {
    super(text);
    this.name = "Unreachable";
    this.text = text;
  }
}

/** Have `ask` called for the name of who acts, where the station does not know it by a login; it gives a promise. */
export function actAs(ask) {
  nameOf = ask;
}

/** The login of who acts; null while that is not known, "" where the station has no accounts. */
export function actor() {
  return acting;
}

/** Throw `Refused` unless that is still who acts: what one person did is never put down to another. */
export function stillActs(before) {
  if (before !== null && before !== acting) throw new Refused(0, { error: "another", text: ANOTHER });
}

/** What the station answers to a GET. Throws `Refused` or `Unreachable`. */
export function get(path) {
  return answerOf(path, { method: "GET" }, NOT_REACHED);
}

/** Who asks, as `/api/me` says. Throws `Refused` (401: nobody) or `Unreachable`. */
export async function me() {
  return known(await get("/api/me"));
}

/** Log in. Gives what `/api/me` would. Throws `Refused` or `Unreachable`. */
export async function login(name, password) {
  return known(await send("/api/login", { login: name, password }));
}

/** Log out. Throws `Refused` or `Unreachable`. */
export async function logout() {
  await withCsrf("/api/logout", {});
}

/**
 * Ask the station to do something; gives what it answers, null where that is nothing.
 *
 * Where the station knows nobody by a login, the name of who acts is asked for and added as `by`.
 * Throws `Refused` (`cancelled` where no name was given: nothing was sent) or `Unreachable`.
 */
export async function post(path, body) {
  if (csrf === null) await me();
  let whole = body;
  if (open && body.by === undefined) {
    const by = await nameOf();
    if (!by) throw new Refused(0, { error: "cancelled", text: NAMELESS });
    whole = { ...body, by };
  }
  return withCsrf(path, whole);
}

async function withCsrf(path, body) {
  const used = csrf;
  const before = acting;
  try {
    return await send(path, body);
  } catch (problem) {
    if (!(problem instanceof Refused) || problem.status !== 403) throw problem;
    // A station that started again has another token; where it is the same, the refusal had another reason.
    await me();
    if (csrf === used) throw problem;
    stillActs(before);
    return send(path, body);
  }
}

function send(path, body) {
  const headers = { "Content-Type": "application/json" };
  if (csrf !== null) headers["X-CSRF-Token"] = csrf;
  return answerOf(path, { method: "POST", headers, body: JSON.stringify(body) }, UNSURE);
}

async function answerOf(path, request, unreached) {
  let answer;
  let text;
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    answer = await fetch(path, { ...request, cache: "no-store", signal });
    text = await answer.text();
  } catch {
    throw new Unreachable(unreached);
  }
  const data = parsed(text);
  if (answer.ok && data !== undefined) return data;
  const refused = new Refused(answer.status, {
    error: "failed",
    text: t("The station answered something that this page does not understand ({status}).", { status: answer.status }),
    ...data,
  });
  if (answer.status === 401 && path !== "/api/login") {
    events.dispatchEvent(new CustomEvent("unauthorized", { detail: refused.data }));
  }
  throw refused;
}

/** JSON; null of nothing, undefined of what is none. */
function parsed(text) {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function known(person) {
  csrf = person.csrf;
  open = person.via === "open";
  acting = person.login;
  events.dispatchEvent(new CustomEvent("me", { detail: person }));
  return person;
}
