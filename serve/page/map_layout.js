// What stands around the map: head, buttons, the menu of colours, the words that explain it.

import { h } from "./dom.js";
import { count, percent } from "./format.js";
import { COLOURS } from "./map_colours.js";

/** Title, what is shown, and the choice between users and items. */
export function mapHead(sheet, kind, go) {
  const choice = (other, title) =>
    h("button", { type: "button", "aria-pressed": String(other === kind), onclick: () => go(other) }, title);
  const part = `${count(sheet.n)} of ${count(sheet.n_total)}, evenly chosen`;
  const shown = sheet.n < sheet.n_total ? part : count(sheet.n);
  const explained = percent(sheet.explained[0] + sheet.explained[1]);
  const hint =
    `${shown} ${kind}, on the two principal components of their vectors (${explained} of the variance). ` +
    "The axes are the snapshot's and never move.";
  const choices = { class: "choices", role: "group", "aria-label": "What is shown" };
  return h(
    "div",
    { class: "head" },
    h("div", {}, h("h1", {}, "Map"), h("p", { class: "hint" }, hint)),
    h("div", choices, choice("users", "Users"), choice("items", "Items")),
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

export function explanation() {
  const text =
    "Point at one, or choose one with a click. Two dimensions are a shadow of many: what is far apart here is " +
    "different, what is close may still be. UMAP is not offered: its axes mean nothing and move with every run, so " +
    "neither a path nor yesterday's picture could be compared.";
  return h("p", { class: "hint" }, text);
}
