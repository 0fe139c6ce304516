// The decay curve, the user's events under it, and below, on the same axis, what was forgotten: events and weight by age.

import { fill, h, s } from "./dom.js";
import { many, moment, percent, span } from "./format.js";

const WIDTH = 640;
const TOP = 8;
const CURVE = 150;
const DOTS = 26;
const BANDS = 64;
const LEFT = 30;
const RIGHT = 8;
const LEAST_S = 600;
const TICKS = [
  [3600, "1 h"],
  [86400, "1 d"],
  [604800, "1 w"],
  [2592000, "30 d"],
  [7776000, "90 d"],
  [31557600, "1 y"],
  [157788000, "5 y"],
  [315576000, "10 y"],
];
const BAND_ENDS_S = [3600, 86400, 604800, 2592000, 7776000, 31557600];
const MOST_DOTS = 600;

export function makeCurve() {
  const plot = s("svg", { class: "plot", viewBox: `0 0 ${WIDTH} ${TOP + CURVE + DOTS + BANDS + 40}`, role: "img" });
  const read = h("p", { class: "read", "aria-live": "polite" });
  const table = h("table", { class: "unseen" });
  let events = [];

  function draw(answer, without) {
    const now = Date.parse(answer.as_of);
    const oldest = answer.profile.first_event_at ? (now - Date.parse(answer.profile.first_event_at)) / 1000 : 31557600;
    const begun = BAND_ENDS_S.filter((end) => end < oldest).at(-1) ?? 0;
    const most = Math.max(oldest * 1.15, 1.8 * begun, 7 * 86400);
    const x = (age) =>
      LEFT + ((WIDTH - LEFT - RIGHT) * Math.log(Math.max(age, LEAST_S) / LEAST_S)) / Math.log(most / LEAST_S);
    const y = (weight) => TOP + CURVE * (1 - weight);
    fill(
      plot,
      axes(x, y, most),
      curveOf(answer.curve, x, y, most),
      halfOf(answer, x, y),
      dotsOf(answer, now, x, y, without),
      bandsOf(answer, x, most),
    );
    plot.setAttribute("aria-label", described(answer));
    fillTable(table, answer.profile.age_bands);
    if (!read.dataset.event) read.textContent = lead(answer);
  }

  function dotsOf(answer, now, x, y, without) {
    const base = TOP + CURVE + 12;
    return events.slice(0, MOST_DOTS).map((event, i) => {
      const age = (now - Date.parse(event.timestamp)) / 1000;
      if (age < 0) return null;
      const weight = weightAt(answer.curve, age);
      const gone = without.has(event.event_id);
      const text = () => {
        read.dataset.event = "yes";
        read.textContent = `${moment(event.timestamp)}, ${span(age)} old, counts ${percent(weight)} of ${event.weight === 1 ? "one" : event.weight}${gone ? ", left out" : ""}: ${event.text ?? event.item_id ?? ""}`;
      };
      const lane = base + 13 * scattered(i) - 3;
      return s("circle", {
        class: `dot g${event.group % 8}${gone ? " gone" : ""}`,
        cx: x(age),
        cy: lane,
        r: 2 + 2.2 * Math.sqrt(weight),
        fill: "var(--c)",
        onmouseenter: text,
        onclick: text,
      });
    });
  }

  return {
    element: h("figure", {}, plot, read, table),
    draw,
    setEvents: (answer) => (events = answer.events),
  };
}

function axes(x, y, most) {
  const ticks = TICKS.filter(([age]) => age < most).map(([age, title]) => [
    s("line", { class: "axis", x1: x(age), x2: x(age), y1: TOP, y2: TOP + CURVE + DOTS + BANDS + 14 }),
    s("text", { x: x(age), y: TOP + CURVE + DOTS + BANDS + 30, "text-anchor": "middle" }, title),
  ]);
  const levels = [0, 0.5, 1].map((weight) => [
    s("line", { class: "axis", x1: LEFT, x2: WIDTH - RIGHT, y1: y(weight), y2: y(weight) }),
    s("text", { x: LEFT - 6, y: y(weight) + 4, "text-anchor": "end" }, weight === 0.5 ? "½" : String(weight)),
  ]);
  return [ticks, levels];
}

function curveOf({ ages_s: ages, weights }, x, y, most) {
  const points = ages.map((age, i) => [age, weights[i]]).filter(([age]) => age >= LEAST_S / 1.2 && age <= most);
  const line = points
    .map(([age, weight], i) => `${i ? "L" : "M"}${x(age).toFixed(1)} ${y(weight).toFixed(1)}`)
    .join("");
  if (!points.length) return null;
  const area = `${line}L${x(points.at(-1)[0]).toFixed(1)} ${y(0)}L${x(points[0][0]).toFixed(1)} ${y(0)}Z`;
  return [s("path", { class: "under", d: area }), s("path", { class: "curve", d: line })];
}

function halfOf(answer, x, y) {
  const i = answer.curve.weights.findIndex((weight) => weight <= 0.5);
  if (answer.decay.half_life === null || i < 1) return null;
  const [a, b] = [answer.curve.ages_s[i - 1], answer.curve.ages_s[i]];
  const [v, w] = [answer.curve.weights[i - 1], answer.curve.weights[i]];
  const at = x(a * (b / a) ** ((v - 0.5) / (v - w || 1)));
  return at > WIDTH - RIGHT ? null : s("line", { class: "half", x1: at, x2: at, y1: y(0.5), y2: y(0) });
}

/** In [0, 1), the same for the same number and without a pattern: so that dots of one age do not hide each other. */
function scattered(i) {
  const x = Math.sin(12.9898 * (i + 1)) * 43758.5453;
  return x - Math.floor(x);
}

/** Between two points of the curve, straight over the logarithm of the age. */
function weightAt({ ages_s: ages, weights }, age) {
  const i = ages.findIndex((one) => one >= age);
  if (i < 0) return weights.at(-1);
  if (i === 0) return weights[0];
  const part = Math.log(Math.max(age, 1) / ages[i - 1]) / Math.log(ages[i] / ages[i - 1]);
  return weights[i - 1] + Math.min(Math.max(part, 0), 1) * (weights[i] - weights[i - 1]);
}

/** Two bars a band: its share of the events, and of the weight that is left. */
function bandsOf(answer, x, most) {
  const bands = answer.profile.age_bands ?? [];
  const total = bands.reduce((sum, band) => sum + band.n_events, 0);
  const base = TOP + CURVE + DOTS + BANDS + 10;
  const ends = [...BAND_ENDS_S, Infinity];
  return bands.map((band, i) => {
    const from = i ? x(BAND_ENDS_S[i - 1]) : LEFT;
    const to = Math.min(x(Math.min(ends[i], most)), WIDTH - RIGHT);
    if (to - from < 4 || !total) return null;
    const middle = (from + to) / 2;
    const width = Math.min((to - from) / 2 - 3, 26);
    const bar = (share, at, name) =>
      s("rect", {
        class: name,
        x: at,
        width,
        y: base - share * (BANDS - 12),
        height: Math.max(share * (BANDS - 12), share > 0 ? 0.8 : 0),
        rx: 1,
      });
    const label = band.n_events
      ? s(
          "text",
          {
            x: middle,
            y: base - Math.max(band.share, band.n_events / total) * (BANDS - 12) - 3,
            "text-anchor": "middle",
          },
          percent(band.share),
        )
      : null;
    return s(
      "g",
      {},
      bar(band.n_events / total, middle - width - 1, "column"),
      bar(band.share, middle + 1, "column weight"),
      label,
      s(
        "title",
        {},
        `${many(band.n_events, "event")} (${percent(band.n_events / total)}), ${percent(band.share)} of the weight`,
      ),
    );
  });
}

function lead(answer) {
  const bands = answer.profile.age_bands ?? [];
  const total = bands.reduce((sum, band) => sum + band.n_events, 0);
  const old = bands.filter((band) => band.up_to === null || ["90d", "1y"].includes(band.up_to));
  const [events, weight] = [
    old.reduce((sum, band) => sum + band.n_events, 0),
    old.reduce((sum, band) => sum + band.share, 0),
  ];
  if (!total) return "No events to weigh.";
  return `Older than 30 days: ${percent(events / total)} of the events, ${percent(weight)} of the weight. Grey bars are events, coloured ones what is left of them; dots are single events.`;
}

function described(answer) {
  const { kind, half_life: halfLife } = answer.decay;
  return `Decay ${kind}${halfLife ? ` with half-life ${halfLife}` : ""}: weight falls from 1 for what is new. ${lead(answer)}`;
}

function fillTable(table, bands) {
  const row = (band) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, band.up_to ? `up to ${band.up_to}` : "older"),
      h("td", {}, String(band.n_events)),
      h("td", {}, percent(band.share)),
    );
  const head = h(
    "tr",
    {},
    ["Age", "Events", "Share of the weight"].map((name) => h("th", { scope: "col" }, name)),
  );
  fill(table, h("caption", {}, "Weight by age"), h("thead", {}, head), h("tbody", {}, (bands ?? []).map(row)));
}
