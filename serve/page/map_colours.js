// What a colour of the map means: a code for each point, a colour for each code, and the legend.

import { h, themed } from "./dom.js";
import { compact, many } from "./format.js";

export const COLOURS = { topic: "Topic", language: "Language", activity: "Activity" };

const STEPS = 32;

/** Codes, palette (null hides) and legend for a property of the points; `flip(code)` when one is switched off or on. */
export function coloured(sheet, property, kind, hidden, flip) {
  if (property === "activity") return byActivity(sheet.activity, kind);
  const [codes, names] =
    property === "topic" ? [sheet.topic, sheet.topics] : [sheet.language, [...sheet.languages, "none"]];
  const isRest = (name) => property === "language" && (name === "none" || name === "other");
  const colours = names.map((name, i) => (isRest(name) ? themed("--line-strong") : categorical(i, names.length)));
  const sizes = new Array(names.length).fill(0);
  for (const code of codes) sizes[code]++;
  const row = (i) => {
    const key = h("span", { class: "key" });
    key.style.background = colours[i];
    const parts = [key, h("span", { class: "name" }, names[i]), h("span", { class: "aside" }, compact(sizes[i]))];
    return h("button", { type: "button", "aria-pressed": String(!hidden.has(i)), onclick: () => flip(i) }, parts);
  };
  const there = names.map((_, i) => i).filter((i) => sizes[i]);
  const legend = there.sort((a, b) => sizes[b] - sizes[a]).map(row);
  return { codes, palette: colours.map((colour, i) => (hidden.has(i) ? null : colour)), legend };
}

/** Over the logarithm, from pale to strong. */
function byActivity(activity, kind) {
  const most = activity.reduce((best, value) => Math.max(best, value), 1);
  const step = (value) => Math.floor((STEPS * Math.log1p(Math.max(0, value))) / Math.log1p(most));
  const palette = Array.from({ length: STEPS }, (_, i) => sequential(i / (STEPS - 1)));
  const strip = h("div", { class: "ramp", "aria-hidden": "true" });
  strip.style.background = `linear-gradient(90deg, ${palette.join(",")})`;
  const end = kind === "users" ? many(Math.round(most), "event") : `${many(Math.round(most), "day")} old`;
  const ends = h("div", { class: "row aside" }, h("span", {}, "0"), h("span", {}, `${end}, logarithmic`));
  return {
    codes: Uint8Array.from(activity, (value) => Math.min(STEPS - 1, step(value))),
    palette,
    legend: [strip, ends],
  };
}

/** Hues evenly apart, lightness by theme, so that neighbours in a legend differ. */
function categorical(i, n) {
  const dark = document.documentElement.dataset.theme === "dark";
  const hue = (205 + (360 * ((i * 5) % Math.max(n, 1))) / Math.max(n, 1)) % 360;
  return hsl(hue, dark ? 0.58 : 0.62, dark ? 0.66 : i % 2 ? 0.36 : 0.47);
}

/** From pale to strong: three stops, straight between them. */
function sequential(part) {
  const dark = document.documentElement.dataset.theme === "dark";
  const stops = dark
    ? [
        [52, 78, 94],
        [78, 160, 158],
        [243, 216, 134],
      ]
    : [
        [200, 218, 222],
        [58, 138, 150],
        [26, 46, 84],
      ];
  const at = Math.min(1, Math.floor(part * 2));
  const mixed = stops[at].map((low, i) => Math.round(low + (stops[at + 1][i] - low) * (part * 2 - at)));
  return `rgb(${mixed.join(",")})`;
}

function hsl(hue, saturation, lightness) {
  const part = (n) => {
    const k = (n + hue / 30) % 12;
    return Math.round(
      255 * (lightness - saturation * Math.min(lightness, 1 - lightness) * Math.max(-1, Math.min(k - 3, 9 - k, 1))),
    );
  };
  return `rgb(${part(0)},${part(8)},${part(4)})`;
}
