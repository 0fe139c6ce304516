// Post a live event as the user, and see how far it turns the profile.

import { get, ofUser, post } from "./api.js";
import { fill, h, say } from "./dom.js";
import { moment, number, ms } from "./format.js";

const TYPES = ["post", "reply", "quote", "retweet", "like"];
const PATIENCE_MS = 10000;
const OLD_S = 7 * 86400;

/** `asOf()` is the profile's time, `decay()` its parameters; `posted()` redraws everything. */
export function composer(id, { asOf, decay, posted }) {
  const text = h("textarea", {
    id: "post-text",
    required: true,
    maxLength: 20000,
    placeholder: "What would this user say?",
  });
  const type = h(
    "select",
    { "aria-label": "Type" },
    TYPES.map((name) => h("option", { value: name }, name)),
  );
  const when = h(
    "select",
    { "aria-label": "When" },
    h("option", { value: "now" }, "now"),
    h("option", { value: "then" }, "at the profile's time"),
  );
  const button = h("button", { class: "main" }, "Post");
  const outcome = h("div", { role: "status" });
  if ((Date.now() - Date.parse(asOf())) / 1000 > OLD_S) when.value = "then";
  const form = h(
    "form",
    { class: "compose", onsubmit: submit },
    h("label", { for: "post-text", class: "unseen" }, "Text of the post"),
    text,
    h("div", { class: "row" }, type, when, button),
    outcome,
  );

  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    const timestamp = when.value === "now" ? new Date().toISOString() : new Date(Date.parse(asOf())).toISOString();
    const started = performance.now();
    try {
      const { outcomes } = await post("v1/events", [
        { user_id: id, timestamp, event_type: type.value, text: text.value },
      ]);
      if (outcomes[0].status === "rejected") throw new Error(outcomes[0].reason);
      if (outcomes[0].status === "duplicate") throw new Error("The log has this very event already; it counts once.");
      tell("good", "Durable. Waiting for its vector…");
      const turn = await turned(timestamp, outcomes[0].event_id);
      await posted();
      const after = ms((performance.now() - started) / 1000);
      tell(
        turn === null ? "" : "good",
        turn === null
          ? "Accepted, but it has no vector yet: is the encoder on this machine?"
          : `Posted for ${moment(timestamp)}. ${after} later the profile had turned by ${number(turn)} (1 − cosine).`,
      );
      if (turn !== null) text.value = "";
    } catch (error) {
      tell("bad", error.message);
    } finally {
      button.disabled = false;
    }
  }

  function tell(kind, message) {
    fill(outcome, h("p", { class: `notice ${kind}` }, message));
    say(message);
  }

  /** 1 - cosine of the profiles just before and after the event; null where it did not count in time. */
  async function turned(timestamp, eventId) {
    const deadline = performance.now() + PATIENCE_MS;
    while (performance.now() < deadline) {
      const { events } = await get(ofUser(id, "events"), { limit: 50 }).catch(() => ({ events: [] }));
      if (events.some((one) => one.event_id === eventId)) {
        const { points } = await get(ofUser(id, "timeline"), { ...decay(), from: timestamp, points: 2, items: 0 });
        return points.at(-1).drift ?? 0;
      }
      await new Promise((done) => setTimeout(done, 120));
    }
    return null;
  }
  return form;
}
