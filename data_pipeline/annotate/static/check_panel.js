// What is shown at a pass's end: the server's check of it, or how well a practice was followed.

import { path } from './api.js';
import { element, link } from './page.js';

function table(rows) {
  const made = element('table');
  for (const [name, value] of rows) {
    const row = element('tr');
    row.append(element('th', name, { scope: 'row' }), element('td', value));
    made.append(row);
  }
  return made;
}

const seconds = (value) => (value === null ? '–' : `${value.toFixed(2)} s`);

export function showCheck(panel, check, state, entry, dimension, goOnFrom) {
  panel.hidden = false;
  panel.replaceChildren(element('h3', check.passed ? '✓ The pass is whole and counts as done' : '✗ The pass does not count yet'));
  for (const problem of check.problems) panel.append(element('p', problem, { class: 'problem' }));
  panel.append(
    table([
      ['Samples', String(check.samples)],
      ['First', seconds(check.first)],
      ['Last', `${seconds(check.last)} of ${seconds(check.seconds)}`],
      ['Samples a second', check.rate.toFixed(1)],
      ['Longest gap', seconds(check.longest_gap ?? null)],
      ['Gaps over 0.1 s', check.gaps.length ? check.gaps.map(([from, to]) => `${from.toFixed(2)}–${to.toFixed(2)}`).join(', ') : 'none'],
    ]),
  );
  const row = element('div', '', { class: 'row' });
  if (!check.passed) {
    const button = element('button', `Go on from ${seconds(check.go_on_from)}`, { type: 'button', class: 'primary' });
    button.addEventListener('click', () => goOnFrom(check.go_on_from));
    row.append(button);
  } else {
    const known = state.list.entries.find((one) => one.entry === entry);
    if (known) known.dimensions[dimension].done = true;
    const next = state.list.dimensions.find((name) => !known?.dimensions[name].done);
    if (next) row.append(link(`Next: ${next}`, '#' + path('record', entry, next), 'button primary'));
    row.append(link('Review', '#' + path('review', entry, dimension)), link('Clips', '#/list'));
  }
  panel.append(row);
  panel.scrollIntoView({ block: 'nearest' });
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

// Concordance correlation of two lists of numbers.
export function concordance(one, other) {
  const [a, b] = [mean(one), mean(other)];
  const covariance = mean(one.map((value, k) => (value - a) * (other[k] - b)));
  const spread = mean(one.map((value) => (value - a) ** 2)) + mean(other.map((value) => (value - b) ** 2));
  return spread + (a - b) ** 2 > 0 ? (2 * covariance) / (spread + (a - b) ** 2) : 1;
}

const LONGEST_LAG = 60; // thirtieths of a second

export function showPractice(panel, dimension, kept, curve) {
  panel.hidden = false;
  panel.replaceChildren(element('h3', 'Practice'));
  if (kept.length < 30) {
    panel.append(element('p', 'There are too few samples to compare.'));
    return;
  }
  let index = 0;
  const given = curve.map(([at]) => {
    while (index + 1 < kept.length && Math.abs(kept[index + 1][0] - at) <= Math.abs(kept[index][0] - at)) index += 1;
    return kept[index][1];
  });
  const drawn = curve.map(([, value]) => value);
  const agreements = [];
  for (let lag = 0; lag <= LONGEST_LAG; lag += 1) {
    agreements.push(concordance(given.slice(lag), drawn.slice(0, drawn.length - lag)));
  }
  const best = agreements.indexOf(Math.max(...agreements));
  panel.append(
    element('p', `How well you followed the drawn face's ${dimension}; nothing of this is kept.`),
    table([
      ['Agreement (CCC; 1 is the same)', agreements[0].toFixed(2)],
      ['Agreement without your delay', agreements[best].toFixed(2)],
      ['Your delay', seconds(best / 30)],
    ]),
  );
  const row = element('div', '', { class: 'row' });
  for (const name of ['valence', 'arousal']) {
    if (name !== dimension) row.append(link(`Practise ${name}`, '#' + path('practice', name)));
  }
  row.append(link('Clips', '#/list', 'button primary'));
  panel.append(row);
}
