// The live socket, which comes back by itself.

import { $ } from "/page/dom.js";

let socket = null;
let userId = null;
let tries = 0;
let wake = null;
let everOpen = false;
let handlers = {};

// on.event(type, data); on.back() after a lost connection is there again.
export function listen(on) {
  handlers = on;
  $("connection-retry").addEventListener("click", () => open());
  addEventListener("online", () => socket?.readyState === WebSocket.OPEN || open());
  addEventListener("offline", () => banner("You are offline."));
}

export function follow(id) {
  if (id === userId && socket) return;
  userId = id;
  open();
}

function open() {
  clearTimeout(wake);
  if (socket) {
    socket.onclose = socket.onmessage = socket.onopen = null;
    socket.close();
  }
  if (!userId) return;
  const url = new URL(`/sim/live?user=${encodeURIComponent(userId)}`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const mine = socket = new WebSocket(url);
  // A connection that does not come about for 10 s is given up.
  wake = setTimeout(() => mine.close(), 10000);
  mine.onopen = () => {
    clearTimeout(wake);
    banner(null);
    if (everOpen) handlers.back?.();
    everOpen = true;
    tries = 0;
  };
  mine.onmessage = ({ data }) => {
    let frame;
    try { frame = JSON.parse(data); } catch { return; }
    if (frame?.t) handlers.event(frame.t, frame.d ?? {});
  };
  mine.onclose = () => {
    socket = null;
    tries += 1;
    const wait = Math.min(10000, 400 * 2 ** Math.min(tries, 5)) * (0.75 + Math.random() / 2);
    banner(tries === 1 ? "Connection lost, reconnecting…" : `No connection. Trying again in ${Math.max(1, Math.round(wait / 1000))} s.`);
    clearTimeout(wake);
    wake = setTimeout(open, wait);
  };
}

function banner(text) {
  $("connection").hidden = !text;
  $("connection-text").textContent = text ?? "";
}
