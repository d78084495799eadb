// The markdown of chat messages, as DOM nodes.

import { h } from "/page/dom.js";
import { guild, state, userName } from "/page/state.js";

const DEPTH = 8;

// Each rule: a sticky pattern tried at the current place, and what to make of a match.
const RULES = [
  [/\\([\\*_~`|>#\[\]()<-])/y, (m) => m[1]],
  [/```(?:([a-z0-9_+#.-]+)\n)?\n?([\s\S]+?)\n?```\n?/iy, (m) => h("pre", {}, h("code", {}, m[2]))],
  [/(`+)([\s\S]*?[^`])\1(?!`)/y, (m) => h("code", {}, m[2].trim() || m[2])],
  [/\*\*\*(?=\S)([\s\S]+?)\*\*\*/y, (m, into) => h("strong", {}, h("em", {}, into(m[1])))],
  [/\*\*(?=\S)([\s\S]+?)\*\*(?!\*)/y, (m, into) => h("strong", {}, into(m[1]))],
  [/__(?=\S)([\s\S]+?)__(?!_)/y, (m, into) => h("u", {}, into(m[1]))],
  [/\*(?=\S)((?:\*\*[^*]+\*\*|[^*])*?(?:[^\s*]|[^*]\*\*))\*(?!\*)/y, (m, into) => h("em", {}, into(m[1]))],
  [/_(?=[^\s_])([^_]*?[^\s_])_(?![\w])/y, (m, into) => h("em", {}, into(m[1])), /\w$/],
  [/~~(?=\S)([\s\S]+?)~~/y, (m, into) => h("s", {}, into(m[1]))],
  [/\|\|([\s\S]+?)\|\|/y, (m, into) => spoiler(into(m[1]))],
  [/\[([^\]\n]+)\]\(<?(https?:\/\/[^\s)>]+)>?(?: "[^"\n]*")?\)/y, (m, into) => link(m[2], into(m[1]))],
  [/<(https?:\/\/[^\s>]+)>/y, (m) => link(m[1], m[1])],
  [/https?:\/\/[^\s<>"]*[^\s<>"'.,:;!?)\]*_~|]/y, (m) => link(m[0], m[0])],
  [/<@!?(\d+)>/y, (m, into, users) => mention(m[1] === state.memberId ? "me" : "", `@${userName(m[1], users) ?? "unknown member"}`)],
  [/<#(\d+)>/y, (m) => mention("", `#${guild()?.channels.get(m[1])?.name ?? "unknown channel"}`)],
  [/<@&(\d+)>/y, (m) => mention("", `@${guild()?.roles?.find((r) => r.id === m[1])?.name ?? "unknown role"}`)],
  [/<\/([^:>\n]+):\d+>/y, (m) => mention("", `/${m[1]}`)],
  [/@(?:everyone|here)\b/y, (m) => mention("me", m[0])],
  [/<a?(:\w+:)\d+>/y, (m) => m[1]],
  [/<t:(-?\d{1,13})(?::[tTdDfFR])?>/y, (m) => stamp(Number(m[1]))],
];

const SPECIAL = /[\\`*_~|[<@]|https?:/g;

export function markdown(text, users = []) {
  const out = document.createDocumentFragment();
  const parts = String(text ?? "").split(/(```[\s\S]+?```\n?)/);
  for (const part of parts) {
    if (part.startsWith("```")) out.append(...inline(part, users, 0));
    else if (part) out.append(...blocks(part, users));
  }
  return out;
}

// Quotes, headings, lists and small print are told by how a line begins.
function blocks(text, users) {
  const nodes = [];
  let plain = [];
  const lines = text.split("\n");
  const settle = () => {
    if (plain.length) nodes.push(...inline(plain.join("\n"), users, 0));
    plain = [];
  };
  for (let n = 0; n < lines.length; n += 1) {
    const line = lines[n];
    let m;
    if (line.startsWith(">>> ")) {
      settle();
      nodes.push(h("blockquote", {}, inline([line.slice(4), ...lines.slice(n + 1)].join("\n"), users, 0)));
      break;
    } else if (line.startsWith("> ")) {
      settle();
      const quoted = [line.slice(2)];
      while (lines[n + 1]?.startsWith("> ")) quoted.push(lines[n += 1].slice(2));
      nodes.push(h("blockquote", {}, inline(quoted.join("\n"), users, 0)));
    } else if ((m = /^(#{1,3}) (.+)/.exec(line))) {
      settle();
      nodes.push(h("div", { class: `heading h${m[1].length}`, role: "heading", "aria-level": String(m[1].length + 2) }, inline(m[2], users, 0)));
    } else if ((m = /^-# (.+)/.exec(line))) {
      settle();
      nodes.push(h("small", { class: "block" }, inline(m[1], users, 0)));
    } else if (/^ *[-*] \S/.test(line)) {
      settle();
      const items = [];
      for (; n < lines.length && (m = /^ *[-*] (.+)/.exec(lines[n])); n += 1) items.push(h("li", {}, inline(m[1], users, 0)));
      n -= 1;
      nodes.push(h("ul", {}, items));
    } else {
      plain.push(line);
    }
  }
  settle();
  return nodes;
}

function inline(text, users, depth) {
  if (depth > DEPTH) return [text];
  const nodes = [];
  let plain = "";
  let at = 0;
  const into = (inner) => inline(inner, users, depth + 1);
  while (at < text.length) {
    SPECIAL.lastIndex = at;
    const next = SPECIAL.exec(text);
    if (!next) break;
    plain += text.slice(at, next.index);
    at = next.index;
    let made = null;
    for (const [pattern, make, notAfter] of RULES) {
      pattern.lastIndex = at;
      const match = pattern.exec(text);
      if (!match || notAfter?.test(plain)) continue;
      const end = pattern.lastIndex; // before `make`, which uses the same patterns further in
      made = make(match, into, users);
      at = end;
      break;
    }
    if (made === null) {
      plain += text[at];
      at += 1;
    } else if (typeof made === "string") {
      plain += made;
    } else {
      if (plain) nodes.push(plain);
      plain = "";
      nodes.push(made);
    }
  }
  plain += text.slice(at);
  if (plain) nodes.push(plain);
  return nodes;
}

export const link = (url, content) => h("a", { href: url, target: "_blank", rel: "noopener noreferrer nofollow" }, content);

const mention = (kind, text) => h("span", { class: `mention ${kind}` }, text);

function spoiler(content) {
  const show = () => {
    node.classList.add("shown");
    for (const name of ["role", "aria-label", "tabindex"]) node.removeAttribute(name);
  };
  const node = h("span", {
    class: "spoiler", tabindex: "0", role: "button", "aria-label": "Spoiler, press to show", onclick: show,
    onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); show(); } },
  }, h("span", {}, content));
  return node;
}

function stamp(seconds) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return `<t:${seconds}>`;
  return h("time", { datetime: date.toISOString() }, date.toLocaleString());
}
