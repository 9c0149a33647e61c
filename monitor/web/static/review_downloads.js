// The report and the exports of a session: plain links, which the browser saves.

import { element, setAttribute } from "./dom.js";
import { labelled } from "./review_table.js";
import { LANGUAGES, language, t } from "./words.js";

/** What each export is good for, by its name in the address. */
const EXPORTS = {
  csv: ["CSV", t("tables for any program")],
  parquet: ["Parquet", t("tables for analysis")],
  fhir: ["FHIR", t("for a hospital's record")],
  hl7: ["HL7", t("messages for a hospital's interface")],
  edf: ["EDF+", t("recording for EDF viewers")],
  wfdb: ["WFDB", t("recording for PhysioNet's tools")],
  vital: [".vital", t("recording for VitalRecorder")],
};
const PAPERS = { a4: "A4", letter: "Letter" };
/** Where paper is of the other size. */
const LETTER = /-(US|CA|MX|PH|CO|CL|VE)$/i;

function choice(label, options, chosen) {
  const select = element("select");
  for (const [value, name] of Object.entries(options)) select.append(new Option(name, value));
  select.value = chosen;
  return [labelled(label, select), select];
}

function link(text, title) {
  const made = element("a", "download", text);
  made.download = "";
  if (title) made.title = title;
  return made;
}

export class Downloads {
  #path = "";
  #version = "now";
  #language;
  #paper;
  #reports = { pdf: link(t("Report (PDF)")), html: link(t("Report (HTML)")) };
  #exports = Object.fromEntries(Object.entries(EXPORTS).map(([format, [name, use]]) => [format, link(name, use)]));

  constructor() {
    const [languages, chosen] = choice(t("Language"), LANGUAGES, language);
    const paper = LETTER.test(navigator.language) ? "letter" : "a4";
    const [papers, size] = choice(t("Paper"), PAPERS, paper);
    this.#language = chosen;
    this.#paper = size;
    for (const select of [chosen, size]) select.addEventListener("change", () => this.#show());
    const lines = [
      element("div", "choices", ...Object.values(this.#reports), languages, papers),
      element("div", "choices", element("span", "name", t("Export")), ...Object.values(this.#exports)),
    ];
    const panel = element("div", "panel sheet", ...lines);
    const summary = element("summary", "touch", t("Report and exports"));
    this.root = element("details", "downloads", summary, panel);
    this.root.addEventListener("keydown", (press) => {
      if (press.key !== "Escape" || !this.root.open) return;
      this.root.open = false;
      summary.focus();
    });
    document.addEventListener("click", ({ target }) => {
      if (!this.root.contains(target)) this.root.open = false;
    });
  }

  /** Of that session, as that version. */
  update(session, version) {
    this.#path = `/api/sessions/${encodeURIComponent(session)}`;
    this.#version = version;
    this.#show();
  }

  #show() {
    const how = `lang=${this.#language.value}&paper=${this.#paper.value}&version=${this.#version}`;
    for (const [suffix, made] of Object.entries(this.#reports)) {
      setAttribute(made, "href", `${this.#path}/report.${suffix}?${how}`);
    }
    for (const [format, made] of Object.entries(this.#exports)) {
      setAttribute(made, "href", `${this.#path}/export/${format}?version=${this.#version}`);
    }
  }
}
