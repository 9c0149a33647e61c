// What has to be looked at again and again, also on a page that nobody sees: its sound is still heard.
//
// Of a page that is hidden for a while Chromium runs the timers once a minute. Those of a worker go on.

const SOURCE = "/static/ticks_worker.js";

const acts = [];

/** Have `act` called so often, in milliseconds; on a hidden page about four times a second at most. */
export function every(milliseconds, act) {
  setInterval(act, milliseconds);
  acts.push(act);
  if (acts.length === 1) begin();
}

function begin() {
  try {
    // Where markup and scripts from text are forbidden, this address has to be vouched for.
    const policy = globalThis.trustedTypes?.createPolicy("ticks", { createScriptURL: (address) => address });
    const worker = new Worker(policy ? policy.createScriptURL(SOURCE) : SOURCE);
    worker.addEventListener("message", () => {
      if (document.hidden) for (const act of acts) act();
    });
  } catch {
    // Without it the page is as slow, while it is hidden, as the browser makes it.
  }
}
