// How profiles evolve, and what raised an alarm: the newest report of the monitor, whatever tables it has.

import { chart } from "./charts.js";
import { h, idText, panel } from "./dom.js";
import { number } from "./format.js";
import { drawReports, notesOf, rowsOf, select, shownValue, sortable, terms } from "./report.js";
import { drawn, isNumeric, shapeOf } from "./table_chart.js";

const FIRST = ["population", "sudden", "maturity", "norms", "staleness", "cost", "popularity", "spearman", "curve"];
const TITLES = {
  population: "Population drift",
  sudden: "Sudden turns",
  sudden_posts: "The posts behind sudden turns",
  maturity: "Interactions to maturity",
  norms: "Norms, batch against real time",
  staleness: "Staleness of what is served",
  cost: "What batches cost",
  popularity: "Popularity of what is recommended",
  spearman: "Norm and number of interactions",
  curve: "Evolution over interactions",
  entities: "Users and items",
  drift: "Drift of single users",
};
const SKIPPED = ["notes", "findings", "alarms", "tables", "name"];

export async function draw(main, { parameters, isCurrent }) {
  const text =
    "Monitoring says how fast profiles become mature, what is lost when they are updated in batches, whether the " +
    "population has drifted, and who turned suddenly. It is drawn here as soon as a report is written into the workspace:";
  const none = [h("p", { class: "empty" }, text), h("p", {}, h("code", {}, "python -m jobs.monitor --workspace DIR"))];
  const about = { title: "Monitoring", path: "monitoring", kinds: ["monitoring"] };
  return drawReports(main, { ...about, parameters, isCurrent, none, show });
}

function show(report) {
  const ends = [];
  const documents = Object.entries(report.documents);
  const rank = (name) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  const isOwn = ([name]) => !name.endsWith("-plot"); // the numbers of the plots of its own page
  const tables = Object.entries(report.tables).filter(isOwn).sort(([a], [b]) => rank(a) - rank(b));
  const panels = [
    ...documents.map(([, document]) => alarmPanel(document)),
    notesOf(report.documents),
    ...tables.map(([name, table]) => tablePanel(name, table, ends)),
    ...documents.map(([name, document]) => factsPanel(name, document)),
  ];
  return { panels: panels.filter(Boolean), leave: () => ends.forEach((end) => end()) };
}

/** Alarms are names of measures, whose value and limit stand in `population`, sentences, or objects. */
function alarmPanel(document) {
  if (!Array.isArray(document?.alarms)) return null;
  const { alarms, population } = document;
  if (!alarms.length)
    return h("section", { class: "notice good", id: "alarms" }, "No alarm: nothing is above its limit.");
  const measured = (name) => (Array.isArray(population) ? population.find((one) => one?.measure === name) : null);
  const text = (alarm) => {
    const found = measured(alarm);
    if (found) return `${alarm}: ${number(found.value)}, above its limit of ${number(found.limit)}`;
    if (typeof alarm !== "object") return String(alarm);
    return Object.entries(alarm)
      .map(([name, value]) => `${name.replaceAll("_", " ")} ${shownValue(value)}`)
      .join(", ");
  };
  const row = (alarm) => h("li", {}, h("span", { class: "tag warm" }, "alarm"), h("span", {}, text(alarm)));
  return panel("Alarms", { id: "alarms" }, h("ul", { class: "alarms" }, alarms.map(row)));
}

function factsPanel(name, document) {
  const list = terms(document, SKIPPED);
  const title = ["report", "monitor"].includes(name) ? "What was asked" : name;
  return list ? panel(title, { id: `facts-${name}` }, list) : null;
}

function tablePanel(name, table, ends) {
  const title = TITLES[name] ?? name.replaceAll("_", " ");
  const rows = rowsOf(table);
  if (!rows.length) return null;
  const numbers = sortable(columnsOf(table), rows, { most: 12, caption: `Table ${title}` });
  const shape = shapeOf(name, table, rows);
  if (shape === null) return panel(title, { id: `table-${name}` }, numbers);
  const plot = h("div", { class: "chart" });
  const asked = {
    y: shape.ys[0],
    ...Object.fromEntries(shape.filters.map(({ column, values }) => [column, values[0]])),
  };
  const chosen = () => rows.filter((row) => shape.filters.every(({ column }) => row[column] === asked[column]));
  let end = () => {};
  const redraw = () => {
    end();
    end = chart(plot, () => drawn(chosen(), shape, asked.y));
  };
  ends.push(() => end());
  redraw();
  const set = (key, values) => (value) => {
    asked[key] = values.find((one) => String(one) === value);
    redraw();
  };
  const pick = (key, label, values) => select(`${key}-${name}`, label, values, asked[key], set(key, values));
  const filters = shape.filters.map(({ column, values }) => pick(column, column.replaceAll("_", " "), values));
  const which = shape.ys.length > 1 ? pick("y", "Shown", shape.ys) : null;
  const pickers = filters.length || which ? h("div", { class: "pickers" }, which, filters) : null;
  const details = h("details", {}, h("summary", { class: "aside" }, `${rows.length} rows`), numbers);
  return panel(title, { id: `table-${name}` }, pickers, plot, details);
}

function columnsOf(table) {
  return Object.keys(table.columns).map((name) => ({
    name,
    title: name.replaceAll("_", " "),
    numeric: isNumeric(table, name),
    draw: isUser(table, name) ? (row) => userLink(row, name) : null,
  }));
}

/** A column of user ids: named so, or `id` beside a kind that is `user`. */
function isUser(table, name) {
  return name === "user_id" || (name === "id" && "kind" in table.columns);
}

function userLink(row, name) {
  const id = row[name];
  if (id === null || (name === "id" && row.kind !== "user")) return shownValue(id);
  return h("a", { href: `#/user/${encodeURIComponent(id)}` }, idText(String(id)));
}
