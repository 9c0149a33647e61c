// Which view the path says: `/` is the wall, `/beds/{id}` a chair. Links are ordinary links.

const CHAIR = /^\/beds\/([^/]+)$/;

/** The id of the bed whose chair page is shown; null on the wall. */
export let bed = bedOf(location.pathname);

const watchers = [];
/** Where on the wall somebody was when a chair was opened. */
let left = { scrolled: 0, focused: null };

/** The path of a bed's chair page. */
export function chairPath(id) {
  return `/beds/${encodeURIComponent(id)}`;
}

/** Have `watcher` called with the shown chair's id, or null for the wall: now, and at every change. */
export function watch(watcher) {
  watchers.push(watcher);
  watcher(bed);
}

/** Show the view of that path. */
export function go(path) {
  if (path === location.pathname) return;
  history.pushState(null, "", path);
  changed();
}

function bedOf(path) {
  const found = CHAIR.exec(path);
  if (found === null) return null;
  try {
    return decodeURIComponent(found[1]);
  } catch {
    // It names no bed that there is: the chair page says so.
    return found[1];
  }
}

function changed() {
  const before = bed;
  bed = bedOf(location.pathname);
  if (bed === before) return;
  if (before === null) left = { scrolled: window.scrollY, focused: document.activeElement };
  for (const watcher of watchers) watcher(bed);
  window.scrollTo(0, bed === null ? left.scrolled : 0);
  if (bed === null) left.focused?.focus({ preventScroll: true });
}

/** The path of a link that leads to another view of this page and is followed in the plain way; otherwise null. */
function viewOf(click) {
  if (click.defaultPrevented || click.button !== 0) return null;
  if (click.ctrlKey || click.metaKey || click.shiftKey || click.altKey) return null;
  const link = click.target.closest?.("a[href]");
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return null;
  if (link.hash || link.search) return null;
  return link.pathname === "/" || CHAIR.test(link.pathname) ? link.pathname : null;
}

document.addEventListener("click", (click) => {
  const path = viewOf(click);
  if (path === null) return;
  click.preventDefault();
  go(path);
});

document.addEventListener("keydown", (press) => {
  if (press.key !== "Escape" || press.defaultPrevented || bed === null) return;
  // There Esc closes the question, or is for what is being written.
  if (document.querySelector("dialog[open]") || press.target.closest?.("input, textarea, select")) return;
  go("/");
});

window.addEventListener("popstate", changed);
history.scrollRestoration = "manual";
