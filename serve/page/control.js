// The decay menu and the half-life slider. The slider runs over the logarithm, from an hour to five years.

import { fill, h, idText } from "./dom.js";
import { halfLife, many, ms, secondsOf, span, spoken } from "./format.js";

const KINDS = {
  exponential: "Exponential",
  inverse_linear: "Inverse linear",
  inverse_sqrt: "Inverse square root",
  hyperbolic: "Hyperbolic",
  logarithmic: "Logarithmic",
  gaussian: "Gaussian",
  linear: "Linear",
  static: "Static: never forgets",
  learned: "Learned from this data",
};
const WITHOUT_HALF_LIFE = ["static", "learned"];
const LEAST_S = 3600;
const MOST_S = 5 * 365 * 86400;
const STEPS = 400;
const MARKS = {
  "1h": "1 h",
  "6h": "6 h",
  "1d": "1 d",
  "7d": "1 w",
  "30d": "30 d",
  "180d": "½ y",
  "1y": "1 y",
  "5y": "5 y",
};

const stepOf = (seconds) => Math.round((STEPS * Math.log(seconds / LEAST_S)) / Math.log(MOST_S / LEAST_S));
const secondsAt = (step) => LEAST_S * (MOST_S / LEAST_S) ** (step / STEPS);

/** `change(value, isFinal)` with `{kind, halfLife}`; `restore()` brings back all posts that were left out. */
export function makeControl({ snapshot, parameters, change, restore }) {
  const given = snapshot.defaults?.decay ?? { kind: "exponential", half_life: null };
  const known = given.half_life ?? snapshot.default_half_life;
  let text = secondsOf(parameters.get("half_life")) ? parameters.get("half_life").trim() : known;
  const offered = snapshot.kinds.filter((name) => name !== "learned" || snapshot.defaults?.learned);
  const kind = h(
    "select",
    { id: "kind", onchange: () => (draw(), change(value(), true)) },
    offered.map((name) => h("option", { value: name }, KINDS[name] ?? name)),
  );
  kind.value = offered.includes(parameters.get("kind")) ? parameters.get("kind") : given.kind;
  const slider = h("input", {
    type: "range",
    id: "half-life",
    min: 0,
    max: STEPS,
    step: 1,
    oninput: () => ((text = halfLife(secondsAt(slider.valueAsNumber))), draw(), change(value(), true)),
  });
  const shown = h("output", { for: "half-life" });
  const took = h("small", { id: "took" });
  const state = h("div", { class: "left-out", hidden: true });
  const marks = Object.entries(MARKS).map(([at, title]) => {
    const mark = h("button", { type: "button", tabIndex: -1, "aria-hidden": "true", onclick: () => set(at) }, title);
    mark.style.left = `${(100 * stepOf(secondsOf(at))) / STEPS}%`;
    return mark;
  });
  const element = h(
    "section",
    { class: "control", "aria-label": "Decay" },
    h("div", { class: "field" }, h("label", { for: "kind" }, "Decay"), kind),
    h(
      "div",
      { class: "slide" },
      h("label", { for: "half-life" }, "Half-life: the age at which a post counts half"),
      slider,
      h("div", { class: "ticks" }, marks),
    ),
    h("div", { class: "now" }, shown, took),
    state,
  );

  function value() {
    return { kind: kind.value, halfLife: text };
  }

  function set(at) {
    text = at;
    draw();
    change(value(), true);
  }

  function draw() {
    const seconds = secondsOf(text);
    slider.value = stepOf(Math.min(Math.max(seconds, LEAST_S), MOST_S));
    slider.disabled = WITHOUT_HALF_LIFE.includes(kind.value);
    slider.setAttribute("aria-valuetext", spoken(seconds));
    shown.textContent = kind.value === "learned" ? "fitted" : slider.disabled ? "∞" : span(seconds);
  }
  draw();
  return {
    element,
    value,
    took(time, kindShown, halfLifeShown) {
      took.textContent = `redrawn in ${ms(time / 1000)}`;
      element.dataset.shown = `${kindShown} ${halfLifeShown}`;
    },
    failed: (message) => (took.textContent = message),
    leftOut(without) {
      state.hidden = without.size === 0;
      const names = [...without.values()].map((event) =>
        idText(`“${(event.text ?? event.item_id ?? "").slice(0, 60)}”`),
      );
      const listed = names.flatMap((name, i) => (i ? [", ", name] : [name]));
      fill(
        state,
        `Answered as if ${many(without.size, "post")} had not been: `,
        listed,
        " ",
        h("button", { class: "link", type: "button", onclick: restore }, "Count them again"),
      );
    },
  };
}
