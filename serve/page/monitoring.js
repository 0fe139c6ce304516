// How profiles evolve, and what raised an alarm: whatever tables the newest report has, drawn by the shape of each.

import { chart, palette, plain } from "./charts.js";
import { h, panel } from "./dom.js";
import { number } from "./format.js";
import { drawReports, notesOf, rowsOf, select, shownValue, sortable, terms } from "./report.js";

const MOST_LINES = 12;
const MOST_CATEGORIES = 40;
const BOUNDS = ["low", "high"];

export async function draw(main, { parameters, isCurrent }) {
  const none = [
    h(
      "p",
      { class: "empty" },
      "Monitoring says how fast profiles become mature, what is lost when they are updated in batches, whether the population has drifted, and who turned suddenly. It is drawn here as soon as a report is written into the workspace:",
    ),
    h("p", {}, h("code", {}, "python -m jobs.monitor --workspace DIR")),
  ];
  return drawReports(main, {
    title: "Monitoring",
    path: "monitoring",
    kinds: ["monitoring"],
    parameters,
    isCurrent,
    none,
    show,
  });
}

function show(report) {
  const ends = [];
  const documents = Object.entries(report.documents);
  const alarms = documents.flatMap(([, one]) => (Array.isArray(one?.alarms) ? one.alarms : []));
  const panels = [
    alarmPanel(
      alarms,
      documents.some(([, one]) => Array.isArray(one?.alarms)),
    ),
    notesOf(report.documents),
    ...Object.entries(report.tables).map(([name, table]) => tablePanel(name, table, ends)),
    ...documents.map(([name, one]) => factsPanel(name, one)),
  ];
  return { panels: panels.filter(Boolean), leave: () => ends.forEach((end) => end()) };
}

function alarmPanel(alarms, said) {
  if (!said) return null;
  const text = (alarm) =>
    typeof alarm === "object"
      ? Object.entries(alarm)
          .map(([name, value]) => `${name.replaceAll("_", " ")} ${shownValue(value)}`)
          .join(", ")
      : String(alarm);
  if (!alarms.length)
    return h("section", { class: "notice good", id: "alarms" }, "No alarm: nothing went beyond its threshold.");
  return panel(
    "Alarms",
    { id: "alarms" },
    h(
      "ul",
      { class: "alarms" },
      alarms.map((alarm) => h("li", {}, h("span", { class: "tag warm" }, "alarm"), h("span", {}, text(alarm)))),
    ),
  );
}

function factsPanel(name, document) {
  const list = terms(document, ["notes", "findings", "alarms"]);
  return list
    ? panel(["report", "monitor"].includes(name) ? "What was asked" : name, { id: `facts-${name}` }, list)
    : null;
}

function tablePanel(name, table, ends) {
  const rows = rowsOf(table);
  const shape = shapeOf(table, rows);
  const columns = Object.keys(table.columns).map((column) => ({
    name: column,
    title: column.replaceAll("_", " "),
    numeric: isNumeric(table, column),
  }));
  const numbers = sortable(columns, rows, { most: 12, caption: `Table ${name}` });
  if (shape === null) return panel(name.replaceAll("_", " "), { id: `table-${name}` }, numbers);
  const plot = h("div", { class: "chart" });
  const asked = { y: shape.ys[0] };
  let end = () => {};
  const redraw = () => {
    end();
    end = chart(plot, () => drawn(rows, shape, asked.y));
  };
  ends.push(() => end());
  redraw();
  const pick =
    shape.ys.length > 1
      ? h(
          "div",
          { class: "pickers" },
          select(`y-${name}`, "Shown", shape.ys, asked.y, (value) => ((asked.y = value), redraw())),
        )
      : null;
  const details = h("details", {}, h("summary", { class: "aside" }, `${rows.length} rows`), numbers);
  return panel(name.replaceAll("_", " "), { id: `table-${name}` }, pick, plot, details);
}

function isNumeric(table, column) {
  const known = table.columns[column].filter((value) => value !== null);
  return known.length > 0 && known.every((value) => typeof value === "number");
}

/** What a table can be drawn as: lines over a column of rising numbers or times, else points by category; null: neither. */
function shapeOf(table, rows) {
  if (rows.length < 2) return null;
  const names = Object.keys(table.columns);
  const numeric = names.filter((name) => isNumeric(table, name));
  const isTime = (name) =>
    table.columns[name].every((value) => typeof value === "string" && /^\d{4}-\d\d-\d\d/.test(value));
  const isBound = (name) => BOUNDS.some((bound) => name === bound || name.endsWith(`_${bound}`));
  const labels = names.filter(
    (name) => !numeric.includes(name) && !isTime(name) && new Set(table.columns[name]).size > 1,
  );
  const time = names.find(isTime) ?? null;
  const first = numeric.find((name) => !isBound(name));
  const runs =
    time ??
    (first && new Set(table.columns[first]).size >= Math.max(4, rows.length / 40) && numeric.length > 1 ? first : null);
  const ys = numeric.filter((name) => name !== runs && !isBound(name));
  if (!ys.length) return null;
  const lines = labels.filter((name) => new Set(table.columns[name]).size <= MOST_LINES);
  if (runs !== null && (lines.length || !labels.length)) return { kind: "lines", x: runs, by: lines, ys };
  return labels.length && rows.length <= MOST_CATEGORIES ? { kind: "points", x: labels, ys } : null;
}

function drawn(rows, shape, y) {
  return shape.kind === "lines" ? lines(rows, shape, y) : points(rows, shape, y);
}

function lines(rows, { x, by }, y) {
  const groups = new Map();
  for (const row of rows) {
    const name = by.map((column) => row[column]).join(", ");
    groups.set(name, [...(groups.get(name) ?? []), row]);
  }
  const sorted = (mine) => mine.filter((row) => row[y] !== null).sort((a, b) => (a[x] < b[x] ? -1 : 1));
  const data = [...groups].slice(0, MOST_LINES).map(([name, mine]) => ({
    type: "scatter",
    mode: mine.length > 60 ? "lines" : "lines+markers",
    name: plain(name),
    x: sorted(mine).map((row) => row[x]),
    y: sorted(mine).map((row) => row[y]),
  }));
  const title = (text) => ({ text: plain(text.replaceAll("_", " ")) });
  return { data, layout: { xaxis: { title: title(x) }, yaxis: { title: title(y) }, showlegend: data.length > 1 } };
}

function points(rows, { x }, y) {
  const names = rows.map((row) =>
    plain(
      x
        .map((column) => row[column])
        .filter((value) => value !== null)
        .join(", "),
    ),
  );
  const bound = (row, end) => row[`${y}_${end}`] ?? (y === "value" ? row[end] : null) ?? row[y];
  const error = {
    type: "data",
    symmetric: false,
    array: rows.map((row) => bound(row, "high") - row[y]),
    arrayminus: rows.map((row) => row[y] - bound(row, "low")),
    thickness: 1.4,
    width: 3,
  };
  const data = [
    {
      type: "scatter",
      mode: "markers",
      x: rows.map((row) => row[y]),
      y: names,
      error_x: error,
      marker: { size: 8, color: palette()[0] },
      text: rows.map((row) => number(row[y])),
      hovertemplate: "%{y}: %{text}<extra></extra>",
    },
  ];
  return {
    data,
    layout: {
      xaxis: { title: { text: plain(y.replaceAll("_", " ")) } },
      yaxis: { autorange: "reversed" },
      showlegend: false,
    },
  };
}
