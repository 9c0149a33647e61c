// Which plots the trends have, and what each has on its axes.

import { t } from "./words.js";

/** From above to below, with the weight of its height. `low` to `high` is always shown. */
export const SPECS = [
  {
    id: "rate",
    title: t("Heart rate"),
    keys: ["heart_rate", "pulse_rate"],
    weight: 1,
    low: 50,
    high: 110,
    grow: 10,
    lowest: 0,
    steps: [10, 20, 50, 100],
  },
  {
    id: "spo2",
    title: "SpO₂",
    keys: ["spo2"],
    weight: 1,
    low: 85,
    high: 100,
    grow: 5,
    lowest: 0,
    highest: 100,
    steps: [5, 10, 20, 50],
  },
  {
    id: "pressure",
    title: t("Blood pressure"),
    keys: ["nibp_sys", "nibp_dia", "nibp_mean", "abp_sys", "abp_dia", "abp_mean"],
    weight: 1.25,
    low: 50,
    high: 160,
    grow: 10,
    lowest: 0,
    steps: [20, 50, 100],
  },
  {
    id: "breath",
    title: t("Respiration"),
    keys: ["resp_rate", "etco2"],
    weight: 0.9,
    low: 0,
    high: 30,
    grow: 10,
    lowest: 0,
    steps: [10, 20, 50],
  },
];
