// What this browser remembers of how the page is used: never anything of patients.

/** What was remembered under that name; null where nothing was, or where the browser does not let the page remember. */
export function recall(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

/** Remember a text; null forgets it. Without leave to remember it is forgotten with the page. */
export function remember(name, text) {
  try {
    if (text === null) localStorage.removeItem(name);
    else localStorage.setItem(name, text);
  } catch {
    // Everything works without it.
  }
}
