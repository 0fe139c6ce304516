// Asking the deployment. The token, where one is needed, is kept in this variable and nowhere else.

let token = null;
let asking = null;
let askForToken = async () => null;

/** An answer that is an error. */
export class ApiError extends Error {
  constructor(status, code, message, retryAfterS = 0) {
    super(message);
    Object.assign(this, { status, code, retryAfterS });
  }
}

/** Who is asked when a token is needed: an async function that resolves to one, or to null. */
export function whenTokenIsNeeded(ask) {
  askForToken = ask;
}

export function hasToken() {
  return token !== null;
}

/** Forget the token. */
export function forgetToken() {
  token = null;
}

/** The address of something below the deployment, wherever that is mounted. */
export function address(path, parameters = {}) {
  const url = new URL(path, document.baseURI);
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined) url.searchParams.append(name, one);
    }
  }
  return url;
}

/** Path of something about a user. The URL standard removes `.` and `..`, so their dots are written out. */
export function ofUser(id, what = "") {
  const segment = id === "." || id === ".." ? id.replaceAll(".", "%2E") : encodeURIComponent(id);
  return `v1/users/${segment}${what && `/${what}`}`;
}

/** A JSON answer. Rejects with an `ApiError`, or an AbortError. */
export async function get(path, parameters = {}, options = {}) {
  return (await send(address(path, parameters), options)).json();
}

/** The bytes of an answer. */
export async function getBytes(path, parameters = {}, options = {}) {
  return (await send(address(path, parameters), options)).arrayBuffer();
}

export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return (await send(address(path), { method: "POST", body: JSON.stringify(body), headers })).json();
}

export async function erase(path) {
  return (await send(address(path), { method: "DELETE" })).json();
}

async function send(url, options) {
  const sent = token;
  const headers = {
    Accept: "application/json, */*;q=0.5",
    ...options.headers,
    ...(sent && { Authorization: `Bearer ${sent}` }),
  };
  let response;
  try {
    response = await fetch(url, { ...options, headers, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(
      0,
      "unreachable",
      "The server does not answer. It may have been stopped, or the network is down.",
    );
  }
  if (response.ok) return response;
  const error = await errorOf(response);
  if (response.status === 401 && (sent !== token || (await newToken(sent !== null)))) return send(url, options);
  throw error;
}

async function newToken(wasRefused) {
  asking ??= askForToken(wasRefused).finally(() => (asking = null));
  const given = await asking;
  if (given) token = given;
  return Boolean(given);
}

async function errorOf(response) {
  const wait = Number(response.headers.get("Retry-After")) || 0;
  try {
    const { error } = await response.json();
    return new ApiError(response.status, error.code, error.message, wait);
  } catch {
    return new ApiError(
      response.status,
      "http_error",
      `The server answered ${response.status} ${response.statusText}.`,
      wait,
    );
  }
}

/** Runs `ask` for the latest value only: one request at a time, and of those that came meanwhile the last. */
export function latestOnly(ask) {
  let running = false;
  let next = null;
  return async function run(value) {
    next = { value };
    if (running) return;
    running = true;
    try {
      while (next) {
        const { value: now } = next;
        next = null;
        const waitS = await ask(now);
        if (waitS) await new Promise((done) => setTimeout(done, waitS * 1000));
      }
    } finally {
      running = false;
    }
  };
}
