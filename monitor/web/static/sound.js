// What is to be heard of the alerts, and whether this page can sound it: without sound it says so.

import { SIGNALS } from "./bursts.js";
import { Symbol, button, element, setData, setHidden, setText } from "./dom.js";
import { Player } from "./player.js";
import { recall, remember } from "./remembered.js";
import { every } from "./ticks.js";
import { minutes } from "./times.js";
import { t } from "./words.js";

const LOOK_EVERY = 100;
/** Milliseconds in which the output must have gone on. */
const OUTPUT_EVERY = 2000;
/** Seconds that a page that was live may be gone before that is sounded. */
const LOST_AFTER = 1;
const QUIETEST = 20;
/** The station's own signals are neither paused nor off. */
const GIVEN = { audio: { state: "on" }, alarm: { state: "on" } };
/** Under which the choice and the volume are remembered. */
const CHOSEN = "sound";
const VOLUME = "sound.volume";

const WORDS = {
  off: t("NO SOUND on this page"),
  touch: t("Sound needs a touch"),
  stopped: t("NO SOUND: the browser has stopped it"),
  dead: t("NO SOUND: this computer gives none out"),
  impossible: t("NO SOUND: this browser cannot"),
};

/** `off`, `touch`, `on`, `stopped`, `dead` or `impossible`. */
let state = "off";
let context = null;
let volume = null;
let player = null;
/** What is to be heard now, and of which beds. */
let wanted = null;
let calling = new Set();
/** The beds, and the station, as the last message had them. */
let before = new Map();
/** How far the output was when it was last looked at. */
let output = { at: 0, time: 0 };

const words = element("strong", "words");
const without = element("span", "without", new Symbol("audio-off").root, words);
const turnOn = button("on", t("Sound on"), turnedOn);
const test = button("", t("Test"), () => player.test(["low", "medium", "high"]));
const slider = element("input");
const panel = element("div", "panel");
const summary = element("summary", "", new Symbol("audio-on").root, element("span", "", t("Sound is on")));
const controls = element("details", "controls", summary, panel);
const quiet = element("span", "quiet");

/** Show whether there is sound, and what switches it on and off. */
export function start() {
  slider.type = "range";
  slider.min = String(QUIETEST);
  slider.max = "100";
  slider.step = "5";
  slider.value = recall(VOLUME) ?? "70";
  slider.addEventListener("input", setVolume);
  const label = element("label", "", t("Volume"), slider);
  test.title = t("Sounds each priority once, the least urgent first");
  panel.append(label, test, button("", t("Sound off"), switchOff));
  document.getElementById("sound").replaceChildren(without, turnOn, controls, quiet);
  document.addEventListener("click", closeOutside);
  for (const gesture of ["pointerup", "keydown"]) document.addEventListener(gesture, touched);
  every(LOOK_EVERY, look);
  if (!("AudioContext" in window)) become("impossible");
  else if (recall(CHOSEN) === "on") switchOn();
  else become("off");
}

/** Sound what a message says is to be heard. */
export function hear(snapshot) {
  const station = { id: "", audible: snapshot.audible_station, alerts: snapshot.station_alerts, ...GIVEN };
  const places = [...snapshot.beds, station];
  const loudest = places.reduce((best, it) => (rankOf(it.audible) > rankOf(best) ? it.audible : best), null);
  const now = new Set(places.filter((it) => it.audible !== null && it.audible === loudest).map((it) => it.id));
  const another = [...now].some((id) => !calling.has(id));
  const quieter = places.filter((it) => calling.has(it.id) && rankOf(it.audible) < rankOf(wanted));
  const answered = quieter.some((it) => isAnswered(it, before.get(it.id)));
  before = new Map(places.map((it) => [it.id, it]));
  calling = now;
  want(loudest, { another, answered });
  sayQuiet(snapshot.beds);
}

/** Nothing is known any more: that is sounded too. */
export function lost() {
  calling = new Set();
  before = new Map();
  want("lost", { delay: LOST_AFTER });
  setText(quiet, "");
}

const rankOf = (signal) => SIGNALS[signal]?.rank ?? 0;

/** Whether what is less to be heard than before is so because somebody has just wanted that. */
function isAnswered(now, was) {
  if (was === undefined) return false;
  const isSeen = (place, rule) => place.alerts.some((it) => it.rule === rule && it.state === "acknowledged");
  const quiet = ["audio", "alarm"].some((what) => now[what].state !== "on" && was[what].state === "on");
  return quiet || now.alerts.some(({ rule }) => isSeen(now, rule) && !isSeen(was, rule));
}

function want(signal, how) {
  wanted = signal;
  if (state === "on") player.want(signal, how);
  show();
}

/** Begin to sound: by a touch, or where the browser lets a page do so without. */
async function switchOn() {
  if (state === "impossible") return;
  remember(CHOSEN, "on");
  await context?.close().catch(() => {});
  const made = new AudioContext({ latencyHint: "interactive" });
  context = made;
  volume = made.createGain();
  volume.connect(made.destination);
  player = new Player(made, volume);
  setVolume();
  made.addEventListener("statechange", () => made === context && follow());
  made.addEventListener("error", () => made === context && become("dead"));
  become("touch");
  follow();
}

/** Go by what the context is. */
function follow() {
  if (context.state === "running") {
    output = { at: performance.now(), time: context.currentTime };
    become("on");
    player.want(wanted);
  } else if (state === "on") become("stopped");
}

function switchOff() {
  remember(CHOSEN, null);
  const old = context;
  context = null;
  player = null;
  controls.open = false;
  become("off");
  old.close().catch(() => {});
}

function turnedOn() {
  if (state === "off" || state === "dead" || context?.state === "closed") switchOn();
  else touched();
}

/** A touch anywhere gives the sound back that was switched on. */
function touched() {
  if (state === "touch" || state === "stopped") context.resume().catch(() => {});
}

function setVolume() {
  remember(VOLUME, slider.value);
  if (volume !== null) volume.gain.value = Math.max(QUIETEST, Number(slider.value)) / 100;
}

function look() {
  if (state !== "on" && state !== "dead") return;
  const now = performance.now();
  if (now - output.at >= OUTPUT_EVERY) {
    const goesOn = context.state === "running" && context.currentTime > output.time;
    output = { at: now, time: context.currentTime };
    become(goesOn ? "on" : "dead");
  }
  player.look();
  show();
}

function become(next) {
  state = next;
  show();
}

function show() {
  const root = document.getElementById("sound");
  const on = state === "on";
  setData(root, "state", state);
  setData(root, "sounding", on ? player.sounding : null);
  // What nobody hears must be seen.
  setData(root, "missed", !on && wanted !== null ? wanted : null);
  setText(words, WORDS[state] ?? "");
  setHidden(without, on);
  setHidden(turnOn, on || state === "impossible");
  setHidden(controls, !on);
  test.disabled = wanted !== null;
}

/** How many beds are quiet because somebody wanted that, and when the first is heard again. */
function sayQuiet(beds) {
  const still = (bed) => [bed.audio, bed.alarm].filter((it) => it.state !== "on");
  const off = beds.filter((bed) => still(bed).some((it) => it.state === "off"));
  const paused = beds.filter((bed) => still(bed).length > 0 && !off.includes(bed));
  const said = [];
  if (paused.length > 0) {
    const first = Math.min(...paused.map((bed) => Math.max(...still(bed).map((it) => it.for_s))));
    said.push(t("{n} paused, {time}", { n: paused.length, time: minutes(Math.ceil(first)) }));
  }
  if (off.length > 0) said.push(t("{n} OFF", { n: off.length }));
  setText(quiet, said.length === 0 ? "" : t("Beds without sound: {beds}", { beds: said.join("; ") }));
}

function closeOutside(click) {
  if (controls.open && !controls.contains(click.target)) controls.open = false;
}
