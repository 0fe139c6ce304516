// Elements out of tags, properties and text. Whatever comes from the data becomes a text node or the value of a
// property that holds no markup, so nothing that somebody wrote is ever interpreted.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. `on*` are listeners, `class`, `data` and aria-* what they say, other names properties. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "data") Object.assign(element.dataset, value);
    else if (name === "width") element.style.width = value;
    else if (name.includes("-") || name === "role" || name === "for" || name === "list")
      element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...flat(children));
  return element;
}

/** An SVG element; properties are attributes. */
export function s(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...flat(children));
  return element;
}

function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Put children in the place of all that an element has. */
export function fill(element, ...children) {
  element.replaceChildren(...flat(children));
  return element;
}

/** A panel with a heading; `aside` stands at its right end. */
export function panel(title, { aside = null, id = null } = {}, ...children) {
  const heading = h("h2", { id: id && `${id}-title` }, title);
  const side = aside === null ? null : h("span", { class: "aside" }, aside);
  return h(
    "section",
    { class: "panel", id, "aria-labelledby": id && `${id}-title` },
    h("header", {}, heading, side),
    ...children,
  );
}

/** An id as it is: white space, direction and all. */
export function idText(id) {
  return h("bdi", { class: "id" }, id === "" ? "(empty)" : id);
}

/** Tell those who listen instead of looking. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

/** Colours and sizes of the present theme, for what is drawn on a canvas. */
export function themed(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The value after `ms` without another one. */
export function settled(ms, act) {
  let timer = 0;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...values), ms);
  };
}
