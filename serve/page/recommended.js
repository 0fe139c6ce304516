// Recommendations, why each has its score, and what they would be without one of the posts that carry it.

import { fill, h, idText } from "./dom.js";
import { age, number } from "./format.js";

const METRICS = { cosine_time: "similar and new", cosine: "similar", basic: "similar, unscaled", ranker: "ranker" };

/** `leaveOut(event, out)` when a post is switched off or on; `change()` when the question changed. */
export function makeRecommendations({ metrics, chosen = "cosine_time", leaveOut, change }) {
  const element = h("div");
  const metric = h(
    "select",
    { id: "metric", "aria-label": "What counts", onchange: change },
    metrics.map((name) => h("option", { value: name, selected: name === chosen }, METRICS[name] ?? name)),
  );
  const opened = new Set();
  metric.style.width = "auto";
  metric.style.minHeight = "24px";

  function draw({ recommendations, as_of: now }, without, reference) {
    const before = new Map((reference?.recommendations.items ?? []).map((item, i) => [item.item_id, i]));
    const row = (item, i) => {
      const details = h(
        "details",
        {
          open: opened.has(item.item_id),
          ontoggle: (event) => (event.target.open ? opened.add(item.item_id) : opened.delete(item.item_id)),
        },
        h(
          "summary",
          { data: { key: item.item_id } },
          h("span", { class: "rank" }, String(i + 1)),
          h(
            "span",
            {},
            h("span", { class: "text clip" }, item.text),
            about(item, now),
            moved(item, i, before, without),
          ),
          h("span", { class: "num" }, number(item.score)),
        ),
        item.explanation && reasons(item, without),
      );
      return h("li", {}, details);
    };
    const cold = {
      bio: "No event counts: the bio stands in.",
      popular: "Nothing is known of this user: what is popular, and near to everybody.",
      newest: "Nothing is known of this user: what is new.",
    }[recommendations.cold_start];
    const none = h("p", { class: "empty" }, "No item appeared before this time that this user has not had.");
    fill(
      element,
      [cold, recommendations.fallback].map((said) => said && h("p", { class: "hint" }, said)),
      recommendations.items.length ? h("ol", { class: "recommended" }, recommendations.items.map(row)) : none,
    );
  }

  function reasons(item, without) {
    const why = item.explanation;
    const row = (event) =>
      h(
        "li",
        {},
        h("span", { class: "num" }, signed(event.share)),
        h("span", { class: "text" }, event.text ?? event.item_id ?? ""),
        event.event_id === null
          ? null
          : h(
              "label",
              { class: "switch" },
              h("input", {
                type: "checkbox",
                data: { key: `${item.item_id} without ${event.event_id}` },
                role: "switch",
                checked: without.has(event.event_id),
                onchange: (changed) => leaveOut(event, changed.target.checked),
              }),
              "without this post",
            ),
      );
    const parts = [
      ["age alone", why.base],
      ["bio or everybody's mean", why.prior],
      ["popularity", why.popularity],
      ["other posts", why.other_events],
    ];
    const rest = parts.filter(([, share]) => Math.abs(share) > 1e-9).map(([name, share]) => `${name} ${number(share)}`);
    return h(
      "div",
      { class: "reasons" },
      h("ul", {}, why.events.map(row)),
      h(
        "p",
        { class: "sum" },
        rest.length ? `And ${rest.join(", ")}; together ${number(why.score)}.` : `Together ${number(why.score)}.`,
      ),
    );
  }
  const label = h("span", {}, metric);
  return { element, aside: label, draw, parameters: () => ({ metric: metric.value }) };
}

function about(item, now) {
  const author =
    item.author_id === null
      ? null
      : [" by ", h("a", { href: `#/user/${encodeURIComponent(item.author_id)}` }, idText(item.author_id))];
  return h(
    "span",
    { class: "aside" },
    `${age(item.created_at, now)} old`,
    author,
    item.language ? `, ${item.language}` : null,
  );
}

/** Where an item was before posts were left out. */
function moved(item, i, before, without) {
  if (!without.size) return null;
  const was = before.get(item.item_id);
  if (was === i) return null;
  return h("span", { class: "moved" }, was === undefined ? "not among the first ten before" : `was ${was + 1}`);
}

function signed(share) {
  return `${share > 0 ? "+" : ""}${number(share)}`;
}
