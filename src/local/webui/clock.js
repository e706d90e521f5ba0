// The time of the cluster, which is not the browser's: the machine may be another one, and the time of a cluster with
// `time="skip"` moves only when it is told to.

const DAY = 86400;
const seconds = () => performance.now() / 1000;

let known = null;
let runs = true;

/** Tells what time it is at the cluster now, in seconds since 1970. */
export function setTime(cluster) {
  const at = seconds();
  if (known === null) {
    runs = Math.abs(cluster - Date.now() / 1000) < DAY;
  } else if (at - known.at >= 1) {
    const rate = (cluster - known.cluster) / (at - known.at);
    runs = rate > 0.5 && rate < 2;
  }
  known = { cluster, at };
}

/** The time at the cluster, in seconds since 1970. */
export function now() {
  if (known === null) return Date.now() / 1000;
  return known.cluster + (runs ? seconds() - known.at : 0);
}

/** Whether the time passes by itself, as far as is known. */
export const isRunning = () => runs;

const UNITS = [[DAY, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function duration(length) {
  const [size, unit] = UNITS.find(([size]) => length >= 2 * size) ?? UNITS.at(-1);
  return `${Math.floor(length / size)} ${unit}`;
}

/** A time as text, from now. */
export function relative(time) {
  const ago = now() - time;
  if (Math.abs(ago) < 1) return "now";
  return ago > 0 ? `${duration(ago)} ago` : `in ${duration(-ago)}`;
}

/** A time as text, with date and zone. */
export const absolute = (time) => new Date(time * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "long" });
