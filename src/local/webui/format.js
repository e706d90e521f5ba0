// Amounts as text.

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 2, signDisplay: "negative" });

/** A number without a unit. */
export const amount = (value) => number.format(value ?? 0);

const scaled = (value, units) => {
  let [left, index] = [value ?? 0, 0];
  while (Math.abs(left) >= 1024 && index < units.length - 1) [left, index] = [left / 1024, index + 1];
  return `${new Intl.NumberFormat("en", { maximumSignificantDigits: 3, useGrouping: false, signDisplay: "negative" }).format(left)} ${units[index]}`;
};

/** Megabytes, as in resources. */
export const megabytes = (value) => scaled(value, ["MB", "GB", "TB", "PB"]);

/** Bytes, as in files. */
export const bytes = (value) => scaled(value, ["B", "kB", "MB", "GB", "TB"]);

/** How many there are of something. */
export const count = (number, name) => `${amount(number)} ${name}${number === 1 ? "" : "s"}`;

/** Resources as one line. */
export function resources(of) {
  const shown = { cpus: (v) => `${amount(v)} CPUs`, mem: (v) => `${megabytes(v)} memory`, disk: (v) => `${megabytes(v)} disk` };
  const value = (name, value) => shown[name]?.(value) ?? `${name} ${typeof value === "number" ? amount(value) : value}`;
  const names = new Set([...Object.keys(shown), ...Object.keys(of ?? {})]);
  return [...names].filter((name) => of?.[name]).map((name) => value(name, of[name])).join(", ");
}
