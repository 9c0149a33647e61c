// Times and durations as people read them.

/** 12:03:10, by this computer's zone; `at` is RFC 3339 text or milliseconds. */
export function timeOf(at) {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((it) => String(it).padStart(2, "0")).join(":");
}

/** Minutes and seconds, as a cuff pressure's age is read: 2:05. */
export function minutes(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** A duration in words: 12 s, 4 min, 3 h. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 120) return `${whole} s`;
  return whole < 7200 ? `${Math.floor(whole / 60)} min` : `${Math.floor(whole / 3600)} h`;
}

/** How many seconds, or minutes where it is more than one and a half. */
export function span(milliseconds) {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds <= 90) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes <= 90 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
