// Which pages of a browser have a stream of the station's messages.
//
// A browser gives a station six connections, for all its pages together, and a stream holds one for ever: with six of
// them nothing could be acknowledged or recorded any more. So only some pages have one, and the next waits its turn.

/** Pages that have a stream; the other connections are for what people do. */
const MOST = 4;
/** Milliseconds after which a page that has no place says so. */
const SAID_AFTER = 500;

/** Whether this page has a place. */
export let mine = false;

/** Take a place, as soon as there is one: `taken` is called then, and `crowded` where that takes a while. */
export function take(taken, crowded) {
  const have = () => {
    mine = true;
    taken();
  };
  if (!limited()) {
    have();
    return;
  }
  const enough = new AbortController();
  const hold = () => {
    if (mine) return undefined;
    enough.abort();
    have();
    // Until the page is closed.
    return new Promise(() => {});
  };
  for (let place = 0; place < MOST; place += 1) {
    navigator.locks.request(`live ${place}`, { signal: enough.signal }, hold).catch(() => {});
  }
  setTimeout(() => mine || crowded(), SAID_AFTER);
}

/** Past a proxy that speaks HTTP/2 all streams are in one connection. */
function limited() {
  const how = performance.getEntriesByType("navigation")[0]?.nextHopProtocol ?? "";
  return "locks" in navigator && !/^h[23]/.test(how);
}
