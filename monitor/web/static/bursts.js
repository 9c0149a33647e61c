// What the alerts sound like: bursts of pulses after IEC 60601-1-8:2006+A1, made of tones and no files.
//
// Tables 3 and 4 give how many pulses, how long (td, between the points of 90 % of the amplitude), how far apart (ts),
// how fast they rise (tr), and how many harmonics they have; the melodies are the general ones of Annex F, and that of
// a failing supply, of which only the steps between the tones are given. Counts, intervals and harmonics were read in
// public texts about the standard; td, ts, tr and the melodies, within their bounds by every reading of the terms, are
// from memory of it and wait to be compared with its text.

/** Hertz of the tones of Annex F, c to C an octave: between 150 and 1000, with four harmonics between 300 and 4000. */
const TONES = { c: 349.2, e: 440.0, C: 698.5 };

/** How strong each harmonic is, from the fundamental on: within 15 dB of it. */
const HARMONICS = [1, 0.9, 0.8, 0.65, 0.5, 0.4, 0.35, 0.3];

/** Seconds; the same for every pulse of a priority. */
const QUICK = { duration: 0.13, spacing: 0.11 };
const CALM = { duration: 0.18, spacing: 0.2 };
/** Seconds between the two halves of a burst of high priority. */
const HALVES_APART = 0.6;

/** Of its duration a pulse takes this to rise from 10 to 90 % of its amplitude, and the same to fall. */
const RISE = 0.15;

/**
 * What is sounded of each priority, and when nothing comes from the station (a technical condition of medium priority).
 *
 * `interval`: seconds from the end of a burst to the next (table 3: 2.5 to 15, 2.5 to 30, more than 15); `least`: to
 * one for another bed. `pulses`: how many are heard of a condition that is over meanwhile (6.10: half of a burst of
 * high priority, a whole one of medium). `level`: never louder than what is more urgent.
 */
export const SIGNALS = {
  high: { rank: 3, melody: "ccc-cc ccc-cc", pulse: QUICK, interval: 5, least: 2.5, pulses: 5, level: 0.8 },
  medium: { rank: 2, melody: "ccc", pulse: CALM, interval: 10, least: 2.5, pulses: 3, level: 0.7 },
  lost: { rank: 2, melody: "Ccc", pulse: CALM, interval: 10, least: 2.5, pulses: 3, level: 0.7 },
  low: { rank: 1, melody: "ec", pulse: CALM, interval: 20, least: 15.5, pulses: 0, level: 0.6 },
};

/** The pulses of a burst: when each begins to rise, its duration, and its tone: seconds and hertz. */
export function burst(signal) {
  const { melody, pulse } = SIGNALS[signal];
  const pulses = [];
  let at = 0;
  for (const letter of melody) {
    if (letter === "-") at += pulse.duration + pulse.spacing;
    else if (letter === " ") at += HALVES_APART - pulse.spacing;
    else {
      pulses.push({ at, duration: pulse.duration, frequency: TONES[letter] });
      at += pulse.duration + pulse.spacing;
    }
  }
  return pulses;
}

/** Seconds from the beginning of a burst until so many of its pulses, or all, have been heard. */
export function lengthOf(signal, count = Infinity) {
  const last = burst(signal).slice(0, count).at(-1);
  return last === undefined ? 0 : last.at + wholeOf(last.duration);
}

/** Seconds from the first to the last of a pulse. */
function wholeOf(duration) {
  return duration + 2 * 0.9 * flank(duration);
}

/** Seconds that a pulse takes from nothing to its amplitude. */
function flank(duration) {
  return (RISE * duration) / 0.8;
}

/** Schedule a burst on a context, into a node, from that moment on. Returns a function that ends it at once. */
export function play(context, output, signal, at) {
  const wave = context.createPeriodicWave([0, ...HARMONICS.map(() => 0)], [0, ...HARMONICS]);
  const level = context.createGain();
  level.gain.value = SIGNALS[signal].level;
  level.connect(output);
  const sounding = burst(signal).map((pulse) => sound(context, level, wave, at, pulse));
  return () => {
    // Not within a sample, which would click.
    level.gain.setTargetAtTime(0, context.currentTime, 0.005);
    for (const tone of sounding) tone.stop(context.currentTime + 0.05);
  };
}

function sound(context, output, wave, begin, { at, duration, frequency }) {
  const tone = context.createOscillator();
  const shape = context.createGain();
  const rise = flank(duration);
  const from = begin + at;
  const until = from + wholeOf(duration);
  tone.setPeriodicWave(wave);
  tone.frequency.value = frequency;
  shape.gain.setValueAtTime(0, from);
  shape.gain.linearRampToValueAtTime(1, from + rise);
  shape.gain.setValueAtTime(1, until - rise);
  shape.gain.linearRampToValueAtTime(0, until);
  tone.connect(shape).connect(output);
  tone.start(from);
  tone.stop(until);
  return tone;
}
