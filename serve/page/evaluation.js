// Which profile is better on this data: every method with its interval, by metric, slice and window.

import { chart, palette, plain } from "./charts.js";
import { fill, h, panel } from "./dom.js";
import { count, number, span } from "./format.js";
import { drawReports, notesOf, rowsOf, select, sortable, terms } from "./report.js";

const SHOWN = 28;

export async function draw(main, { parameters, isCurrent }) {
  const none = [
    h(
      "p",
      { class: "empty" },
      "An evaluation says which decay, half-life and encoder predicts the next event best here, with intervals, beside simple baselines. It is drawn here as soon as it is written into the workspace:",
    ),
    h("p", {}, h("code", {}, "python -m jobs.evaluate --workspace DIR")),
  ];
  return drawReports(main, {
    title: "Evaluation",
    path: "evaluation",
    kinds: ["evaluation", "other"],
    parameters,
    isCurrent,
    none,
    show,
  });
}

function show(report) {
  const rows = resultsOf(report);
  const ends = [];
  const panels = [];
  if (rows.length) panels.push(...comparison(rows, ends));
  const facts = Object.entries(report.documents)
    .map(([name, document]) => [name, terms(document, ["methods", "notes", "metrics"])])
    .filter(([, list]) => list);
  panels.push(
    notesOf(report.documents),
    ...facts.map(([name, list]) =>
      panel(name === "report" || name === "evaluation" ? "What was asked" : name, { id: `facts-${name}` }, list),
    ),
  );
  if (!rows.length)
    panels.unshift(
      h("section", { class: "panel" }, h("p", { class: "empty" }, "This report has no table of results.")),
    );
  return { panels: panels.filter(Boolean), leave: () => ends.forEach((end) => end()) };
}

/** Rows of results.csv; of an older report the same out of its JSON. */
function resultsOf(report) {
  if (report.tables.results)
    return rowsOf(report.tables.results).map((row) => ({ ...row, method: String(row.method) }));
  const document = Object.values(report.documents).find((one) => Array.isArray(one?.methods));
  const all = { window: "test", slice: "all", slice_value: "all", reference: document?.reference ?? null };
  return (document?.methods ?? []).flatMap((method) =>
    Object.entries(method.metrics ?? {}).map(([metric, { value, low, high }]) => {
      const gain = method.minus_static?.[metric];
      return {
        ...all,
        method: method.name,
        family: method.kind === "baseline" || !method.kind ? "counts" : "profiles",
        kind: method.kind,
        half_life_s: secondsOfHalfLife(method.half_life),
        metric,
        value,
        low,
        high,
        difference: gain?.value ?? null,
        difference_low: gain?.low ?? null,
        difference_high: gain?.high ?? null,
      };
    }),
  );
}

function secondsOfHalfLife(text) {
  const match = /^([\d.]+)([smhdwy])$/.exec(text ?? "");
  return match ? Number(match[1]) * { s: 1, m: 60, h: 3600, d: 86400, w: 604800, y: 31536000 }[match[2]] : null;
}

function comparison(rows, ends) {
  const values = (name) => [...new Set(rows.map((row) => row[name] ?? "all"))];
  const preferred = (name, wanted) => values(name).find((one) => one === wanted) ?? values(name).at(-1);
  const slices = [...new Set(rows.map((row) => `${row.slice ?? "all"}: ${row.slice_value ?? "all"}`))];
  const asked = { metric: preferred("metric", "ndcg@10"), window: preferred("window", "test"), slice: slices[0] };
  const plot = h("div", { class: "chart tall" });
  const curve = h("div", { class: "chart" });
  const table = h("div");
  const fading = panel("By half-life", { id: "half-lives", aside: "each line a decay; one point a half-life" }, curve);
  const chosen = () =>
    rows.filter(
      (row) =>
        row.metric === asked.metric &&
        (row.window ?? "all") === asked.window &&
        `${row.slice ?? "all"}: ${row.slice_value ?? "all"}` === asked.slice &&
        row.value !== null,
    );
  let drawn = [];
  function redraw() {
    const found = chosen();
    drawn.forEach((end) => end());
    plot.style.height = `${Math.max(220, 60 + 24 * Math.min(found.length, SHOWN))}px`;
    const lines = byHalfLife(found);
    fading.hidden = lines.length === 0;
    drawn = [
      chart(plot, () => intervals(found, asked.metric)),
      ...(lines.length ? [chart(curve, () => lineChart(lines, asked.metric))] : []),
    ];
    fill(table, resultsTable(found));
  }
  const pick = (name, label, options) =>
    options.length > 1 ? select(name, label, options, asked[name], (value) => ((asked[name] = value), redraw())) : null;
  const pickers = h(
    "div",
    { class: "pickers" },
    pick("metric", "Metric", values("metric")),
    pick("window", "Window", values("window")),
    pick("slice", "Slice", slices),
  );
  ends.push(() => drawn.forEach((end) => end()));
  redraw();
  return [
    panel("Methods", { id: "methods", aside: "bars: 95 % interval" }, pickers, plot),
    fading,
    panel("Numbers", { id: "numbers" }, table),
  ];
}

function intervals(found, metric) {
  const best = [...found]
    .sort((a, b) => b.value - a.value)
    .slice(0, SHOWN)
    .reverse();
  const colours = palette();
  const families = [...new Set(found.map((row) => row.family ?? row.kind ?? "other"))];
  const data = families.map((family, i) => {
    const mine = best.filter((row) => (row.family ?? row.kind ?? "other") === family);
    const colour = colours[i % 8];
    const bars = {
      type: "data",
      symmetric: false,
      array: mine.map((row) => (row.high ?? row.value) - row.value),
      arrayminus: mine.map((row) => row.value - (row.low ?? row.value)),
      thickness: 1.4,
      width: 3,
      color: colour,
    };
    return {
      type: "scatter",
      mode: "markers",
      name: plain(family),
      x: mine.map((row) => row.value),
      y: mine.map((row) => plain(row.method)),
      error_x: bars,
      marker: { size: 8, color: colour },
      hovertemplate: "%{y}: %{x:.4f}<extra></extra>",
    };
  });
  const order = best.map((row) => plain(row.method));
  return {
    data,
    layout: {
      xaxis: { title: { text: plain(metric) }, rangemode: "tozero" },
      yaxis: { categoryorder: "array", categoryarray: order, showgrid: true },
      showlegend: families.length > 1 && families.length < 9,
      hovermode: "closest",
    },
  };
}

/** Decays with several half-lives, by similarity and encoder where these differ. */
function byHalfLife(found) {
  const groups = new Map();
  for (const row of found.filter((one) => one.half_life_s)) {
    const name = [row.kind, row.similarity, row.encoder].filter(Boolean).join(", ");
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  return [...groups]
    .filter(([, rows]) => new Set(rows.map((row) => row.half_life_s)).size > 1)
    .map(([name, rows]) => ({ name, rows: rows.sort((a, b) => a.half_life_s - b.half_life_s) }));
}

function lineChart(lines, metric) {
  const data = lines.map(({ name, rows }) => ({
    type: "scatter",
    mode: "lines+markers",
    name: plain(name),
    x: rows.map((row) => row.half_life_s / 86400),
    y: rows.map((row) => row.value),
    text: rows.map((row) => span(row.half_life_s)),
    hovertemplate: "%{text}: %{y:.4f}<extra>%{fullData.name}</extra>",
  }));
  const known = [...new Set(lines.flatMap(({ rows }) => rows.map((row) => row.half_life_s)))].sort((a, b) => a - b);
  const ticks = { tickvals: known.map((s) => s / 86400), ticktext: known.map((s) => span(s)) };
  return {
    data,
    layout: {
      xaxis: { type: "log", title: { text: "half-life" }, ...ticks },
      yaxis: { title: { text: plain(metric) } },
    },
  };
}

function resultsTable(found) {
  const best = Math.max(...found.map((row) => row.value));
  const interval = (value, low, high, strong) => [
    h("span", {}, strong ? h("strong", {}, number(value)) : number(value)),
    low === null || low === undefined ? null : h("span", { class: "swing" }, `  ${number(low)} … ${number(high)}`),
  ];
  const columns = [
    { name: "method", title: "Method" },
    {
      name: "value",
      title: "Value",
      numeric: true,
      draw: (row) => interval(row.value, row.low, row.high, row.value === best),
    },
    {
      name: "difference",
      title: `Against ${found.find((row) => row.reference)?.reference ?? "the reference"}`,
      numeric: true,
      draw: (row) =>
        row.difference === null || row.difference === undefined
          ? "–"
          : interval(row.difference, row.difference_low, row.difference_high, false),
    },
    { name: "p_holm", title: "p (Holm)", numeric: true },
    { name: "effect", title: "Effect", numeric: true },
    { name: "n_tests", title: "Tests", numeric: true, draw: (row) => (row.n_tests ? count(row.n_tests) : "–") },
    { name: "n_users", title: "Users", numeric: true, draw: (row) => (row.n_users ? count(row.n_users) : "–") },
  ].filter((column) => found.some((row) => row[column.name] !== null && row[column.name] !== undefined));
  return sortable(columns, found, { sort: "value", caption: "Results" });
}
