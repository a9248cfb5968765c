// Samples on their way to the server. A batch is durable in the browser (IndexedDB) before it is sent, and is deleted
// when the server has acknowledged it, which it does when the batch is durable there.

import { ApiError, post } from './api.js';

const NAME = 'affwildnet-annotate';
const STORE = 'batches';

function finished(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

let opened = null;

function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: 'key' });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opened;
}

async function change(work) {
  const transaction = (await database()).transaction(STORE, 'readwrite', { durability: 'strict' });
  work(transaction.objectStore(STORE));
  await new Promise((resolve, reject) => {
    transaction.oncomplete = resolve;
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

async function stored() {
  const transaction = (await database()).transaction(STORE);
  return finished(transaction.objectStore(STORE).getAll());
}

// Of this page: what the server refused, and why, which is not sent at each view again.
const refused = new Map();

// Whether the server has what counts without this batch: the pass went on in another window, or is finished.
const isDone = (error) => error.status === 409 && error.facts.reason !== 'missing';

// Sends what an earlier page of this workspace left. Returns how many seconds were `unused`, since the pass had gone on
// in another window, and how many the server refuses (`kept`, and `why`): these stay in the browser, for whoever mends
// the reason. Throws where the server is not reached.
export async function sendLeftovers(workspace) {
  const left = (await stored()).filter((batch) => batch.workspace === workspace);
  left.sort((a, b) => a.made - b.made || a.body.number - b.body.number);
  let unused = 0;
  for (const batch of left.filter(({ key }) => !refused.has(key))) {
    try {
      await post(batch.path, batch.body);
    } catch (error) {
      if (!(error instanceof ApiError) || ![400, 404, 409].includes(error.status)) throw error;
      if (!isDone(error)) {
        refused.set(batch.key, error.message);
        continue;
      }
      unused += 0.5;
    }
    await change((store) => store.delete(batch.key));
  }
  const kept = left.filter(({ key }) => refused.has(key));
  return { unused, kept: kept.length / 2, why: refused.get(kept[0]?.key) ?? '' };
}

export class Outbox {
  // `onState({waiting, error, lost})`: batches not acknowledged, the last error or '', and whether the pass is lost to
  // another window.
  constructor(workspace, path, session, onState) {
    Object.assign(this, { workspace, path, session, onState });
    this.number = 0;
    this.waiting = [];
    this.sending = false;
    this.wait = 500;
    this.lost = false;
    this.error = '';
  }

  // Resolves when the batch is durable in the browser, or, where the browser keeps nothing, when it waits to be sent.
  async add(samples, events, leaving = false) {
    if (!samples.length && !events.length) return;
    this.number += 1;
    const body = { session: this.session, number: this.number, samples, events };
    const key = `${this.session}/${String(this.number).padStart(9, '0')}`;
    const batch = { key, workspace: this.workspace, path: this.path, made: Date.now(), body };
    this.waiting.push(batch);
    const kept = change((store) => store.put(batch));
    // A page that is being left may not live to see the database's answer.
    if (leaving) post(this.path, body, true).catch(() => {});
    try {
      await kept;
    } catch (error) {
      this.error = `This browser keeps no samples (${error?.name ?? 'private window?'}).`;
    }
    this.tell();
    this.pump();
  }

  async pump() {
    if (this.sending || this.lost) return;
    this.sending = true;
    while (this.waiting.length && !this.lost) {
      try {
        await post(this.path, this.waiting[0].body);
        const sent = this.waiting.shift();
        this.error = '';
        this.wait = 500;
        change((store) => store.delete(sent.key)).catch(() => {});
      } catch (error) {
        this.error = error.message;
        if (error.status === 409) this.lost = true;
        this.tell();
        if (!this.lost) await new Promise((resolve) => setTimeout(resolve, this.wait));
        this.wait = Math.min(2 * this.wait, 5000);
      }
      this.tell();
    }
    this.sending = false;
  }

  tell() {
    this.onState({ waiting: this.waiting.length, error: this.error, lost: this.lost });
  }

  // Resolves when everything is acknowledged; throws when the pass went on elsewhere.
  async emptied() {
    while (this.waiting.length) {
      if (this.lost) throw new ApiError(409, this.error);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
