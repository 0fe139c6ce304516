// What the two views of reports share: choosing one, tables that can be sorted, what JSON says in a few words.

import { get } from "./api.js";
import { fill, h, panel } from "./dom.js";
import { moment, number } from "./format.js";

/** Draws a view of the reports of some kinds: the newest, or the one that is chosen. `show(report)` draws its panels. */
export async function drawReports(main, { title, kinds, parameters, isCurrent, path, show, none }) {
  const { reports } = await get("v1/reports");
  const fitting = reports.filter((report) => kinds.includes(report.kind));
  if (!isCurrent()) return null;
  if (!fitting.length) {
    fill(main, h("div", { class: "head" }, h("h1", {}, title)), panel("No report yet", { id: "none" }, none));
    return null;
  }
  const chosen = fitting.find((report) => report.name === parameters.get("report")) ?? fitting[0];
  const report = await get(`v1/reports/${encodeURIComponent(chosen.name)}`);
  if (!isCurrent()) return null;
  const option = (one) =>
    h("option", { value: one.name, selected: one === chosen }, `${one.name}, ${moment(one.written_at)}`);
  const choose = h(
    "select",
    {
      id: "report",
      onchange: (event) => (location.hash = `#/${path}?report=${encodeURIComponent(event.target.value)}`),
    },
    fitting.map(option),
  );
  const head = h(
    "div",
    { class: "head" },
    h("div", {}, h("h1", {}, title), h("p", { class: "hint" }, `Written ${moment(report.written_at)}`)),
    h("div", { class: "field" }, h("label", { for: "report" }, "Report"), choose),
  );
  const { panels, leave } = show(report);
  const unread = Object.entries(report.unread).map(([file, why]) => h("li", {}, `${file}: ${why}`));
  fill(
    main,
    head,
    h(
      "div",
      { class: "stack" },
      panels,
      unread.length ? panel("Not read", { id: "unread" }, h("ul", { class: "notes" }, unread)) : null,
    ),
  );
  return leave;
}

/** A table of rows that sorts by its heads. `columns`: `{name, title, numeric, draw(row)}`; `draw` may give an element. */
export function sortable(columns, rows, { most = 200, sort = null, rising = false, caption = "" } = {}) {
  const table = h("table");
  let [by, up, shown] = [sort, rising, most];
  const compare = (a, b) => {
    if (a === b) return 0;
    if (a === null || a === undefined || a === "") return 1;
    if (b === null || b === undefined || b === "") return -1;
    return (
      (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b))) * (up ? 1 : -1)
    );
  };
  function draw() {
    const sorted = by === null ? rows : [...rows].sort((a, b) => compare(a[by], b[by]));
    const head = (column) => {
      const turn = () => ((up = by === column.name ? !up : !column.numeric), (by = column.name), draw());
      return h(
        "th",
        {
          class: column.numeric ? "num" : "",
          scope: "col",
          "aria-sort": by === column.name ? (up ? "ascending" : "descending") : null,
        },
        h(
          "button",
          { type: "button", onclick: turn },
          column.title ?? column.name,
          by === column.name ? (up ? " ↑" : " ↓") : "",
        ),
      );
    };
    const cell = (row, column) =>
      h("td", { class: column.numeric ? "num" : "" }, column.draw ? column.draw(row) : shownValue(row[column.name]));
    const body = sorted.slice(0, shown).map((row) =>
      h(
        "tr",
        {},
        columns.map((column) => cell(row, column)),
      ),
    );
    const more =
      sorted.length > shown
        ? h(
            "caption",
            { class: "aside" },
            h(
              "button",
              { class: "quiet", type: "button", onclick: () => ((shown += most), draw()) },
              `${sorted.length - shown} more rows`,
            ),
          )
        : null;
    if (more) more.style.captionSide = "bottom";
    fill(
      table,
      more ?? (caption && h("caption", { class: "unseen" }, caption)) ?? null,
      h("thead", {}, h("tr", {}, columns.map(head))),
      h("tbody", {}, body),
    );
  }
  draw();
  return h("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": caption || "Table" }, table);
}

export function shownValue(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "number") return number(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Columns of a CSV file as rows. */
export function rowsOf(table) {
  const names = Object.keys(table.columns);
  return Array.from({ length: Math.min(table.n_rows, table.columns[names[0]]?.length ?? 0) }, (_, i) =>
    Object.fromEntries(names.map((name) => [name, table.columns[name][i]])),
  );
}

/** The plain values of a JSON object as a list of terms; objects in it one level deep. */
export function terms(value, skipped = []) {
  const entries = Object.entries(value ?? {}).filter(([name]) => !skipped.includes(name));
  const flat = entries.flatMap(([name, one]) =>
    one !== null && typeof one === "object" && !Array.isArray(one)
      ? Object.entries(one).map(([inner, x]) => [`${name}: ${inner}`, x])
      : [[name, one]],
  );
  const short = flat.filter(([name, one]) => JSON.stringify(one ?? null).length <= 160 && !name.endsWith("_us"));
  const title = (name) => name.replaceAll("_", " ");
  return short.length
    ? h(
        "dl",
        { class: "terms wide" },
        short.map(([name, one]) => h("div", {}, h("dt", {}, title(name)), h("dd", {}, shownValue(one)))),
      )
    : null;
}

/** Whatever a report wants to say in sentences. */
export function notesOf(documents) {
  const said = Object.values(documents)
    .flatMap((one) => [one?.notes, one?.findings])
    .flat()
    .filter((note) => typeof note === "string");
  return said.length
    ? panel(
        "Notes",
        { id: "notes" },
        h(
          "ul",
          { class: "notes" },
          said.map((note) => h("li", {}, note)),
        ),
      )
    : null;
}

export function select(id, label, options, chosen, change) {
  const list = h(
    "select",
    { id, onchange: (event) => change(event.target.value) },
    options.map((one) => h("option", { value: one, selected: one === chosen }, one)),
  );
  return h("div", { class: "field" }, h("label", { for: id }, label), list);
}
