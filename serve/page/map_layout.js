// What stands around the map: head, buttons, the menu of colours, the words that explain it.

import { h } from "./dom.js";
import { count, percent } from "./format.js";
import { COLOURS } from "./map_colours.js";

/** Title, what is shown, the choice between users and items, and between axes where there is one. */
export function mapHead(sheet, kind, go) {
  const choice = (title, isChosen, where) =>
    h("button", { type: "button", "aria-pressed": String(isChosen), onclick: () => go(where) }, title);
  const axes = (name, title) => choice(title, sheet.axes === name, { axes: name });
  const group = (label, ...buttons) => h("div", { class: "choices", role: "group", "aria-label": label }, ...buttons);
  const byUmap = axes("umap", "UMAP");
  return h(
    "div",
    { class: "head" },
    h("div", {}, h("h1", {}, "Map"), h("p", { class: "hint" }, shown(sheet, kind))),
    h(
      "div",
      { class: "row" },
      sheet.offered.includes("umap") ? group("Axes", axes("components", "Components"), byUmap) : null,
      group(
        "What is shown",
        choice("Users", kind === "users", { kind: "users" }),
        choice("Items", kind === "items", { kind: "items" }),
      ),
    ),
  );
}

function shown(sheet, kind) {
  const some = `${count(sheet.n)} of ${count(sheet.n_total)} ${kind}, evenly chosen, `;
  const how = sheet.n < sheet.n_total ? some : `${count(sheet.n)} ${kind}, `;
  if (sheet.axes === "umap") return `${how}by UMAP: neighbours lie together, axes and distances mean nothing.`;
  const explained = percent(sheet.explained[0] + sheet.explained[1]);
  return (
    `${how}on the two principal components of their vectors (${explained} of the variance). ` +
    "The axes are the snapshot's and never move."
  );
}

export function zoomButtons(canvas) {
  const button = (label, sign, act) => h("button", { type: "button", "aria-label": label, onclick: act }, sign);
  return h(
    "div",
    { class: "zoom" },
    button("Zoom in", "+", () => canvas.zoom(1.6)),
    button("Zoom out", "−", () => canvas.zoom(1 / 1.6)),
    button("Show everything", "⌂", () => canvas.reset()),
  );
}

export function colourMenu(kind, chosen, change) {
  const title = (name) => (name === "activity" && kind === "items" ? "Age" : COLOURS[name]);
  const option = (name) => h("option", { value: name, selected: name === chosen }, title(name));
  const menu = { id: "colour", onchange: (event) => change(event.target.value) };
  return [
    h("label", { class: "unseen", for: "colour" }, "Colour by"),
    h("select", menu, Object.keys(COLOURS).map(option)),
  ];
}

export function explanation(sheet) {
  const text =
    sheet.axes === "umap"
      ? "Point at one, or choose one with a click. UMAP keeps who is near whom. It moves with every snapshot, so " +
        "neither a path nor yesterday's picture can be laid on it: the components are there for that."
      : "Point at one, or choose one with a click. Two dimensions are a shadow of many: what is far apart here is " +
        "different, what is close may still be." +
        (sheet.offered.includes("umap") ? "" : " jobs.map adds an arrangement by UMAP.");
  return h("p", { class: "hint" }, text);
}
