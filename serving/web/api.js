// The server's native interface. Addresses are relative, so the page works behind any prefix.

const KEY = "seq2serve-key";

/** What the server answered instead of what was asked for. */
export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(sentence(body.detail || body.title || `the server answered ${status}`));
    this.status = status;
    this.title = body.title || "Something went wrong";
    this.errors = body.errors || [];
    this.requestId = body.request_id;
    this.retryAfter = retryAfter;
  }

  /** Whether it is a matter of a key. */
  get wantsKey() {
    return this.status === 401 || this.status === 403;
  }
}

/** What a program reads, for a person: without the name of the only field there is. */
function sentence(detail) {
  const said = detail.replace(/^(texts\[0\]|file): /, "");
  return said.charAt(0).toUpperCase() + said.slice(1) + (/[.!?]$/.test(said) ? "" : ".");
}

export const key = {
  get: () => sessionStorage.getItem(KEY) || "",
  set: (value) => sessionStorage.setItem(KEY, value),
};

export const models = async () => (await ask("v1/models")).models;
export const facts = () => ask("web/facts.json");

export const translate = (body, signal) =>
  ask("v1/translate", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });

export const documentStatus = (id) => ask(`v1/documents/${id}`);

/** The translated file. */
export async function documentContent(id) {
  return (await fetched(`v1/documents/${id}/content`)).blob();
}

/** Send a file; `onProgress` is told how much of it has left, 0 to 1. fetch() cannot tell that. */
export function sendDocument(fields, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "v1/documents");
    for (const [name, value] of Object.entries(authorization())) {
      request.setRequestHeader(name, value);
    }
    request.responseType = "json";
    request.upload.onprogress = (event) => onProgress(event.loaded / event.total);
    request.onerror = () => reject(unreachable());
    request.onload = () => {
      const body = request.response || {};
      if (request.status < 300) resolve(body);
      else reject(new Problem(request.status, body));
    };
    const form = new FormData();
    for (const [name, value] of Object.entries(fields)) form.append(name, value);
    request.send(form);
  });
}

async function ask(path, options = {}) {
  return (await fetched(path, options)).json();
}

async function fetched(path, options = {}) {
  let response;
  try {
    const headers = { ...authorization(), ...options.headers };
    response = await fetch(path, { ...options, headers });
  } catch (error) {
    throw error.name === "AbortError" ? error : unreachable();
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new Problem(response.status, body, Number(response.headers.get("Retry-After")) || 0);
}

const authorization = () => (key.get() ? { Authorization: `Bearer ${key.get()}` } : {});

const unreachable = () =>
  new Problem(0, {
    title: "The server cannot be reached",
    detail: "Is it still running? Your text is still here; type on to try again.",
  });
