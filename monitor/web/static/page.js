// Starts everything, and hands every message of the station to what shows it.

import { loudest, rankOf } from "./alerts.js";
import * as api from "./api.js";
import * as chair from "./chair.js";
import * as connection from "./connection.js";
import { setHidden, setText } from "./dom.js";
import * as sound from "./sound.js";
import * as theme from "./theme.js";
import { wrong } from "./toast.js";
import * as trends from "./trends.js";
import * as views from "./views.js";
import * as wake from "./wake.js";
import { Wall } from "./wall.js";
import * as who from "./who.js";

const at = (id) => document.getElementById(id);
const wall = new Wall(at("wall"), at("standing"), at("station-alerts"), ofStation);

let stationName = "Nurse station";
/** What was announced, or stood when the page was opened. */
let known = null;

/** Have something done about the alerts of the station itself. */
async function ofStation(request) {
  try {
    await api.post("/api/alerts", { ...request, bed: "" });
  } catch (problem) {
    wrong(problem.text ?? String(problem));
  }
}

/** Show one message, which is the present. */
function show(message) {
  trends.take(message, Date.parse(message.now) / 1000);
  const all = [...message.beds, { id: "", label: "Station", alerts: message.station_alerts }];
  stationName = message.station;
  setText(at("station"), stationName);
  setText(at("notice"), message.notice);
  // What is to be heard waits for nothing that is to be seen.
  sound.hear(message);
  wall.show(message, trends);
  chair.show(message, trends);
  announce(all);
  title(all);
}

/** Take away all that is no longer the present. */
function lost() {
  wall.withhold();
  chair.withhold();
  sound.lost();
  at("announcer").textContent = "";
  document.title = `NOT LIVE - ${stationName}`;
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

views.watch((bed) => {
  setHidden(at("wall"), bed !== null);
  setHidden(at("chair"), bed === null);
});
theme.start();
who.start();
sound.start();
wake.start();
chair.start(at("chair"));
connection.start({ show, lost });
