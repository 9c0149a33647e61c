// The connection and the watchdog: what is shown is the present, or it is taken away.

import { loudest, rankOf } from "./alerts.js";
import { Wall } from "./wall.js";

/** Milliseconds without a message after which nothing shown may be taken for the present. */
const SILENCE = 5000;
/** Milliseconds that a connection is given before another is tried. */
const PATIENCE = 3000;
const LOOK_EVERY = 250;

const at = (id) => document.getElementById(id);
const wall = new Wall(at("wall"), at("standing"), at("station-alerts"));

let source = null;
let opened = 0;
let heard = performance.now();
let heardWall = Date.now();
let stationTime = new Date();
let stationName = "Nurse station";
let live = false;
let known = null;

function time(date) {
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((it) => String(it).padStart(2, "0")).join(":");
}

// performance.now() may stand still while the machine sleeps, and the wall clock may be set back: the longer counts.
function silence() {
  return Math.max(performance.now() - heard, Date.now() - heardWall);
}

function connect() {
  source?.close();
  opened = performance.now();
  source = new EventSource("/api/live");
  source.onmessage = (message) => receive(JSON.parse(message.data));
  source.onerror = () => {
    if (live) connection("lost", "Connection lost, reconnecting");
  };
}

function receive(snapshot) {
  if (opened < heard && silence() > SILENCE) {
    // After a sleep the old connection first hands over what it had kept: that is the past.
    connect();
    return;
  }
  stationTime = new Date(snapshot.now);
  wall.show(snapshot.beds, snapshot.station_alerts, stationTime.getTime());
  const all = [...snapshot.beds, { id: "", label: "Station", alerts: snapshot.station_alerts }];
  announce(all);
  heard = performance.now();
  heardWall = Date.now();
  stationName = snapshot.station;
  at("station").textContent = stationName;
  at("clock").textContent = time(stationTime);
  if (at("notice").textContent !== snapshot.notice) at("notice").textContent = snapshot.notice;
  title(all);
  if (!live) {
    live = true;
    document.body.classList.remove("not-live");
    at("not-live").hidden = true;
    at("not-live-text").textContent = "";
  }
  connection("live", "Live");
}

function notLive() {
  live = false;
  wall.withhold();
  document.body.classList.add("not-live");
  document.title = `NOT LIVE - ${stationName}`;
  at("clock").textContent = "--:--:--";
  at("announcer").textContent = "";
  const words = document.createElement("strong");
  words.textContent = "NOT LIVE";
  const since = document.createElement("span");
  since.textContent = `since ${time(stationTime)}`;
  at("not-live-text").replaceChildren(words, " ", since);
  at("not-live").hidden = false;
  connection("lost", "Not live, reconnecting");
}

function watch() {
  const silent = silence() > SILENCE;
  if (silent && !document.body.classList.contains("not-live")) notLive();
  const given = performance.now() - opened;
  if (given > PATIENCE && (silent || source.readyState === EventSource.CLOSED)) connect();
}

function connection(state, text) {
  const shown = at("connection");
  if (shown.dataset.state !== state) shown.dataset.state = state;
  if (shown.textContent !== text) shown.textContent = text;
}

function title(beds) {
  const worst = [...beds].sort((a, b) => rankOf(b) - rankOf(a))[0];
  const text = rankOf(worst) > 0 ? `${loudest(worst.alerts).text} - ${worst.label} - ${stationName}` : stationName;
  if (document.title !== text) document.title = text;
}

/** Say new alerts to those who listen to the page; those that stood when it was opened are read as part of it. */
function announce(beds) {
  const words = new Map();
  for (const bed of beds) {
    for (const alert of bed.alerts.filter((it) => it.state === "on")) {
      words.set(`${bed.id} ${alert.rule} ${alert.priority}`, `${bed.label}: ${alert.priority} priority: ${alert.text}`);
    }
  }
  const fresh = known === null ? [] : [...words].filter(([key]) => !known.has(key)).map(([, text]) => text);
  if (fresh.length > 0) at("announcer").textContent = fresh.join(". ");
  known = new Set(words.keys());
}

connect();
setInterval(watch, LOOK_EVERY);
for (const event of ["visibilitychange", "resume"]) document.addEventListener(event, watch);
for (const event of ["pageshow", "focus", "online"]) window.addEventListener(event, watch);
