// One user at one decay. A change of decay is one request, and everything that depends on it is drawn from the answer.

import { get, latestOnly, ofUser } from "./api.js";
import { composer } from "./compose.js";
import { makeControl } from "./control.js";
import { makeCurve } from "./curve.js";
import { fill, h, idText, panel, say, settled } from "./dom.js";
import { makeFinder } from "./finder.js";
import { date, many, moment, ms, number } from "./format.js";
import { eraseButton, exportButton } from "./own_data.js";
import { makeInterests, makeNeighbors, makePosts } from "./parts.js";
import { makeRecommendations } from "./recommended.js";
import { makeTimeline } from "./timeline.js";

const BASICS = { k: 10, neighbors: 8, explain: true, explain_events: 3 };
const SETTLED_MS = 350;

export async function draw(main, { argument, parameters, isCurrent }) {
  if (argument === null || argument === "") return drawChoice(main);
  const snapshot = await get("v1/snapshot");
  const view = new UserView(argument, parameters, snapshot, isCurrent);
  const [events] = await Promise.all([
    get(ofUser(argument, "events"), { limit: 1000 }),
    view.ask(view.control.value()),
  ]);
  if (!isCurrent() || view.failed) {
    if (view.failed) throw view.failed;
    return null;
  }
  view.setEvents(events);
  fill(main, view.element());
  view.redraw();
  view.refreshSlow();
  return () => view.leave();
}

/** Nobody was named yet. */
async function drawChoice(main) {
  const finder = makeFinder({
    id: "choose",
    label: "Find a user",
    choose: (id) => (location.hash = `#/user/${encodeURIComponent(id)}`),
    find: (text) => get("v1/users", { prefix: text, limit: 12 }),
  });
  const { users } = await get("v1/users", { limit: 24 });
  const link = (user) =>
    h(
      "a",
      { href: `#/user/${encodeURIComponent(user.user_id)}` },
      idText(user.user_id),
      h("span", { class: "aside" }, many(user.n_events, "event")),
    );
  const none = h("p", { class: "empty" }, "Nobody is in this snapshot yet.");
  finder.element.className = "finder";
  fill(
    main,
    h(
      "div",
      { class: "head" },
      h(
        "div",
        {},
        h("h1", {}, "Users"),
        h("p", { class: "hint" }, "Type a part of an id, or choose one of the most active."),
      ),
    ),
    panel(
      "Whose profile?",
      { id: "who" },
      finder.element,
      users.length ? h("div", { class: "quickly" }, users.map(link)) : none,
    ),
  );
  return null;
}

class UserView {
  constructor(id, parameters, snapshot, isCurrent) {
    Object.assign(this, {
      id,
      snapshot,
      isCurrent,
      answer: null,
      reference: null,
      failed: null,
      abort: new AbortController(),
    });
    this.without = new Map();
    const change = (value, isFinal) => (this.run(value), isFinal && this.settle());
    this.control = makeControl({ snapshot, parameters, change, restore: () => this.restore() });
    this.run = latestOnly((value) => this.ask(value).then((waitS) => (this.redraw(), waitS)));
    this.settle = settled(SETTLED_MS, () => this.refreshSlow());
    this.curve = makeCurve();
    this.interests = makeInterests();
    this.neighbors = makeNeighbors({ compareAll: () => this.compareAll() });
    this.recommendations = makeRecommendations({
      metrics: snapshot.metrics,
      chosen: snapshot.defaults?.metric,
      leaveOut: (event, out) => this.leaveOut(event, out),
      change: () => this.again(),
    });
    this.timeline = makeTimeline();
    this.posts = makePosts({ leaveOut: (event, out) => this.leaveOut(event, out) });
    this.meta = h("p", { class: "hint" });
  }

  element() {
    const title = h("div", {}, h("h1", {}, idText(this.id)), this.meta);
    const map = h("a", { href: `#/map?user=${encodeURIComponent(this.id)}` }, "Path on the map");
    const actions = h(
      "div",
      { class: "row" },
      map,
      exportButton(this.id),
      eraseButton(this.id, () => this.erased()),
    );
    const post = composer(this.id, {
      asOf: () => this.answer.as_of,
      decay: () => this.decayParameters(),
      posted: () => this.reload(),
    });
    const left = [
      panel(
        "Decay and events",
        { id: "decay", aside: "age before the profile's time, logarithmic" },
        this.curve.element,
      ),
      panel("How the profile moved", { id: "timeline" }, this.timeline.element),
      panel("Post as this user", { id: "post" }, post),
      panel("Posts", { id: "posts", aside: this.posts.aside }, this.posts.element),
    ];
    const right = [
      panel(
        "Interests",
        { id: "interests", aside: "groups of the user's own posts, by weight" },
        this.interests.element,
      ),
      panel(
        "Recommendations",
        { id: "recommendations", aside: this.recommendations.aside },
        this.recommendations.element,
      ),
      panel("Similar users", { id: "neighbors", aside: this.neighbors.aside }, this.neighbors.element),
    ];
    const desk = h("div", { class: "desk" }, h("div", { class: "stack" }, left), h("div", { class: "stack" }, right));
    return [h("div", { class: "head" }, title, actions), this.control.element, desk];
  }

  decayParameters() {
    const { kind, halfLife } = this.control.value();
    return { kind, half_life: kind === "learned" ? null : halfLife };
  }

  /** The one request. Resolves to seconds to wait where the server wants that. */
  async ask({ kind, halfLife }) {
    const parameters = {
      ...BASICS,
      ...this.recommendations.parameters(),
      kind,
      half_life: kind === "learned" ? null : halfLife,
      without: [...this.without.keys()],
    };
    const started = performance.now();
    try {
      this.answer = await get(ofUser(this.id, "view"), parameters, { signal: this.abort.signal });
      this.control.took(performance.now() - started, kind, halfLife);
      if (!this.without.size) this.reference = this.answer;
      this.failed = null;
    } catch (error) {
      if (error.name === "AbortError") return 0;
      if (error.status === 429) {
        this.run?.(this.control.value());
        return error.retryAfterS || 1;
      }
      if (this.answer === null) this.failed = error;
      else this.control.failed(error.message);
    }
    return 0;
  }

  redraw() {
    if (this.answer === null || !this.isCurrent()) return;
    const { answer } = this;
    const { profile } = answer;
    const basis = {
      events: "",
      bio: "No event counts: the bio stands in. ",
      population: "No event counts: everybody's mean stands in. ",
    }[answer.basis];
    const known = profile.n_events
      ? `${many(profile.n_events, "event")} from ${date(profile.first_event_at)} to ${date(profile.last_event_at)}, worth ${number(profile.n_effective)} equal ones. `
      : "";
    const bound = profile.error_bound ? `Error at most ${number(profile.error_bound)}.` : "Exact.";
    this.meta.textContent = `${basis}${known}As of ${moment(answer.as_of)}. ${bound}`;
    const { key } = document.activeElement?.dataset ?? {};
    this.curve.draw(answer, this.without);
    this.interests.draw(answer);
    this.neighbors.draw(answer, this.snapshot.n_users);
    this.recommendations.draw(answer, this.without, this.reference);
    this.posts.draw(answer, this.without);
    if (key) document.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
    this.control.leftOut(this.without);
  }

  /** What takes longer than a movement of the slider: the timeline, and a place in the address. */
  async refreshSlow() {
    if (!this.isCurrent()) return;
    const { kind, half_life } = this.decayParameters();
    history.replaceState(
      null,
      "",
      `#/user/${encodeURIComponent(this.id)}?kind=${kind}${half_life === null ? "" : `&half_life=${half_life}`}`,
    );
    try {
      const moved = await get(
        ofUser(this.id, "timeline"),
        { kind, half_life, points: 60, items: 3 },
        { signal: this.abort.signal },
      );
      if (this.isCurrent()) this.timeline.draw(moved);
    } catch (error) {
      if (error.name !== "AbortError") this.timeline.failed(error.message);
    }
  }

  again() {
    this.run(this.control.value());
  }

  leaveOut(event, out) {
    if (out) this.without.set(event.event_id, event);
    else this.without.delete(event.event_id);
    say(out ? "Answered as if this post had not been" : "The post counts again");
    this.again();
  }

  restore() {
    this.without.clear();
    this.again();
  }

  async compareAll() {
    const started = performance.now();
    const found = await get(ofUser(this.id, "neighbors"), { ...this.decayParameters(), k: BASICS.neighbors });
    this.neighbors.drawAll(found, `compared with everybody in ${ms((performance.now() - started) / 1000)}`);
  }

  /** Something was posted: events and everything else anew. */
  async reload() {
    await this.ask(this.control.value());
    this.setEvents(await get(ofUser(this.id, "events"), { limit: 1000 }));
    this.redraw();
    this.refreshSlow();
  }

  setEvents(events) {
    this.curve.setEvents(events);
    this.posts.setEvents(events);
  }

  erased() {
    this.leave();
    const text = h(
      "p",
      {},
      idText(this.id),
      " is erased: from this moment no answer holds anything of this user, and later events are refused. The next build rewrites the files.",
    );
    fill(document.getElementById("main"), h("section", { class: "notice good", role: "status" }, text));
    say("The user is erased");
  }

  leave() {
    this.abort.abort();
  }
}
