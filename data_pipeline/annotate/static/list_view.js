// The clips to do and done, with what comes next for each.

import { path } from './api.js';
import { element, fill, link, personLine, say } from './page.js';
import { openStickDialog } from './stick_dialog.js';

export async function showList(main, state) {
  const find = fill(main, 'list');
  const { entries, dimensions, order, database } = state.list;
  const isDone = (entry) => dimensions.every((name) => entry.dimensions[name].done && !entry.dimensions[name].begun);
  const left = entries.filter((entry) => !isDone(entry));
  find('#list-title').textContent = `Hello ${state.name}, ${left.length} of ${entries.length} clips of ${database} are left to annotate.`;
  find('#list-order').textContent = order === 'random' ? 'They stand in a random order of your own.' : 'They stand in the order of the manifest.';
  find('#set-up-stick').addEventListener('click', openStickDialog);
  for (const entry of entries) find(isDone(entry) ? '#done' : '#todo').append(row(entry, dimensions));
  if (!left.length) find('#todo').append(element('li', 'Nothing: all clips are annotated.'));
  say('');
}

function row(entry, dimensions) {
  const item = element('li');
  const name = element('div');
  name.append(element('span', entry.clip, { class: 'name' }));
  if (entry.person) name.append(' ', element('span', personLine(entry), { class: 'badge' }));
  item.append(name);
  if (entry.problem) {
    item.append(element('p', entry.problem, { class: 'problem' }));
    return item;
  }
  const actions = element('div', '', { class: 'row' });
  const label = (text) => ({ 'aria-label': `${text}: ${entry.clip} ${personLine(entry)}`.trim() });
  const add = (text, target, kind = 'button') => {
    const made = link(text, target, kind);
    made.setAttribute('aria-label', label(text)['aria-label']);
    actions.append(made);
  };
  add(entry.watched ? 'Watch again' : 'Watch first', '#' + path('watch', entry.entry), entry.watched ? 'button' : 'button primary');
  let isNext = entry.watched;
  for (const dimension of dimensions) {
    const { done, begun, passes } = entry.dimensions[dimension];
    if (entry.watched) {
      const text = begun ? `Go on with ${dimension}` : done ? `✓ ${dimension}, again` : `Annotate ${dimension}`;
      add(text, '#' + path('record', entry.entry, dimension), isNext && (begun || !done) ? 'button primary' : 'button');
      if (begun || !done) isNext = false;
    }
    if (done) add(`Review ${dimension}`, '#' + path('review', entry.entry, dimension));
    if (passes > 1) actions.append(element('span', `${passes} passes`, { class: 'help' }));
  }
  item.append(actions);
  return item;
}
