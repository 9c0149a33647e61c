// The connection and the watchdog: what is shown is the present, or it is taken away.

import * as api from "./api.js";
import * as cover from "./cover.js";
import * as places from "./places.js";
import { StationTime } from "./station_time.js";
import { Stream } from "./stream.js";
import { every } from "./ticks.js";
import { span } from "./times.js";
import { notice } from "./toast.js";
import * as trends from "./trends.js";
import { t } from "./words.js";

/** Milliseconds: nothing older may be taken for the present. */
const OLDEST = 5000;
/** Milliseconds of age from which on the connection is said to be slow. */
const SLOW = 3000;
const LOOK_EVERY = 250;
/** Milliseconds after which a stream that only brings the past is given up: another may have a shorter queue. */
const PAST_FOR = 20000;
/** Milliseconds between two round trips by which the station's clock is known: usually, and while it is in doubt. */
const ASK_EVERY = 300000;
const ASK_IN_DOUBT = 2000;
/** Milliseconds that this computer's clock and the station's may differ before it is said. */
const CLOCKS_APART = 10000;

/** Tells `live` when the page is live again, and `restarted` when the station is another one than before. */
export const events = new EventTarget();

/** The `moment` of the message that is shown: whoever silences something says by it what they saw. */
export let moment = null;

const station = new StationTime();
const stream = new Stream(station, receive, dropped);
let parts = null;
let live = false;
let covered = false;
let loggedOut = false;
/** The station's time of the message that is shown, and when it came. */
let made = Date.now();
let shownAt = 0;
/** The station's time of the last message that came, shown or not. */
let latest = 0;
let askedAt = -Infinity;
let asking = false;
let watchedAt = 0;
let boot = null;

/** Have `show` called with every message, and `lost` when what it showed is no longer the present. */
export function start({ show, lost }) {
  parts = { show, lost };
  places.take(() => stream.renew(), lose);
  every(LOOK_EVERY, watch);
  for (const event of ["visibilitychange", "resume"]) document.addEventListener(event, watch);
  for (const event of ["pageshow", "focus"]) window.addEventListener(event, watch);
  // A page that is put to sleep wakes up with what it showed: that must not be seen before the watchdog looks.
  document.addEventListener("freeze", rest);
  window.addEventListener("pagehide", rest);
  window.addEventListener("online", () => stream.again(station.look()));
  api.events.addEventListener("unauthorized", () => {
    loggedOut = true;
    if (!stream.open) lose();
  });
}

/** The station's time in milliseconds; this computer's before that is known. */
export function now() {
  return station.now() ?? Date.now();
}

/** Take a message. Returns whether it was one of this stream's time, and not what it had kept while all slept. */
function receive(message, asked) {
  if (slept()) {
    wakeUp();
    return false;
  }
  const stamp = Date.parse(message.now);
  if (Number.isNaN(stamp)) throw new TypeError("a message that does not say when it was made");
  latest = stamp;
  if (asked !== null) station.answered(asked, latest);
  station.heard(latest);
  loggedOut = false;
  if (station.age(latest) > OLDEST) trends.take(message, latest / 1000);
  else show(message);
  return true;
}

function show(message) {
  // What cannot be shown is none that was: then the watchdog finds silence.
  parts.show(message);
  moment = message.moment;
  made = latest;
  shownAt = station.look();
  cover.clock(made);
  const other = boot !== null && boot !== message.boot;
  boot = message.boot;
  if (!live) {
    live = true;
    covered = false;
    cover.lift();
    events.dispatchEvent(new Event("live"));
  }
  if (other) events.dispatchEvent(new Event("restarted"));
  sayLive(shownAt);
}

function watch() {
  if (slept()) wakeUp();
  const steady = station.look();
  if (behind(steady) > OLDEST) lose();
  if (live) sayLive(steady);
  if (covered) sayWhy(steady);
  if (stream.comes(steady) && steady - Math.max(shownAt, stream.openedAt) > PAST_FOR) stream.renew();
  else stream.look(steady);
  askTime(steady);
}

/** Whether the computer, or the page, has slept meanwhile. */
function slept() {
  const before = watchedAt;
  watchedAt = station.look();
  return watchedAt - before > OLDEST;
}

/** Milliseconds that what is shown is behind the present at most. */
function behind(steady) {
  return Math.max(steady - shownAt, live ? station.age(made) : 0);
}

function wakeUp() {
  lose();
  stream.rest();
  stream.again(station.look());
}

function rest() {
  stream.rest();
  lose();
}

function dropped() {
  if (live) cover.say("lost", t("Connection lost, reconnecting"));
  // What a stream was refused for is not told: `unauthorized` is, if it is that.
  api.me().catch(() => {});
}

function lose() {
  if (covered) return;
  live = false;
  covered = true;
  parts.lost();
  cover.raise(made);
  sayWhy(station.look());
}

function sayLive(steady) {
  const late = behind(steady);
  if (stream.comes(steady)) {
    if (late > SLOW) cover.say("slow", t("Slow connection: {late} s behind", { late: Math.floor(late / 1000) }));
    else cover.say("live", t("Live"));
  }
  const ahead = station.ahead();
  notice("clock", Math.abs(ahead) > CLOCKS_APART ? apart(ahead) : null);
}

/** In words, how far this computer's clock is ahead of the station's, or behind it. */
function apart(ahead) {
  const time = span(Math.abs(ahead));
  return ahead > 0
    ? t("This computer's clock is {time} ahead of the station's: times on this page are the station's.", { time })
    : t("This computer's clock is {time} behind the station's: times on this page are the station's.", { time });
}

function sayWhy(steady) {
  if (loggedOut) {
    const link = { text: t("Log in again"), href: cover.loginPath() };
    cover.explain(t("Logged out"), t("Your login has ended."), link);
  } else if (!places.mine) {
    const text = t("Other pages of this browser show the station already: close some.");
    cover.explain(t("Not live, too many pages"), text);
  } else if (stream.comes(steady)) {
    const time = span(station.age(latest));
    cover.explain(t("Not live, too slow"), t("The connection is too slow: messages come {time} late.", { time }));
  } else {
    const text = t("No message from the station. This page keeps trying to reconnect by itself.");
    cover.explain(t("Not live, reconnecting"), text);
  }
}

/** One round trip to the station, by which its clock is known. */
async function askTime(steady) {
  if (latest === 0 || asking) return;
  const doubt = station.guessed || behind(steady) > SLOW;
  if (steady - askedAt < (doubt ? ASK_IN_DOUBT : ASK_EVERY)) return;
  askedAt = steady;
  asking = true;
  const asked = station.asked();
  try {
    station.answered(asked, Date.parse((await api.get("/api/snapshot")).now));
  } catch {
    // The watchdog goes on by what is known.
  }
  asking = false;
}
