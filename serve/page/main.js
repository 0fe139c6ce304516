// The shell: which view is shown, the search, the theme, the token.

import { forgetToken, get, hasToken, whenTokenIsNeeded } from "./api.js";
import { fill, h, say } from "./dom.js";
import { makeFinder } from "./finder.js";
import { count } from "./format.js";

const VIEWS = [
  { path: "", title: "Overview", load: () => import("./overview.js") },
  { path: "user", title: "User", load: () => import("./user.js") },
  { path: "map", title: "Map", load: () => import("./map.js") },
  { path: "evaluation", title: "Evaluation", load: () => import("./evaluation.js") },
  { path: "monitoring", title: "Monitoring", load: () => import("./monitoring.js") },
];
const main = document.getElementById("main");
let leave = () => {};
let shown = null;
let turn = 0;

/** `#/user/ann?half_life=7d` as view, argument and parameters. An id is one percent-encoded segment. */
function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const slash = path.indexOf("/");
  const name = slash < 0 ? path : path.slice(0, slash);
  return { name, argument: slash < 0 ? null : decoded(path.slice(slash + 1)), parameters: new URLSearchParams(query) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function show() {
  const mine = ++turn;
  const { name, argument, parameters } = place();
  const view = VIEWS.find((one) => one.path === name) ?? VIEWS[0];
  leave();
  leave = () => {};
  drawTabs(view);
  if (shown !== view) fill(main, h("p", { class: "waiting" }, "Loading…"));
  document.title = argument === null ? `${view.title} · dynprof` : `${argument} · dynprof`;
  try {
    const { draw } = await view.load();
    const left = await draw(main, { argument, parameters, isCurrent: () => mine === turn });
    if (mine === turn) leave = left ?? leave;
    else left?.();
  } catch (error) {
    if (mine === turn) fill(main, problem(error));
  }
  if (mine !== turn) return;
  if (shown !== null && shown !== view) main.focus({ preventScroll: true });
  if (shown !== view) say(`${view.title} is shown`);
  shown = view;
}

function drawTabs(current) {
  const tab = (view) =>
    h("li", {}, h("a", { href: `#/${view.path}`, "aria-current": view === current ? "page" : null }, view.title));
  fill(document.getElementById("tabs"), VIEWS.map(tab));
}

/** What is shown in the place of a view that cannot be drawn. */
export function problem(error) {
  const missing = error.code === "not_ready";
  const title = missing ? "Nothing is served yet" : error.status === 404 ? "Not found" : "This did not work";
  return h(
    "section",
    { class: "panel", role: "alert" },
    h("header", {}, h("h2", {}, title)),
    h("p", { class: "empty" }, error.message || String(error)),
    h("p", { class: "row" }, h("button", { type: "button", onclick: show }, "Try again")),
  );
}

function dialogForToken(wasRefused) {
  const dialog = document.getElementById("ask");
  const field = h("input", { type: "password", id: "token", autocomplete: "off", spellcheck: false, required: true });
  return new Promise((done) => {
    const form = h(
      "form",
      { method: "dialog", onsubmit: () => dialog.close(field.value.trim()) },
      h("h2", { id: "ask-title" }, wasRefused ? "This token is not accepted" : "A token, please"),
      h(
        "p",
        { class: "hint" },
        "This deployment answers only to those who have one. It is kept in the memory of this page and forgotten when the page is closed.",
      ),
      h("div", { class: "field" }, h("label", { for: "token" }, "Token"), field),
      h(
        "div",
        { class: "row" },
        h("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"),
        h("button", { class: "main" }, "Use it"),
      ),
    );
    dialog.setAttribute("aria-labelledby", "ask-title");
    dialog.onclose = () => done(dialog.returnValue || null);
    dialog.returnValue = "";
    fill(dialog, form);
    dialog.showModal();
  });
}

function setTheme(theme) {
  const dark = theme === "dark" || (theme === null && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  const button = document.getElementById("theme");
  button.textContent = dark ? "Light" : "Dark";
  button.setAttribute("aria-label", dark ? "Use light colours" : "Use dark colours");
  document.dispatchEvent(new CustomEvent("themed"));
}

/** The choice of this browser; null where it keeps nothing, or none was made. */
function keptTheme() {
  try {
    return localStorage.getItem("dynprof-theme");
  } catch {
    return null;
  }
}

function keepTheme() {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("dynprof-theme", next);
  } catch {
    // a browser that keeps nothing still changes its colours
  }
  setTheme(next);
}

async function pulse() {
  const sign = document.getElementById("pulse");
  if (document.hidden) return;
  try {
    const ready = await (await fetch(new URL("health/ready", document.baseURI), { cache: "no-store" })).json();
    sign.dataset.state = ready.status === "ready" ? "live" : "off";
    sign.textContent = ready.status === "ready" ? `${count(ready.n_users)} users` : "not ready";
    sign.title = ready.status === "ready" ? `Snapshot ${ready.snapshot}` : "";
  } catch {
    sign.dataset.state = "off";
    sign.textContent = "no answer";
  }
  if (hasToken() && !document.getElementById("sign-out")) {
    const out = () => (forgetToken(), location.reload());
    sign.after(h("button", { id: "sign-out", class: "quiet", type: "button", onclick: out }, "Forget token"));
  }
}

setTheme(keptTheme());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTheme(keptTheme()));
document.getElementById("theme").addEventListener("click", keepTheme);
document.querySelector(".skip").addEventListener("click", (event) => (event.preventDefault(), main.focus()));
whenTokenIsNeeded(dialogForToken);
const finder = makeFinder({
  label: "Find a user",
  choose: (id) => (location.hash = `#/user/${encodeURIComponent(id)}`),
  find: (text) => get("v1/users", { prefix: text, limit: 12 }),
});
fill(document.getElementById("finder"), finder.element);
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, dialog");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    finder.focus();
  }
});
addEventListener("hashchange", show);
setInterval(pulse, 10000);
pulse();
show();
