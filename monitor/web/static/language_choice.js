// The choice of the page's language.

import { setAttribute } from "./dom.js";
import { LANGUAGES, choose, language, t } from "./words.js";

/** Show it in that element: each language by its code, which takes little room, or by its own name. */
export function start(root, { named = false } = {}) {
  const select = document.createElement("select");
  for (const [code, name] of Object.entries(LANGUAGES)) {
    const option = new Option(named ? name : code.toUpperCase(), code, false, code === language);
    option.lang = code;
    option.title = name;
    select.append(option);
  }
  setAttribute(select, "aria-label", t("Language"));
  select.title = t("Language");
  select.addEventListener("change", () => choose(select.value));
  root.replaceChildren(select);
}
