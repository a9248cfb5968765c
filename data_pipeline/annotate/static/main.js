// Which view is shown: the part of the address after '#'. A view is `show(main, state, names, leaving)`; the signal
// `leaving` says that another has taken its place.

import { ApiError, get, path, post } from './api.js';
import { sendLeftovers } from './outbox.js';
import { fill, say, warn } from './page.js';
import { keep, setting } from './settings.js';
import { showList } from './list_view.js';
import { showRecord } from './record_view.js';
import { showReview } from './review_view.js';
import { showWatch } from './watch_view.js';

const main = document.getElementById('main');
const guidelines = document.getElementById('guidelines');
const state = { name: setting('name', ''), list: null };
const VIEWS = { list: showList, watch: showWatch, record: showRecord, practice: showRecord, review: showReview };
let leaving = new AbortController();

async function route() {
  leaving.abort();
  const mine = (leaving = new AbortController());
  for (const about of ['', 'stick']) warn('', about); // what is not saved stays so in any view
  const token = location.hash.match(/^#token=([\w-]+)$/);
  try {
    if (token) {
      history.replaceState(null, '', '#/list');
      await post('/api/sign_in', { token: token[1] });
    }
    if (!state.name) return askName();
    const [view = 'list', ...rest] = location.hash.replace(/^#\/?/, '').split('/').filter(Boolean).map(decodeURIComponent);
    state.list = await get(path('api', 'list', state.name));
    greet();
    const { unused, kept, why } = await sendLeftovers(state.list.workspace);
    if (unused) say(`${unused} s recorded here were not needed: the pass went on in another window.`);
    if (kept) warn(`${kept} s recorded here earlier are refused by the server (${why}). They stay in this browser.`, 'kept');
    if (mine.signal.aborted) return undefined;
    await (VIEWS[view] ?? showList)(main, state, view === 'practice' ? ['', ...rest] : rest, mine.signal);
  } catch (error) {
    if (mine.signal.aborted) return undefined;
    if (error instanceof ApiError && error.status === 401) return askToken();
    warn(error.message);
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 400) return askName();
  }
  return undefined;
}

function greet() {
  document.getElementById('who').textContent = state.name;
  const notice = document.getElementById('notice');
  notice.textContent = state.list.notice;
  notice.hidden = !state.list.notice;
}

function askName() {
  const find = fill(main, 'sign-in');
  find('#name').value = state.name;
  find('#name').focus();
  find('#name-form').addEventListener('submit', (event) => {
    event.preventDefault();
    state.name = find('#name').value.trim();
    keep('name', state.name);
    if (location.hash === '#/list') route();
    else location.hash = '#/list';
  });
}

function askToken() {
  const find = fill(main, 'token');
  find('#token').focus();
  find('#token-form').addEventListener('submit', async (event) => {
    event.preventDefault();
    try {
      await post('/api/sign_in', { token: find('#token').value.trim() });
      route();
    } catch (error) {
      warn(error.message);
    }
  });
}

document.getElementById('open-guidelines').addEventListener('click', () => guidelines.showModal());
document.querySelector('[data-skip]').addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
window.addEventListener('keydown', (event) => {
  if (event.key !== '?' || event.target.closest('input, textarea, select')) return;
  if (guidelines.open) guidelines.close();
  else {
    window.dispatchEvent(new Event('guidelines'));
    guidelines.showModal();
  }
});
window.addEventListener('hashchange', route);
route();
