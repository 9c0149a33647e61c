// The screen stays on while the page is in sight.

import { t } from "./words.js";

/** Milliseconds after which the screen is asked for again, when the system has taken it back in sight of somebody. */
const AGAIN = 60000;
const NOT_KEPT = t("This browser cannot keep the screen on: see to it that the computer does not switch it off.");

let lock = null;

/** Keep the screen on; where that cannot be, the tooltip of the connection says so. */
export function start() {
  document.addEventListener("visibilitychange", keep);
  keep();
}

async function keep() {
  if (document.visibilityState !== "visible" || lock?.released === false) return;
  let kept = true;
  try {
    lock = await navigator.wakeLock.request("screen");
    lock.addEventListener("release", () => setTimeout(keep, AGAIN), { once: true });
  } catch {
    kept = false;
  }
  document.getElementById("connection").title = kept ? "" : NOT_KEPT;
}
