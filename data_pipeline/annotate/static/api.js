// Requests to the server. Every failure is an ApiError with the server's sentence; status 0: it was not reached.

export class ApiError extends Error {
  constructor(status, message, facts = {}) {
    super(message);
    this.status = status;
    this.facts = facts;
  }
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: 'same-origin', ...options });
  } catch {
    throw new ApiError(0, 'The server cannot be reached.');
  }
  let facts = {};
  try {
    facts = await answer.json();
  } catch {
    // An answer without a body: the status says it all.
  }
  if (!answer.ok) throw new ApiError(answer.status, facts.error ?? `The server answers ${answer.status}.`, facts);
  return facts;
}

export const get = (path) => ask(path, {});

export const post = (path, body, keepalive = false) =>
  ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    keepalive,
  });

// A path of names, each made safe.
export const path = (...names) => '/' + names.map((name) => encodeURIComponent(name)).join('/');
