// Whole files: sent, watched while they are translated, and given back.

import * as api from "./api.js";
import { byId, element, percent } from "./dom.js";

const PAUSE_MS = 500;
const LATEST_PAUSE_MS = 5000;

/** Send a file and show how far it is until it can be saved. */
export async function translateFile(file, fields, facts) {
  const item = new Item(file.name);
  try {
    if (file.size > facts.max_file_bytes) {
      throw new Error(`It is larger than ${Math.floor(facts.max_file_bytes / 2 ** 20)} MiB.`);
    }
    item.say("Sending", 0);
    const sent = await api.sendDocument({ ...fields, file }, (share) => item.say("Sending", share));
    item.offer(await translated(sent, item));
  } catch (problem) {
    item.fail(problem.message);
  }
}

async function translated(document, item) {
  let pause = PAUSE_MS;
  let found = document;
  while (found.status === "queued" || found.status === "translating") {
    item.say(found.status === "queued" ? "Waiting" : "Translating", found.progress);
    await new Promise((resolve) => setTimeout(resolve, pause));
    pause = Math.min(pause * 1.3, LATEST_PAUSE_MS);
    found = await api.documentStatus(document.id);
  }
  if (found.status === "error") throw new api.Problem(0, { detail: found.problem });
  return found;
}

/** A line of the list of files. */
class Item {
  constructor(name) {
    this.state = element("span", { className: "state", role: "status" });
    this.bar = element("progress", { max: 1, value: 0, "aria-label": `Progress of ${name}` });
    this.end = element("span", { className: "end" });
    this.root = element(
      "li", {}, element("span", { className: "name" }, name), this.bar, this.state, this.end,
    );
    byId("document-list").prepend(this.root);
    byId("documents").hidden = false;
  }

  say(what, share) {
    this.bar.value = share;
    this.state.textContent = share ? `${what}, ${percent(share)}` : `${what} …`;
  }

  offer({ id, name }) {
    const save = element("button", { type: "button", className: "main" }, `Save ${name}`);
    save.addEventListener("click", () => this.save(id, name));
    this.finish("Translated", save);
  }

  async save(id, name) {
    try {
      const address = URL.createObjectURL(await api.documentContent(id));
      element("a", { href: address, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    } catch (problem) {
      this.state.textContent = problem.message;
    }
  }

  fail(message) {
    this.root.classList.add("failed");
    this.finish(message);
  }

  finish(message, ...actions) {
    this.bar.remove();
    this.state.textContent = message;
    const remove = element("button", { type: "button", className: "icon" }, "✕");
    remove.setAttribute("aria-label", `Take ${this.root.firstChild.textContent} off the list`);
    remove.addEventListener("click", () => {
      this.root.remove();
      byId("documents").hidden = !byId("document-list").children.length;
    });
    this.end.replaceChildren(...actions, remove);
  }
}
