// What a table can be drawn as: lines over a column of numbers or times, or points by category with their intervals.

import { palette, plain } from "./charts.js";
import { number } from "./format.js";

const MOST_LINES = 12;
const MOST_CATEGORIES = 40;
const BOUND = /(^|_)(low|high|p25|p75|limit|sd)$/;
const ONLY_NUMBERS = ["entities", "drift", "sudden", "sudden_posts"];
const OVER = { maturity: "alpha", norms: "quantile" };

export function isNumeric(table, column) {
  const known = table.columns[column].filter((value) => value !== null);
  return known.length > 0 && known.every((value) => typeof value === "number");
}

/** Columns to draw over, by and of, and those to choose a value of first; null where there is nothing to draw. */
export function shapeOf(name, table, rows) {
  if (rows.length < 2 || ONLY_NUMBERS.includes(name)) return null;
  const names = Object.keys(table.columns);
  const different = (column) => [...new Set(table.columns[column])];
  const numeric = names.filter((column) => isNumeric(table, column));
  const isTime = (column) => table.columns[column].every((value) => /^\d{4}-\d\d-\d\d/.test(String(value)));
  const time = names.find((column) => !numeric.includes(column) && isTime(column)) ?? null;
  const labels = names.filter((column) => !numeric.includes(column) && column !== time && different(column).length > 1);
  const over = OVER[name] in table.columns ? OVER[name] : (time ?? rising(numeric, different, rows, labels));
  const ys = numeric.filter((column) => column !== over && !BOUND.test(column));
  if (!ys.length) return null;
  const by = labels.filter((column) => different(column).length <= MOST_LINES);
  if (over !== null && by.length === labels.length) {
    const filters = by.slice(0, -1).map((column) => ({ column, values: different(column) }));
    return { kind: "lines", x: over, by: by.slice(-1), ys, filters };
  }
  return labels.length && rows.length <= MOST_CATEGORIES ? { kind: "points", x: labels, ys, filters: [] } : null;
}

/** The first column of numbers, where it has many values and something to be drawn over it. */
function rising(numeric, different, rows, labels) {
  const first = numeric.find((column) => !BOUND.test(column));
  if (!first || numeric.length < 2) return null;
  const groups = labels.reduce((product, column) => product * different(column).length, 1);
  return different(first).length >= Math.max(4, rows.length / (2 * groups)) && groups <= 64 && rows.length > 2 * groups
    ? first
    : null;
}

export function drawn(rows, shape, y) {
  return shape.kind === "lines" ? lines(rows, shape, y) : points(rows, shape, y);
}

function lines(rows, { x, by }, y) {
  const groups = new Map();
  for (const row of rows) {
    const name = by.map((column) => row[column]).join(", ");
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  const sorted = (mine) => mine.filter((row) => row[y] !== null).sort((a, b) => (a[x] < b[x] ? -1 : 1));
  const line = ([name, mine]) => ({
    type: "scatter",
    mode: mine.length > 60 ? "lines" : "lines+markers",
    name: plain(name),
    x: sorted(mine).map((row) => row[x]),
    y: sorted(mine).map((row) => row[y]),
  });
  const data = [...groups].slice(0, MOST_LINES).map(line);
  return { data, layout: { xaxis: { title: title(x) }, yaxis: { title: title(y) }, showlegend: data.length > 1 } };
}

function points(rows, { x }, y) {
  const words = (row) => x.map((column) => row[column]).filter((value) => value !== null);
  const bound = (row, end) => row[`${y}_${end}`] ?? (y === "value" ? row[end] : null) ?? row[y];
  const interval = {
    type: "data",
    symmetric: false,
    array: rows.map((row) => bound(row, "high") - row[y]),
    arrayminus: rows.map((row) => row[y] - bound(row, "low")),
    thickness: 1.4,
    width: 3,
  };
  const names = rows.map((row) => plain(words(row).join(", ")));
  const marks = {
    type: "scatter",
    mode: "markers",
    name: plain(y.replaceAll("_", " ")),
    x: rows.map((row) => row[y]),
    y: names,
    error_x: interval,
    marker: { size: 8, color: palette()[0] },
    text: rows.map((row) => number(row[y])),
    hovertemplate: "%{y}: %{text}<extra></extra>",
  };
  const limited = y === "value" && rows.some((row) => typeof row.limit === "number");
  const limits = { ...marks, name: "limit", x: rows.map((row) => row.limit), error_x: undefined, text: undefined };
  limits.marker = { size: 14, symbol: "line-ns-open", color: palette()[1], line: { width: 2 } };
  limits.hovertemplate = "%{y}: limit %{x:.3g}<extra></extra>";
  const data = limited ? [marks, limits] : [marks];
  return { data, layout: { xaxis: { title: title(y) }, yaxis: { autorange: "reversed" }, showlegend: limited } };
}

function title(column) {
  return { text: plain(column.replaceAll("_", " ")) };
}
