// The ten minutes that the page keeps of every vital, as the stream gives them step by step.

/** Seconds that are kept. */
export const SPAN = 600;
/** Seconds of a step; a cuff reading is a step of its own. */
export const STEP = 5;

const NOTHING = { version: 0, vitals: new Map() };

/** By bed, what `of` gives. */
const beds = new Map();
let changes = 0;

/** Take the steps that came with a message; `now` is the station's time in UTC seconds. */
export function take(message, now) {
  if (message.trends_from === "start") beds.clear();
  for (const [bed, vitals] of Object.entries(message.trends ?? {})) {
    const held = beds.get(bed) ?? { version: 0, vitals: new Map() };
    beds.set(bed, held);
    held.version = changes += 1;
    for (const [vital, steps] of Object.entries(vitals)) {
      const kept = held.vitals.get(vital) ?? [];
      held.vitals.set(vital, kept);
      merge(kept, steps, now - SPAN - STEP);
    }
  }
}

/**
 * What is kept of a bed: `version`, another one after each change, and `vitals`, by key the steps in their order,
 * `[start in UTC seconds, lowest, highest]`; null both where all that came was invalid. What is not there had no reading.
 */
export function of(bed) {
  return beds.get(bed) ?? NOTHING;
}

/** Put steps among those that are kept, in place of their earlier forms, and let go what is older than `from`. */
function merge(kept, steps, from) {
  for (const step of steps) {
    let place = kept.length;
    while (place > 0 && kept[place - 1][0] > step[0]) place -= 1;
    if (place > 0 && kept[place - 1][0] === step[0]) kept[place - 1] = step;
    else kept.splice(place, 0, step);
  }
  const first = kept.findIndex((step) => step[0] >= from);
  kept.splice(0, first === -1 ? kept.length : first);
}
