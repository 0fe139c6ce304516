// Users or items in two dimensions. What is drawn is points on a canvas; what they are is asked when one is pointed at.

import { get, getBytes, ofUser } from "./api.js";
import { fill, h, idText, panel, say, settled } from "./dom.js";
import { makeFinder } from "./finder.js";
import { date, many, number } from "./format.js";
import { makeCanvas } from "./map_canvas.js";
import { coloured, COLOURS } from "./map_colours.js";
import { nearest, unpack } from "./map_data.js";
import { colourMenu, explanation, mapHead, zoomButtons } from "./map_layout.js";

const NEAR_PX = 14;
const LISTED = 15;

export async function draw(main, { parameters, isCurrent }) {
  const kind = parameters.get("kind") === "items" ? "items" : "users";
  fill(main, h("p", { class: "waiting" }, "Computing the map. The first time takes seconds where there are many."));
  const axes = parameters.get("axes") === "umap" ? "umap" : "components";
  const sheet = unpack(await getBytes(`v1/map/${kind}?axes=${axes}`));
  if (!isCurrent()) return null;
  const view = new MapView(kind, sheet, parameters);
  fill(main, view.element());
  view.start();
  if (parameters.get("user") && axes === "components") view.follow(parameters.get("user"));
  return () => view.leave();
}

class MapView {
  constructor(kind, sheet, parameters) {
    Object.assign(this, {
      kind,
      sheet,
      colour: COLOURS[parameters.get("colour")] ? parameters.get("colour") : "topic",
      hidden: new Set(),
      chosen: null,
      known: new Map(),
    });
    this.tip = h("div", { class: "tip", hidden: true });
    this.legend = h("div", { class: "legend" });
    this.card = h("div", {});
    this.path = h("div", {});
    this.canvas = makeCanvas(sheet, {
      move: (x, y) => this.point(x, y),
      pick: (x, y) => this.pick(x, y),
      leave: () => (this.tip.hidden = true),
      list: () => this.list(),
      label: this.label(),
    });
    this.ask = settled(60, (i, x, y) => this.tell(i, x, y));
    this.themed = () => this.recolour();
    document.addEventListener("themed", this.themed);
  }

  label() {
    return `Map of ${many(this.sheet.n, this.kind === "users" ? "user" : "item")}. Arrow keys move it, plus and minus zoom, Enter lists what lies in the middle.`;
  }

  element() {
    const { sheet, kind } = this;
    const finder = makeFinder({
      id: "map-find",
      label: "Follow a user",
      choose: (id) => this.go({ kind: "users", user: id }),
      find: (text) => get("v1/users", { prefix: text, limit: 12 }),
    });
    finder.element.className = "finder";
    const hasPaths = kind === "users" && sheet.axes === "components";
    const noPaths = h("p", { class: "hint" }, "Paths are drawn on the principal components of users.");
    const list = h("button", { class: "link", type: "button", onclick: () => this.list() }, "list the middle");
    const side = [
      panel(
        "Colour",
        { id: "colours" },
        colourMenu(kind, this.colour, (name) => this.show(name)),
        this.legend,
      ),
      panel("A path over time", { id: "path" }, hasPaths ? [finder.element, this.path] : noPaths),
      panel("Point", { id: "point", aside: list }, this.card),
    ];
    fill(this.card, explanation(sheet));
    const none = h("p", { class: "empty" }, `There are no ${kind} with a vector yet.`);
    const drawn = sheet.n ? [this.canvas.element, zoomButtons(this.canvas), this.tip] : none;
    const here = h("section", { class: "panel sheet", "aria-label": "Map" }, drawn);
    const head = mapHead(sheet, kind, (other) => this.go(other));
    return [head, h("div", { class: "map" }, here, h("div", { class: "stack" }, side))];
  }

  /** Another property as colour. */
  show(property) {
    this.colour = property;
    this.hidden.clear();
    this.recolour();
  }

  start() {
    if (!this.sheet.n) return;
    this.canvas.start();
    this.recolour();
  }

  go({ kind = this.kind, axes = "components", user = null }) {
    const of = user === null ? "" : `&user=${encodeURIComponent(user)}`;
    location.hash = `#/map?kind=${kind}&colour=${this.colour}${axes === "umap" ? "&axes=umap" : ""}${of}`;
  }

  /** Colours of all points, and the legend that says what they mean. */
  recolour() {
    const flip = (i) => {
      if (!this.hidden.delete(i)) this.hidden.add(i);
      this.recolour();
    };
    const { codes, palette, legend } = coloured(this.sheet, this.colour, this.kind, this.hidden, flip);
    this.canvas.colour(codes, palette);
    fill(this.legend, legend);
  }

  point(x, y) {
    const i = nearest(this.sheet, this.canvas, x, y, NEAR_PX, (j) => this.isShown(j));
    this.canvas.canvas.style.cursor = i === null ? "" : "pointer";
    if (i === null) this.tip.hidden = true;
    else this.ask(i, x, y);
  }

  isShown(i) {
    if (this.colour === "activity" || !this.hidden.size) return true;
    return !this.hidden.has((this.colour === "topic" ? this.sheet.topic : this.sheet.language)[i]);
  }

  async what(i) {
    if (!this.known.has(i)) this.known.set(i, get(`v1/map/${this.kind}/${this.sheet.number[i]}`));
    return this.known.get(i);
  }

  async tell(i, x, y) {
    const found = await this.what(i).catch(() => null);
    if (found === null) return;
    fill(this.tip, ...this.lines(found));
    this.tip.hidden = false;
    const { clientWidth: width, clientHeight: height } = this.tip.parentElement;
    this.tip.style.left = `${Math.min(x + 12, width - this.tip.offsetWidth - 8)}px`;
    this.tip.style.top = `${Math.min(y + 12, height - this.tip.offsetHeight - 8)}px`;
  }

  lines(found) {
    if (this.kind === "users")
      return [
        idText(found.user_id),
        h("div", { class: "aside" }, `${many(found.n_events, "event")}, the last ${date(found.last_event_at)}`),
      ];
    return [
      h("span", { class: "clip" }, found.text),
      h("div", { class: "aside" }, `${date(found.created_at)}${found.language ? `, ${found.language}` : ""}`),
    ];
  }

  async pick(x, y) {
    const i = nearest(this.sheet, this.canvas, x, y, NEAR_PX, (j) => this.isShown(j));
    if (i !== null) this.choose(i);
  }

  async choose(i) {
    this.canvas.mark(this.sheet.x[i], this.sheet.y[i]);
    const found = await this.what(i);
    const id = this.kind === "users" ? found.user_id : found.author_id;
    const links =
      id === null
        ? null
        : h(
            "p",
            { class: "row" },
            h(
              "a",
              { href: `#/user/${encodeURIComponent(id)}` },
              this.kind === "users" ? "Open profile" : ["by ", idText(id)],
            ),
            this.kind === "users" && this.sheet.axes === "components"
              ? h("button", { class: "link", type: "button", onclick: () => this.follow(id) }, "Draw the path")
              : null,
          );
    const topic = this.sheet.topics[this.sheet.topic[i]];
    fill(this.card, ...this.lines(found), topic ? h("p", { class: "aside" }, `Topic: ${topic}`) : null, links);
    if (this.kind === "items") this.alike(found.item_id);
    say(this.kind === "users" ? `Chosen: ${found.user_id}` : `Chosen: ${found.text}`);
  }

  async alike(itemId) {
    const { items } = await get(`v1/items/${encodeURIComponent(itemId)}/similar`, { k: 4 }).catch(() => ({
      items: [],
    }));
    if (items.length)
      this.card.append(
        h("h3", {}, "Most alike"),
        h(
          "ol",
          { class: "typical" },
          items.map((item) => h("li", { class: "clip" }, item.text)),
        ),
      );
  }

  /** The points nearest to the middle, as a list: the map for those who do not see it. */
  async list() {
    const near = this.canvas.middle(LISTED, (i) => this.isShown(i));
    const found = await Promise.all(near.map((i) => this.what(i).catch(() => null)));
    const row = (one, n) =>
      one &&
      h(
        "li",
        {},
        h(
          "button",
          { class: "link", type: "button", onclick: () => this.choose(near[n]) },
          this.kind === "users" ? idText(one.user_id) : h("span", { class: "clip" }, one.text),
        ),
      );
    fill(this.card, h("p", { class: "aside" }, `Nearest to the middle of what is shown`), h("ol", {}, found.map(row)));
    this.card.querySelector("button")?.focus();
  }

  async follow(id) {
    fill(this.path, h("p", { class: "hint" }, "Reading the path…"));
    try {
      const { points, decay } = await get(ofUser(id, "path"), { points: 40 });
      this.canvas.path(points);
      const end = points.at(-1);
      const length = points.slice(1).reduce((sum, p, i) => sum + Math.hypot(p.x - points[i].x, p.y - points[i].y), 0);
      fill(
        this.path,
        h("p", {}, idText(id)),
        h(
          "p",
          { class: "hint" },
          `From ${date(points[0].at)} (small) to ${date(end.at)} (large), half-life ${decay.half_life ?? "∞"}; ${number(length)} long on this map.`,
        ),
        h(
          "p",
          { class: "row" },
          h("a", { href: `#/user/${encodeURIComponent(id)}` }, "Open profile"),
          h(
            "button",
            { class: "link", type: "button", onclick: () => (this.canvas.path([]), fill(this.path)) },
            "Remove",
          ),
        ),
      );
      say("The path is drawn");
    } catch (error) {
      fill(this.path, h("p", { class: "hint" }, error.message));
    }
  }

  leave() {
    document.removeEventListener("themed", this.themed);
    this.canvas.stop();
  }
}
