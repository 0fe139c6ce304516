// Numbers, times and spans as people read them.

const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;
const YEAR = 365.25 * DAY;
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export function count(n) {
  return whole.format(n);
}

export function compact(n) {
  return Math.abs(n) < 10000 ? whole.format(n) : short.format(n);
}

/** Three significant digits, without an exponent where one can do without. */
export function number(x) {
  if (x === null || x === undefined || Number.isNaN(x)) return "–";
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e6 || size < 1e-4) return x.toExponential(1).replace("e", " e").replace("-", "−");
  return (size >= 100 ? whole.format(x) : String(Number(x.toPrecision(3)))).replace("-", "−");
}

export function percent(share) {
  if (share > 0 && share < 0.001) return "<0.1 %";
  return `${(100 * share).toFixed(Math.abs(share) < 0.0995 ? 1 : 0)} %`.replace("-", "−");
}

/** Singular or plural. */
export function many(n, one, more = `${one}s`) {
  return `${count(n)} ${n === 1 ? one : more}`;
}

/** A span in seconds, in the largest unit that fits: `4 h`, `12 d`. */
export function span(seconds) {
  const s = Math.abs(seconds);
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  const [size, unit] = [
    [YEAR, "y"],
    [DAY, "d"],
    [HOUR, "h"],
    [MINUTE, "min"],
    [1, "s"],
  ].find(([u]) => s >= u) ?? [1, "s"];
  const n = s / size;
  return `${n < 10 && unit !== "min" && unit !== "s" ? Number(n.toFixed(1)) : Math.round(n)} ${unit}`;
}

export function ms(seconds) {
  const t = seconds * 1000;
  return t < 9.95 ? `${t.toFixed(1)} ms` : t < 1000 ? `${Math.round(t)} ms` : `${(t / 1000).toFixed(1)} s`;
}

/** The same in words, for those who listen. */
export function spoken(seconds) {
  const [n, unit] = span(seconds).split(" ");
  return `${n} ${{ y: "years", d: "days", h: "hours", min: "minutes", s: "seconds", ms: "milliseconds" }[unit]}`;
}

/** A half-life as the server takes it, from seconds: two or three digits are enough. */
export function halfLife(seconds) {
  const [size, unit] =
    seconds >= 364 * DAY
      ? [365 * DAY, "y"]
      : seconds >= DAY
        ? [DAY, "d"]
        : seconds >= HOUR
          ? [HOUR, "h"]
          : [MINUTE, "m"];
  const n = seconds / size;
  return `${Number(n.toPrecision(n < 10 ? 2 : 3))}${unit}`;
}

/** Seconds of a half-life such as `7d`; null where it is none. */
export function secondsOf(text) {
  const match = /^\s*([0-9]*\.?[0-9]+)\s*(ms|s|m|h|d|w|y)\s*$/.exec(text ?? "");
  if (!match) return null;
  const units = { ms: 0.001, s: 1, m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY, y: 365 * DAY };
  return Number(match[1]) * units[match[2]] || null;
}

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const minute = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  timeZone: "UTC",
});

export function date(text) {
  return text ? day.format(new Date(text)) : "–";
}

/** Date and time, in UTC. */
export function moment(text) {
  return text ? `${minute.format(new Date(text))} UTC` : "–";
}

export function secondsBetween(earlier, later) {
  return (new Date(later) - new Date(earlier)) / 1000;
}

/** How long before another time: `3 d`. */
export function age(text, now) {
  return span(Math.max(0, secondsBetween(text, now)));
}
