// What a user may ask for: everything that is kept, and to be forgotten.

import { erase, get, ofUser } from "./api.js";
import { fill, h, idText, say } from "./dom.js";

/** Saves everything that is kept of the user as a file. */
export function exportButton(id) {
  const button = h("button", { type: "button", onclick: save }, "Export");
  async function save() {
    button.disabled = true;
    try {
      const kept = await get(ofUser(id, "export"));
      const url = URL.createObjectURL(new Blob([JSON.stringify(kept, null, 2)], { type: "application/json" }));
      h("a", { href: url, download: `${id.replace(/[^\w.-]+/g, "_") || "user"}.json` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 10000);
      say("Saved as a file");
    } catch (error) {
      tell("It cannot be exported", error.message);
    } finally {
      button.disabled = false;
    }
  }
  return button;
}

/** Asks, and asks for the id, before anything is erased. */
export function eraseButton(id, erased) {
  return h("button", { type: "button", class: "bad", onclick: () => confirmErasure(id, erased) }, "Erase…");
}

function confirmErasure(id, erased) {
  const dialog = document.getElementById("ask");
  const field = h("input", {
    type: "text",
    id: "erase-id",
    autocomplete: "off",
    spellcheck: false,
    oninput: () => (button.disabled = field.value !== line(id)),
  });
  const button = h("button", { class: "bad main", disabled: true }, "Erase for good");
  const outcome = h("p", { class: "hint", role: "status" });
  const form = h(
    "form",
    { onsubmit: submit },
    h("h2", { id: "ask-title" }, "Erase this user?"),
    h(
      "p",
      {},
      "Events, profile and state of ",
      h("strong", {}, idText(id)),
      " go, and later events are refused. There is no way back.",
    ),
    h("div", { class: "field" }, h("label", { for: "erase-id" }, "Type the id to go on"), field),
    outcome,
    h("div", { class: "row" }, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel"), button),
  );
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    try {
      await erase(ofUser(id));
      dialog.close();
      erased();
    } catch (error) {
      outcome.textContent = error.message;
      button.disabled = false;
    }
  }
  dialog.onclose = null;
  dialog.setAttribute("aria-labelledby", "ask-title");
  fill(dialog, form);
  dialog.showModal();
}

/** An id as a field of one line can hold it. */
function line(id) {
  return id.replace(/[\r\n]/g, "");
}

function tell(title, message) {
  const dialog = document.getElementById("ask");
  dialog.onclose = null;
  fill(
    dialog,
    h(
      "form",
      { method: "dialog" },
      h("h2", {}, title),
      h("p", {}, message),
      h("div", { class: "row" }, h("button", { class: "main" }, "Close")),
    ),
  );
  dialog.showModal();
}
