// Where a login leads to.

/** The path of this site that `text` names; `/` where it names none, so that no link to the login leads elsewhere. */
export function nextPath(text) {
  if (text === null || !text.startsWith("/")) return "/";
  let target;
  try {
    target = new URL(text, location.origin);
  } catch {
    return "/";
  }
  if (target.origin !== location.origin || target.pathname.startsWith("//")) return "/";
  return target.pathname === "/login" ? "/" : target.pathname + target.search + target.hash;
}
