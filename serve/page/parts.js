// Interests, similar users, posts: lists that a change of decay redraws.

import { fill, h, idText } from "./dom.js";
import { age, count, date, many, moment, percent } from "./format.js";

const SHOWN_POSTS = 20;
const SMALL = 20000;

/** A thin bar, as wide as a share. */
export function gauge(share, group = null) {
  const bar = h("div", {
    class: `grow${group === null ? "" : ` g${group % 8}`}`,
    width: `${Math.max(0, Math.min(1, share)) * 100}%`,
  });
  bar.style.height = "100%";
  bar.style.background = group === null ? "var(--accent)" : "var(--c)";
  return h("div", { class: "gauge", "aria-hidden": "true" }, bar);
}

export function makeInterests() {
  const element = h("div");
  const row = (interest, now) =>
    h(
      "li",
      { class: `g${interest.group % 8}` },
      h(
        "div",
        { class: "top" },
        h("span", { class: "key" }),
        h("span", { class: "words" }, interest.words.join(" · ") || "no words of its own"),
        h("span", {}, percent(interest.share)),
      ),
      gauge(interest.share, interest.group),
      h("p", { class: "typical clip" }, interest.typical[0]?.text ?? ""),
      h(
        "p",
        { class: "aside" },
        `${many(interest.n_events, "post")}, the last ${age(interest.last_event_at, now)} before`,
      ),
    );
  return {
    element,
    draw({ interests, as_of: now }) {
      const list = h(
        "ol",
        { class: "interests" },
        interests.map((interest) => row(interest, now)),
      );
      fill(element, interests.length ? list : h("p", { class: "empty" }, "No posts with words, so no groups of them."));
    },
  };
}

export function makeNeighbors({ compareAll }) {
  const element = h("div");
  const aside = h("span");
  const row = (user) =>
    h(
      "li",
      {},
      h("a", { href: `#/user/${encodeURIComponent(user.user_id)}` }, idText(user.user_id)),
      gauge(user.score),
      h("span", { class: "num" }, user.score.toFixed(3)),
    );

  function list(neighbors) {
    fill(
      element,
      neighbors.length
        ? h("ol", { class: "near" }, neighbors.map(row))
        : h("p", { class: "empty" }, "Nobody else has a profile."),
    );
  }
  return {
    element,
    aside,
    draw({ neighbors, neighbors_among: among }, nUsers) {
      list(neighbors);
      const all = h(
        "button",
        {
          class: "link",
          type: "button",
          onclick: compareAll,
          title: nUsers > SMALL ? "Reads out everybody at this half-life: seconds the first time" : null,
        },
        "compare with all",
      );
      fill(aside, among === null ? "cosine, among everybody" : [`cosine, among ${count(among)} candidates · `, all]);
    },
    drawAll({ neighbors }, said) {
      list(neighbors);
      fill(aside, said);
    },
  };
}

export function makePosts({ leaveOut }) {
  const element = h("div");
  const aside = h("span");
  let events = [];
  let total = 0;
  let shown = SHOWN_POSTS;

  function draw(answer, without) {
    const row = (event) => {
      const gone = without.has(event.event_id);
      const box = h("input", {
        type: "checkbox",
        data: { key: `without ${event.event_id}` },
        role: "switch",
        checked: gone,
        onchange: (change) => leaveOut(event, change.target.checked),
      });
      return h(
        "li",
        { class: gone ? "gone" : "" },
        h("time", { dateTime: event.timestamp, title: moment(event.timestamp) }, date(event.timestamp)),
        h(
          "p",
          { class: "text" },
          h("span", { class: `key g${event.group % 8}`, "aria-hidden": "true" }),
          event.text ?? event.item_id ?? "",
          " ",
          event.event_type === "post" ? null : h("span", { class: "tag" }, event.event_type),
        ),
        event.event_id === null
          ? null
          : h("label", { class: "switch" }, box, h("span", { class: "unseen" }, "without this post")),
      );
    };
    const more = h(
      "button",
      { class: "quiet", type: "button", onclick: () => ((shown += 100), draw(answer, without)) },
      "Show more",
    );
    aside.textContent = total ? `newest of ${count(total)}; switch one off to answer without it` : "";
    fill(
      element,
      total ? h("ol", { class: "posts" }, events.slice(0, shown).map(row)) : h("p", { class: "empty" }, "None yet."),
      events.length > shown ? more : null,
    );
  }
  return {
    element,
    aside,
    draw,
    setEvents: (answer) => ([events, total] = [answer.events, answer.n_events]),
  };
}
