// A session in numbers, and its cuff readings: tables.

import { element } from "./dom.js";
import { doubtsOf } from "./review_marks.js";
import { listed, section, table, timeButton } from "./review_table.js";
import { lengthOf, secondsOf, valueOf } from "./review_words.js";
import { timeOf } from "./times.js";
import { t } from "./words.js";

/** Seconds around a moment that is shown. */
const AROUND = 90;

/** The numbers of the whole session, as a list of names and values. */
export function figures(chart) {
  const { summary } = chart;
  const pairs = [
    [t("Recorded"), lengthOf(summary.recorded_s)],
    [t("Infusion"), lengthOf(summary.infusion_s)],
    [t("SpO₂ below 90 %"), summary.desaturated_s === null ? "--" : lengthOf(summary.desaturated_s)],
    [t("Cuff readings"), String(summary.cuff_readings)],
    [t("Alerts"), String(chart.alerts.length)],
  ];
  const list = element("dl", "figures");
  for (const [name, value] of pairs) list.append(element("div", "", element("dt", "", name), element("dd", "", value)));
  return list;
}

/** Vital by vital. `zoom(since, until)` shows a stretch. */
export function summaryOf(chart, zoom) {
  const about = new Map(chart.vitals.map((it) => [it.vital, it]));
  const around = (at) => zoom(secondsOf(at) - AROUND, secondsOf(at) + AROUND);
  const extreme = (found, vital) =>
    found === null
      ? "--"
      : [element("b", "", valueOf(found.value, vital)), " ", timeButton(timeOf(found.at), () => around(found.at))];
  const rows = chart.summary.vitals.map((one) => {
    const vital = about.get(one.vital);
    const gap = one.longest_gap;
    return {
      cells: [
        `${vital.label}${vital.unit ? ` ${vital.unit}` : ""}`,
        extreme(one.lowest, vital),
        extreme(one.highest, vital),
        valueOf(one.baseline, vital),
        one.rise === null ? "--" : `${one.rise > 0 ? "+" : ""}${valueOf(one.rise, vital)}`,
        one.back_after_s === null ? "--" : lengthOf(one.back_after_s),
        one.coverage_percent === null ? "--" : `${one.coverage_percent.toFixed(1)} %`,
        gap === null
          ? "--"
          : [timeButton(lengthOf(gap.seconds), () => zoom(secondsOf(gap.since) - 30, secondsOf(gap.until) + 30))],
        String(one.readings),
        String(one.questionable),
        String(one.invalid),
      ],
      data: { vital: one.vital },
    };
  });
  const names = [
    t("Vital"),
    t("Lowest"),
    t("Highest"),
    t("Baseline"),
    t("Largest rise"),
    t("Back at baseline after"),
    t("Coverage"),
    t("Longest gap"),
    t("Readings"),
    t("Questionable"),
    t("Invalid"),
  ];
  const help = element(
    "p",
    "help",
    t("Lowest and highest are of valid readings. The rise is from the baseline to the highest since the start of the infusion; back at baseline is within 10 % of it to the end, counted from the end of the infusion."),
  );
  return section("summary", t("Summary"), figures(chart), table(names, rows), help).root;
}

/** Every cuff reading. */
export function cuffTable(chart, zoom) {
  const rows = chart.cuff_readings.map((reading) => {
    const { at, sys, dia, mean, device, validity, provisional } = reading;
    return {
      cells: [timeOf(at), valueOf(sys), valueOf(dia), valueOf(mean), doubtsOf(reading).join(", "), device],
      go: () => zoom(secondsOf(at) - AROUND, secondsOf(at) + AROUND),
      data: { validity: provisional ? "provisional" : validity, at },
    };
  });
  const names = [t("Time"), t("Systolic"), t("Diastolic"), t("Mean"), t("Remark"), t("Device")];
  const made = section("cuff-table", t("Cuff readings, mmHg"), listed(t("Cuff readings"), table(names, rows)));
  made.beside.textContent = String(rows.length);
  return made.root;
}
