// What is drawn into a plot beside the lines: phases, limits, doubts and cuff pressures.
//
// Cuff pressures are as on an anaesthesia chart: a systolic is a v, a diastolic a ^, with a line between and a dot for
// the mean.

import uPlot from "./vendor/uPlot.esm.js";
import { pageColour, vitalColour } from "./colours.js";

/** CSS pixels. */
const MARK = 4.5;
const LETTERS = 10;
const STRIP = 3;
/** How strongly a phase is shaded, and a limit drawn. */
const SHADES = { running: 0.16, paused: 0.07, stopped: 0.07, baseline: 0.08, recovery: 0.08 };
const STRENGTHS = { high: 1, medium: 0.8, low: 0.55 };
const URGENT = ["high", "medium", "low"];

/** Have `draw` draw inside of the plot alone. */
export function inside(u, draw) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  draw();
  ctx.restore();
}

/** The phases of the visits as shades of the ground, with a line where each begins. */
export function drawPhases(u, phases) {
  const { ctx, bbox } = u;
  ctx.fillStyle = pageColour("--quiet");
  for (const phase of phases) {
    const shade = SHADES[phase.state];
    if (shade === undefined) continue;
    const from = u.valToPos(Date.parse(phase.since) / 1000, "x", true);
    const to = phase.until === null ? bbox.left + bbox.width : u.valToPos(Date.parse(phase.until) / 1000, "x", true);
    const left = Math.max(from, bbox.left);
    if (to <= left || from > bbox.left + bbox.width) continue;
    ctx.globalAlpha = shade;
    ctx.fillRect(left, bbox.top, to - left, bbox.height);
    ctx.globalAlpha = 0.8;
    if (from >= bbox.left) ctx.fillRect(from, bbox.top, uPlot.pxRatio, bbox.height);
  }
  ctx.globalAlpha = 1;
}

/** The limits that are in force now, with their numbers beside the plot, where no value is. */
export function drawLimits(u, limits, vitals) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.font = `${LETTERS * uPlot.pxRatio}px system-ui, sans-serif`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  const written = [];
  for (const { limit, priority, vital, words } of together(limits)) {
    const column = vitals.get(vital);
    if (column === undefined || limit < u.scales.y.min || limit > u.scales.y.max) continue;
    const y = Math.round(u.valToPos(limit, "y", true)) + 0.5;
    ctx.strokeStyle = ctx.fillStyle = vitalColour(column.about.colour);
    ctx.globalAlpha = STRENGTHS[priority] ?? 0.5;
    ctx.lineWidth = uPlot.pxRatio * (priority === "high" ? 1.4 : 1);
    ctx.setLineDash(priority === "low" ? [2, 6] : [6, 5]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    if (written.some((other) => Math.abs(other - y) < LETTERS * uPlot.pxRatio)) continue;
    written.push(y);
    ctx.fillText(words, bbox.left + bbox.width + 3 * uPlot.pxRatio, y);
  }
  ctx.restore();
}

/** Limits at the same number as one, the most urgent first, in words: with whose they are, unless they are of all. */
function together(limits) {
  const lines = new Map();
  const labels = new Set(limits.map((limit) => limit.label));
  const sorted = [...limits].sort((a, b) => URGENT.indexOf(a.priority) - URGENT.indexOf(b.priority));
  for (const limit of sorted) {
    const end = `${limit.side === "low" ? "<" : ">"} ${limit.limit}`;
    const label = limit.label.replace("NIBP ", "");
    const line = lines.get(end);
    if (line === undefined) lines.set(end, { ...limit, labels: [label], end });
    else if (!line.labels.includes(label)) line.labels.push(label);
  }
  const whose = (line) => (line.labels.length === labels.size ? "" : `${line.labels.join(", ")} `);
  return [...lines.values()].map((line) => ({ ...line, words: `${whose(line)}${line.end}` }));
}

/** Where readings were doubtful there is a line at the top, where they were invalid one at the bottom. */
export function drawDoubts(u, column, step, place) {
  const { ctx, bbox } = u;
  const width = Math.max(2 * uPlot.pxRatio, (step / (u.scales.x.max - u.scales.x.min)) * bbox.width);
  const strip = STRIP * uPlot.pxRatio;
  const offset = place * (strip + uPlot.pxRatio);
  const [first, last] = column.between(u.scales.x.min, u.scales.x.max);
  ctx.fillStyle = vitalColour(column.about.colour);
  for (let index = first; index < last; index += 1) {
    const x = u.valToPos(column.t[index], "x", true);
    // A doubtful cuff pressure is drawn as such.
    if (column.questionable[index] > 0 && !column.episodic) ctx.fillRect(x, bbox.top + offset, width, strip);
    if (column.invalid[index] > 0) ctx.fillRect(x, bbox.top + bbox.height - strip - offset, width, strip);
  }
}

/** Cuff pressures, each at the second of its measurement. */
export function drawPressures(u, vitals) {
  const [sys, dia, mean] = ["nibp_sys", "nibp_dia", "nibp_mean"].map((key) => vitals.get(key));
  if (!(sys?.episodic ?? dia?.episodic)) return;
  const { ctx } = u;
  const size = MARK * uPlot.pxRatio;
  ctx.lineWidth = 1.6 * uPlot.pxRatio;
  ctx.strokeStyle = ctx.fillStyle = vitalColour((sys ?? dia).about.colour);
  const each = (column, draw) => {
    const [first, last] = column?.between(u.scales.x.min, u.scales.x.max) ?? [0, 0];
    for (let index = first; index < last; index += 1) {
      if (column.high[index] === null) continue;
      // A systolic without its diastolic is provisional.
      ctx.globalAlpha = column.questionable[index] > 0 ? 0.4 : 1;
      draw(u.valToPos(column.t[index], "x", true), u.valToPos(column.high[index], "y", true), column.t[index]);
    }
  };
  each(sys, (x, y) => wedge(ctx, x, y, size, -1));
  each(dia, (x, y) => wedge(ctx, x, y, size, 1));
  each(mean, (x, y) => {
    ctx.beginPath();
    ctx.arc(x, y, 1.8 * uPlot.pxRatio, 0, 2 * Math.PI);
    ctx.fill();
  });
  each(sys, (x, y, at) => {
    const other = dia?.nearest(at, 1) ?? -1;
    if (other < 0 || dia.low[other] === null) return;
    ctx.globalAlpha = 0.45;
    ctx.beginPath();
    ctx.moveTo(x, y);
    ctx.lineTo(x, u.valToPos(dia.low[other], "y", true));
    ctx.stroke();
  });
  ctx.globalAlpha = 1;
}

/** A wedge whose point is at (x, y): downwards where `side` is -1, upwards where it is 1. */
function wedge(ctx, x, y, size, side) {
  ctx.beginPath();
  ctx.moveTo(x - size, y + side * size * 1.4);
  ctx.lineTo(x, y);
  ctx.lineTo(x + size, y + side * size * 1.4);
  ctx.stroke();
}
