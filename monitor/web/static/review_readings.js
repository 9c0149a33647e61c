// The readings of a session, for any stretch of it: the whole once, what is zoomed in to when it is.

import * as api from "./api.js";
import { Columns } from "./chair_columns.js";

/** Steps that can be asked for. */
const WIDTHS = [100, 4000];

/** The readings of a stretch (UTC seconds) in so many steps at most, as `Columns`. Throws `Refused`, `Unreachable`. */
export async function readings(session, version, [since, until], width) {
  const text = (at) => encodeURIComponent(new Date(at * 1000).toISOString());
  const steps = Math.round(Math.min(WIDTHS[1], Math.max(WIDTHS[0], width)));
  const asked = `since=${text(since)}&until=${text(until)}&width=${steps}&version=${version}`;
  const told = await api.get(`/api/sessions/${encodeURIComponent(session)}/vitals?${asked}`);
  const columns = new Columns();
  columns.replace({ journal_read: true, phases: [], ...told });
  return columns;
}
