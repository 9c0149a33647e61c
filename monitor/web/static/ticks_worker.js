// Tells its page four times a second that time goes on; see ticks.js.

setInterval(() => postMessage(null), 250);
