// What is served, how it is doing, what is wrong.

import { get } from "./api.js";
import { fill, h, idText, panel } from "./dom.js";
import { age, compact, count, date, many, moment, ms, number, span } from "./format.js";

const EVERY_MS = 4000;

export async function draw(main, { isCurrent }) {
  const [state, users] = await Promise.all([get("v1/overview"), get("v1/users", { limit: 12 })]);
  if (!isCurrent()) return null;
  const facts = h("dl", { class: "facts" });
  const alarms = h("div");
  const latencies = h("div", { class: "scroll" });
  const said = h("p", { class: "hint" });
  const title = h("div", {}, h("h1", {}, "Overview"), said);
  const left = h(
    "div",
    { class: "stack" },
    panel("Alarms", { id: "alarms" }, alarms),
    panel("Most active users", { id: "active" }, quickly(users.users)),
  );
  const right = h(
    "div",
    { class: "stack" },
    panel("Latency of this replica", { id: "latency", aside: "since it started" }, latencies),
    meaning(state.snapshot),
  );
  fill(main, h("div", { class: "head" }, title), facts, h("div", { class: "columns" }, left, right));
  let before = null;
  const show = (now) => {
    const rate = rateOf(before, now.live);
    before = now.live && { at: performance.now(), number: now.live.last_number };
    said.textContent = `As of ${moment(now.now)}. Version ${now.version}.`;
    fill(facts, factsOf(now, rate));
    fill(alarms, alarmsOf(now.alarms));
    fill(latencies, latencyTable(now.latencies));
  };
  show(state);
  const timer = setInterval(async () => {
    if (document.hidden) return;
    try {
      const now = await get("v1/overview");
      if (isCurrent()) show(now);
    } catch (error) {
      said.textContent = error.message;
    }
  }, EVERY_MS);
  return () => clearInterval(timer);
}

/** Changes of the log a second between two looks; null at the first. */
function rateOf(before, live) {
  if (!before || !live) return null;
  return (Math.max(0, live.last_number - before.number) * 1000) / (performance.now() - before.at);
}

function factsOf({ now, snapshot, live }, rate) {
  const fact = (name, value, more) => h("div", {}, h("dt", {}, name), h("dd", {}, value, h("small", {}, more)));
  const events = snapshot.n_events + (live?.n_events ?? 0);
  return [
    fact("Users", compact(snapshot.n_users), snapshot.n_users ? "in the snapshot" : "nobody yet"),
    fact("Items", compact(snapshot.n_items), "that can be recommended"),
    fact("Events", compact(events), live ? `${count(live.n_events)} of them live` : "no live events are taken"),
    fact(
      "Live rate",
      rate === null ? "–" : `${number(rate)}/s`,
      live ? `${many(live.last_number - live.followed_number, "change")} not read yet` : "no log",
    ),
    fact("Snapshot", age(snapshot.as_of, now), `old: as of ${date(snapshot.as_of)}`),
    fact("Encoder", snapshot.encoder.name, `${snapshot.dim} dimensions`),
  ];
}

function alarmsOf(alarms) {
  if (!alarms.length)
    return h("p", { class: "empty" }, "None. Snapshot and log are followed; no monitoring report raised one.");
  const row = (alarm) => h("li", {}, h("span", { class: "tag warm" }, alarm.source), h("span", {}, alarm.message));
  return h("ul", { class: "alarms" }, alarms.map(row));
}

function quickly(users) {
  if (!users.length) {
    return h(
      "p",
      { class: "empty" },
      "The snapshot has no users. ",
      h("code", {}, "python -m jobs.pipeline"),
      " builds one from your posts, and live events bring their users with them.",
    );
  }
  const link = (user) =>
    h(
      "a",
      { href: `#/user/${encodeURIComponent(user.user_id)}` },
      idText(user.user_id),
      h("span", { class: "aside" }, compact(user.n_events)),
    );
  return h("div", { class: "quickly" }, users.map(link));
}

function latencyTable(latencies) {
  if (!latencies.length) return h("p", { class: "empty" }, "Nothing was asked yet.");
  const cell = (seconds) => h("td", { class: "num" }, ms(seconds));
  const row = (one) =>
    h(
      "tr",
      {},
      h("td", { class: "mono" }, `${one.method} ${one.route.replace(":any_id", "")}`),
      h("td", { class: "num" }, count(one.n_requests)),
      cell(one.p50_s),
      cell(one.p95_s),
      cell(one.p99_s),
      h("td", { class: "num" }, one.n_failed ? count(one.n_failed) : "–"),
    );
  const heads = ["Route", "Asked", "Median", "95 %", "99 %", "Failed"].map((name, i) =>
    h("th", { class: i ? "num" : "", scope: "col" }, name),
  );
  return h("table", {}, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, latencies.slice(0, 12).map(row)));
}

function meaning(snapshot) {
  const term = (name, value) => [h("dt", {}, name), h("dd", {}, value)];
  const bank = snapshot.bank_half_lives_s;
  const weights = Object.entries(snapshot.type_weights).map(([type, weight]) => `${type} ${number(weight)}`);
  return panel(
    "What its profiles mean",
    { id: "meaning" },
    h(
      "dl",
      { class: "terms" },
      term("Snapshot", h("span", { class: "mono" }, snapshot.snapshot)),
      snapshot.reload_error ? term("Wanted", `${snapshot.wanted}: ${snapshot.reload_error}`) : null,
      term("As of", moment(snapshot.as_of)),
      term("Built", moment(snapshot.created_at)),
      term(
        "Layers",
        snapshot.layers.length === 1
          ? "the built one"
          : `the built one and ${many(snapshot.layers.length - 1, "update")}`,
      ),
      term("Encoder", h("span", { class: "mono" }, `${snapshot.encoder.name} ${snapshot.encoder.fingerprint}`)),
      term("Half-life", `${snapshot.default_half_life} where a question names none`),
      term("Built decays", [...new Set(snapshot.decays.map((decay) => decay.kind))].join(", ")),
      term(
        "Bank",
        bank.length
          ? `${bank.length} half-lives from ${span(bank[0])} to ${span(bank.at(-1))}, any other is read out of them`
          : "–",
      ),
      term("Event weights", weights.join(", ") || "all alike"),
    ),
  );
}
