// Attachments and embeds of a message.

import { add, h } from "/page/dom.js";
import { icon } from "/page/icons.js";
import { link, markdown } from "/page/markdown.js";

// This page asks no other host for anything. What the stand-in's own CDN offers may be named with another
// loopback name; then the path alone is enough.
export function local(url) {
  let parsed;
  try { parsed = new URL(url, location.href); } catch { return null; }
  if (parsed.origin === location.origin) return parsed.href;
  const loop = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0)$/;
  const ours = loop.test(parsed.hostname) && parsed.port === location.port;
  const cdn = parsed.pathname.startsWith("/attachments/") && /^(cdn|media)\./.test(parsed.hostname);
  return ours || cdn ? parsed.pathname + parsed.search : null;
}

const web = (url) => /^https?:\/\//.test(url ?? "") || (url ?? "").startsWith("/");

export function size(bytes) {
  if (!Number.isFinite(bytes)) return "";
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function attachment(a) {
  const near = local(a.url);
  const name = a.filename ?? "file";
  const type = a.content_type ?? "";
  if (near && (type.startsWith("image/") || /\.(png|jpe?g|gif|webp)$/i.test(name))) return picture(near, a.description ?? name, a);
  if (near && type.startsWith("audio/")) return h("audio", { controls: true, preload: "none", src: near, "aria-label": name });
  if (near && type.startsWith("video/")) return h("video", { controls: true, preload: "metadata", src: near, "aria-label": name });
  const href = near ?? (web(a.url) ? a.url : null);
  return h("span", { class: "file" },
    icon("file", 18), " ",
    href ? h("a", { href, target: "_blank", rel: "noopener noreferrer", download: name }, name) : name,
    h("small", {}, ` ${size(a.size)}`));
}

function picture(src, alt, { width, height } = {}) {
  const img = h("img", { src, alt, loading: "lazy", decoding: "async", width, height });
  img.addEventListener("error", () => img.closest("a")?.replaceChildren(alt), { once: true });
  return h("a", { class: "picture", href: src, target: "_blank", rel: "noopener" }, img);
}

export function embed(e, users) {
  const box = h("article", { class: "embed" });
  if (e.color) box.style.setProperty("--bar", `#${Number(e.color).toString(16).padStart(6, "0")}`);
  const titled = (text, url, kind) => h("div", { class: kind }, web(url) ? link(url, text) : text);
  if (e.provider?.name) add(box, h("small", {}, e.provider.name));
  if (e.author?.name) add(box, titled(e.author.name, e.author.url, "embed-author"));
  if (e.title) add(box, titled(markdown(e.title, users), e.url, "embed-title"));
  if (e.description) add(box, h("div", { class: "text" }, markdown(e.description, users)));
  if (e.fields?.length) {
    add(box, h("dl", {}, e.fields.map((f) => h("div", { class: f.inline ? "inline" : "" },
      h("dt", {}, markdown(f.name, users)), h("dd", { class: "text" }, markdown(f.value, users))))));
  }
  for (const image of [e.image, e.thumbnail]) {
    if (!image?.url) continue;
    const near = local(image.url);
    if (near) add(box, picture(near, "Picture of the embed", image));
    else if (web(image.url)) add(box, h("div", {}, link(image.url, image.url)));
  }
  const foot = [e.footer?.text, e.timestamp && new Date(e.timestamp).toLocaleString()].filter(Boolean);
  if (foot.length) add(box, h("footer", {}, foot.join(" • ")));
  return box;
}
