// How far the profile is from where it began, over time, and how much there was at each time.

import { fill, h, s } from "./dom.js";
import { date, number, percent } from "./format.js";

const WIDTH = 640;
const DRIFT = 96;
const MASS = 44;
const LEFT = 30;
const RIGHT = 8;

export function makeTimeline() {
  const plot = s("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${DRIFT + MASS + 44}`, role: "img" });
  const read = h("p", { class: "read" });
  const ends = h("div", { class: "ends" });

  function draw(moved) {
    const points = moved.points.map((point) => ({ ...point, time: Date.parse(point.at) }));
    const [first, last] = [points[0].time, points.at(-1).time];
    const x = (time) => LEFT + ((WIDTH - LEFT - RIGHT) * (time - first)) / (last - first || 1);
    const far = Math.max(0.2, ...points.map((point) => point.drift ?? 0));
    const heavy = Math.max(1e-9, ...points.map((point) => point.mass));
    const y = (drift) => 8 + (DRIFT - 8) * (1 - drift / far);
    const known = points.filter((point) => point.drift !== null);
    const line = known
      .map((point, i) => `${i ? "L" : "M"}${x(point.time).toFixed(1)} ${y(point.drift).toFixed(1)}`)
      .join("");
    const base = DRIFT + MASS + 14;
    const width = Math.max(1, (WIDTH - LEFT - RIGHT) / points.length - 1.5);
    const bars = points.map((point) =>
      s(
        "rect",
        {
          class: "column",
          x: Math.min(x(point.time), WIDTH - RIGHT - width),
          width,
          y: base - (MASS * point.mass) / heavy,
          height: (MASS * point.mass) / heavy,
          rx: 1,
        },
        s("title", {}, `${date(point.at)}: weight ${number(point.mass)}, ${point.n_events} events`),
      ),
    );
    const levels = [0, far].map((drift) => [
      s("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: y(drift), y2: y(drift) }),
      s("text", { x: LEFT - 6, y: y(drift) + 4, "text-anchor": "end" }, drift ? drift.toFixed(1) : "0"),
    ]);
    const times = [0, 0.25, 0.5, 0.75, 1].map((part) =>
      s(
        "text",
        {
          x: x(first + part * (last - first)),
          y: base + 16,
          "text-anchor": part === 0 ? "start" : part === 1 ? "end" : "middle",
        },
        date(new Date(first + part * (last - first)).toISOString()),
      ),
    );
    const turns = points.filter((point) => point.step !== null);
    const sharpest = turns.reduce((best, point) => (best === null || point.step > best.step ? point : best), null);
    const marker =
      sharpest && sharpest.step > 0.01
        ? s("circle", { cx: x(sharpest.time), cy: y(sharpest.drift ?? 0), r: 3.5, fill: "var(--warm)" })
        : null;
    fill(plot, levels, bars, line ? s("path", { class: "line", d: line }) : null, marker, times);
    const end = points.at(-1);
    read.textContent =
      end.drift === null
        ? "Nothing to compare yet."
        : `Line: distance (1 − cosine) from the first profile, now ${number(end.drift)}. Bars: weight of all events at that time.${marker ? ` Sharpest turn by ${date(sharpest.at)}: ${number(sharpest.step)}.` : ""}`;
    plot.setAttribute("aria-label", read.textContent);
    fill(ends, side("Nearest then", moved.then), side("Nearest now", moved.now));
  }

  function side(title, end) {
    const items = end.items.map((item) =>
      h(
        "li",
        {},
        h("span", { class: "clip" }, item.text),
        h("span", { class: "aside" }, percent(item.score), " alike"),
      ),
    );
    return h(
      "div",
      {},
      h("h3", {}, `${title}, ${date(end.at)}`),
      items.length ? h("ol", {}, items) : h("p", { class: "hint" }, "Nothing had appeared."),
    );
  }
  return { element: h("div", {}, plot, read, ends), draw, failed: (message) => (read.textContent = message) };
}
