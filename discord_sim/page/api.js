// The requests this page makes, one function each.

const PATIENCE = 60000; // ms

async function call(method, path, body) {
  const request = { method, headers: { accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE) };
  if (body instanceof FormData) request.body = body;
  else if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers["content-type"] = "application/json";
  }
  let answer;
  try {
    answer = await fetch(path, request);
  } catch {
    throw new Error("The server cannot be reached.");
  }
  if (answer.status === 204) return null;
  const text = await answer.text();
  let data = null;
  try { data = text ? JSON.parse(text) : null; } catch { /* not JSON: the status has to do */ }
  if (!answer.ok) throw Object.assign(new Error(data?.message ?? `The server answered ${answer.status}.`), { status: answer.status });
  return data;
}

// With files, the JSON goes along as payload_json, the files as files[0], files[1], …
function withFiles(payload, files) {
  if (!files?.length) return payload;
  const form = new FormData();
  form.append("payload_json", JSON.stringify(payload));
  files.forEach((file, n) => form.append(`files[${n}]`, file, file.name || `file-${n}`));
  return form;
}

export const getState = () => call("GET", "/sim/state");
export const getCommands = (guildId) => call("GET", `/sim/guilds/${guildId}/commands`);

export function getMessages(channelId, { before, limit = 50 } = {}) {
  const query = new URLSearchParams({ limit: String(limit) });
  if (before) query.set("before", before);
  return call("GET", `/sim/channels/${channelId}/messages?${query}`);
}

export const postMessage = (channelId, payload, files) =>
  call("POST", `/sim/channels/${channelId}/messages`, withFiles(payload, files));
export const editMessage = (channelId, id, content) => call("PATCH", `/sim/channels/${channelId}/messages/${id}`, { content });
export const postTyping = (channelId, user) => call("POST", `/sim/channels/${channelId}/typing`, { user });
export const postThread = (guildId, payload) => call("POST", `/sim/guilds/${guildId}/channels`, { type: 11, ...payload });
export const deleteMessage = (channelId, id) => call("DELETE", `/sim/channels/${channelId}/messages/${id}`);

export const postCommand = (channelId, payload, files) =>
  call("POST", `/sim/channels/${channelId}/interactions`, withFiles(payload, files));
export const postAutocomplete = (channelId, payload) => call("POST", `/sim/channels/${channelId}/autocomplete`, payload);
export const getInteraction = (id) => call("GET", `/sim/interactions/${id}`);
export const postComponent = (messageId, payload) => call("POST", `/sim/messages/${messageId}/components`, payload);
export const postModal = (id, payload) => call("POST", `/sim/interactions/${id}/modal`, payload);
