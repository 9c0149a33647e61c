// Starts everything, and hands every message of the station to what shows it.

import { loudest, rankOf } from "./alerts.js";
import * as api from "./api.js";
import * as chair from "./chair.js";
import * as connection from "./connection.js";
import { setAttribute, setData, setHidden, setText } from "./dom.js";
import * as languageChoice from "./language_choice.js";
import * as sound from "./sound.js";
import { PRIORITIES } from "./terms.js";
import * as theme from "./theme.js";
import { wrong } from "./toast.js";
import * as trends from "./trends.js";
import * as views from "./views.js";
import * as wake from "./wake.js";
import { Wall } from "./wall.js";
import * as who from "./who.js";
import { t } from "./words.js";

const at = (id) => document.getElementById(id);
const wall = new Wall(at("wall"), at("standing"), at("station-alerts"), ofStation);

let stationName = t("Nurse station");
/** What was announced, or stood when the page was opened. */
let known = null;
/** The beds of the last message. */
let beds = [];
/** The list of sessions, from when it is first wanted: the wall and the chairs need nothing of the review pages. */
let reviewList = null;
let reviewing = false;

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
  const all = [...message.beds, { id: "", label: t("Station"), alerts: message.station_alerts }];
  stationName = message.station;
  setText(at("station"), stationName);
  setText(at("notice"), message.notice);
  // What is to be heard waits for nothing that is to be seen.
  sound.hear(message);
  wall.show(message, trends);
  chair.show(message, trends);
  beds = message.beds;
  reviewList?.offer(beds);
  announce(all);
  title(all);
}

/** Take away all that is no longer the present. */
function lost() {
  wall.withhold();
  chair.withhold();
  sound.lost();
  at("announcer").textContent = "";
  document.title = `${t("NOT LIVE")} - ${stationName}`;
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
      const told = `${bed.label}: ${PRIORITIES[alert.priority]}: ${alert.text}`;
      words.set(`${bed.id} ${alert.rule} ${alert.priority}`, told);
    }
  }
  const fresh = known === null ? [] : [...words].filter(([key]) => !known.has(key)).map(([, text]) => text);
  if (fresh.length > 0) at("announcer").textContent = fresh.join(". ");
  known = new Set(words.keys());
}

/** What a bed is called; its id where the station does not have it any more. */
function label(bed) {
  return beds.find((it) => it.id === bed)?.label ?? bed;
}

async function startReview() {
  if (reviewing) return;
  reviewing = true;
  try {
    const [list, review] = await Promise.all([import("./review_list.js"), import("./review.js")]);
    reviewList = list;
    list.start(at("reviews"), label);
    list.offer(beds);
    review.start(at("review"), label);
  } catch {
    reviewing = false;
    wrong(t("The review pages cannot be loaded: the station cannot be reached."));
  }
}

views.watch((_bed, { name }) => {
  for (const view of ["wall", "chair", "reviews", "review"]) setHidden(at(view), name !== view);
  setData(document.body, "view", name);
  const reviewed = name.startsWith("review");
  setAttribute(at("to-review"), "aria-current", reviewed ? "page" : null);
  if (reviewed) startReview();
});
theme.start();
languageChoice.start(at("language"));
who.start();
sound.start();
wake.start();
chair.start(at("chair"));
connection.start({ show, lost });
