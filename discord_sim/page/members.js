// Who is here, and as whom one chats.

import { $, arrows, avatar, fill, h } from "/page/dom.js";
import { go, guild, me, on, remember, state } from "/page/state.js";

let mention = () => {};

export function start(onMention, onSwitch) {
  mention = onMention;
  on("members place", render);
  arrows($("members"), "button");
  $("member").addEventListener("change", (event) => {
    remember("member", event.target.value);
    go({ memberId: event.target.value });
    onSwitch();
  });
}

function render() {
  const everyone = [...guild()?.members.values() ?? []];
  const people = everyone.filter((m) => !m.bot);
  const bots = everyone.filter((m) => m.bot);
  const select = $("member");
  if (document.activeElement !== select || select.options.length !== people.length) {
    fill(select, people.map((m) => h("option", { value: m.id }, m.username + (m.admin ? " (admin)" : ""))));
  }
  select.value = state.memberId ?? "";
  fill($("me-avatar"), avatar(state.memberId ?? "0", me()?.username));
  fill($("members"), group("Members", people), group("Bots", bots));
}

function group(title, members) {
  if (!members.length) return null;
  return h("section", {}, h("h2", {}, `${title} — ${members.length}`), h("ul", {}, members.slice(0, 200).map((m) => h("li", {},
    h("button", { type: "button", class: "person", title: `Mention ${m.username}`, data: { memberId: m.id }, onclick: () => mention(m.id) },
      avatar(m.id, m.username), h("span", { class: "name" }, m.username),
      m.bot && h("span", { class: "tag" }, "BOT"),
      m.id === guild().owner_id ? h("span", { class: "tag quiet" }, "owner") : m.admin && h("span", { class: "tag quiet" }, "admin"))))));
}
