// A field that finds users by a part of their id: a combobox as ARIA describes it.

import { fill, h, idText, settled } from "./dom.js";
import { compact } from "./format.js";

/** `choose(id)` is called with the one that was picked; `find(text)` resolves to the answer of /v1/users. */
export function makeFinder({ label, choose, find, id = "find" }) {
  const listId = `${id}-list`;
  let found = [];
  let at = -1;
  let asked = 0;
  const list = h("ul", { class: "found", id: listId, role: "listbox", "aria-label": "Users", hidden: true });
  const field = h("input", {
    type: "search",
    id,
    placeholder: id === "find" ? `${label}  ( / )` : label,
    autocomplete: "off",
    spellcheck: false,
    role: "combobox",
    "aria-label": label,
    "aria-expanded": "false",
    "aria-controls": listId,
    "aria-autocomplete": "list",
    oninput: () => look(),
    onfocus: () => look(),
    onkeydown: press,
    onblur: () => setTimeout(close, 120),
  });
  const look = settled(80, async () => {
    const mine = ++asked;
    try {
      const { users } = await find(field.value);
      if (mine !== asked || document.activeElement !== field) return;
      found = users;
      at = field.value && users.length ? 0 : -1;
      draw();
    } catch {
      close();
    }
  });

  function draw() {
    const option = (user, i) =>
      h(
        "li",
        {
          role: "option",
          id: `${id}-${i}`,
          "aria-selected": String(i === at),
          onmousedown: (event) => (event.preventDefault(), pick(i)),
        },
        idText(user.user_id),
        h("span", { class: "aside" }, compact(user.n_events)),
      );
    fill(
      list,
      found.length ? found.map(option) : h("li", { "aria-disabled": "true", class: "aside" }, "Nobody with that id"),
    );
    list.hidden = false;
    field.setAttribute("aria-expanded", "true");
    if (at >= 0) field.setAttribute("aria-activedescendant", `${id}-${at}`);
    else field.removeAttribute("aria-activedescendant");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  }

  function close() {
    asked++;
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
  }

  function pick(i) {
    const user = found[i];
    if (!user) return;
    field.value = "";
    field.blur();
    close();
    choose(user.user_id);
  }

  function press(event) {
    const moves = { ArrowDown: 1, ArrowUp: -1 };
    if (event.key in moves && !list.hidden) {
      event.preventDefault();
      at = (at + moves[event.key] + found.length) % Math.max(1, found.length);
      draw();
    } else if (event.key === "Enter" && !list.hidden) {
      event.preventDefault();
      pick(Math.max(at, 0));
    } else if (event.key === "Escape") {
      close();
    }
  }
  return { element: h("div", {}, field, list), focus: () => field.focus() };
}
