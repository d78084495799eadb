// Signing in, and what only a signed-in operator may do.

import { byId, setHidden, setText } from "/page/dom.js";

export const session = { possible: false, acts: [], csrf: null };

export function signedActs() {
  return session.csrf ? session.acts : [];
}

async function call(method, path, body) {
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  if (session.csrf) headers["X-CSRF-Token"] = session.csrf;
  const response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const answer = await response.json().catch(() => ({ message: response.statusText }));
  if (!response.ok) throw new Error(answer.message);
  return answer;
}

function show(answer) {
  Object.assign(session, answer);
  setHidden(byId("sign"), !session.possible);
  setText(byId("sign"), session.csrf ? "Sign out" : "Sign in");
}

export function say(text, bad = false) {
  const said = byId("said");
  said.hidden = false;
  said.className = bad ? "bad" : "";
  said.textContent = text;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => (said.hidden = true), 6000);
}

function ask(title, text, yes) {
  const dialog = byId("ask-dialog");
  setText(byId("ask-title"), title);
  setText(byId("ask-text"), text);
  setText(byId("ask-yes"), yes);
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true }));
}

async function act(name, body) {
  try {
    say((await call("POST", `/act/${name}`, body)).done);
  } catch (error) {
    say(error.message, true);
    show(await call("GET", "/session"));
  }
}

export const actions = {
  async drain(process, draining) {
    if (draining) {
      await act("undrain", { process });
      return;
    }
    const text = "Its shards move to the other processes, sessions kept; it then serves nothing until it is brought back.";
    if (await ask(`Drain ${process}?`, text, "Drain")) await act("drain", { process });
  },
  async setFlag(flag, percentage) {
    if (await ask(`Set ${flag}?`, `It will be on for ${percentage} % of all guilds, in effect at once.`, "Set")) {
      await act("set-flag", { flag, percentage });
    }
  },
};

export async function start() {
  byId("sign").addEventListener("click", async () => {
    if (session.csrf) show(await call("DELETE", "/session"));
    else byId("sign-dialog").showModal();
  });
  byId("sign-cancel").addEventListener("click", () => byId("sign-dialog").close());
  byId("ask-no").addEventListener("click", () => byId("ask-dialog").close());
  byId("sign-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    setText(byId("sign-error"), "");
    try {
      show(await call("POST", "/session", { token: byId("token").value }));
      byId("token").value = "";
      byId("sign-dialog").close();
    } catch (error) {
      setText(byId("sign-error"), error.message);
    }
  });
  show(await call("GET", "/session"));
}
