// Which view the path says: `/` is the wall, `/beds/{id}` a chair, `/review` the list of all sessions and
// `/review/{session}` the chart of one. Links are ordinary links.

const CHAIR = /^\/beds\/([^/]+)$/;
const REVIEW = /^\/review\/([^/]+)$/;

/** What is shown: `name` is `wall`, `chair`, `reviews` or `review`; `id` that of the bed or session, else null. */
export let view = viewOf(location.pathname);

/** The id of the bed whose chair page is shown; null on the wall, undefined where nothing live is shown. */
export let bed = bedOf(view);

const watchers = [];
/** Where on each view somebody was when another was opened, by its path. */
const left = new Map();
let path = location.pathname;

/** The path of a bed's chair page. */
export function chairPath(id) {
  return `/beds/${encodeURIComponent(id)}`;
}

/** The path of the chart of a session. */
export function reviewPath(session) {
  return `/review/${encodeURIComponent(session)}`;
}

/** Have `watcher(bed, view)` called, with the shown chair's id or null, and the view: now, and at every change. */
export function watch(watcher) {
  watchers.push(watcher);
  watcher(bed ?? null, view);
}

/** Show the view of that path. */
export function go(wanted) {
  if (wanted === location.pathname) return;
  history.pushState(null, "", wanted);
  changed();
}

function viewOf(wanted) {
  if (wanted === "/review") return { name: "reviews", id: null };
  for (const [name, pattern] of [["chair", CHAIR], ["review", REVIEW]]) {
    const found = pattern.exec(wanted);
    if (found !== null) return { name, id: decoded(found[1]) };
  }
  return { name: "wall", id: null };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    // It names nothing that there is: the page says so.
    return text;
  }
}

function bedOf({ name, id }) {
  return { wall: null, chair: id }[name];
}

function changed() {
  const before = view;
  const now = viewOf(location.pathname);
  if (now.name === before.name && now.id === before.id) return;
  left.set(path, { scrolled: window.scrollY, focused: document.activeElement });
  path = location.pathname;
  view = now;
  bed = bedOf(view);
  for (const watcher of watchers) watcher(bed ?? null, view);
  // Lists are where somebody left them; what is opened from them begins at its beginning.
  const kept = view.id === null ? left.get(path) : undefined;
  window.scrollTo(0, kept?.scrolled ?? 0);
  kept?.focused?.focus({ preventScroll: true });
}

/** The path of a link that leads to another view of this page and is followed in the plain way; otherwise null. */
function followed(click) {
  if (click.defaultPrevented || click.button !== 0) return null;
  if (click.ctrlKey || click.metaKey || click.shiftKey || click.altKey) return null;
  const link = click.target.closest?.("a[href]");
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return null;
  if (link.hash || link.search) return null;
  return link.pathname === "/" || viewOf(link.pathname).name !== "wall" ? link.pathname : null;
}

document.addEventListener("click", (click) => {
  const wanted = followed(click);
  if (wanted === null) return;
  click.preventDefault();
  go(wanted);
});

document.addEventListener("keydown", (press) => {
  if (press.key !== "Escape" || press.defaultPrevented || view.name !== "chair") return;
  // There Esc closes the question, or is for what is being written.
  if (document.querySelector("dialog[open]") || press.target.closest?.("input, textarea, select")) return;
  go("/");
});

window.addEventListener("popstate", changed);
history.scrollRestoration = "manual";
