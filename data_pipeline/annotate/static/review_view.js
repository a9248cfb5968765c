// Everybody's traces over the clip: how well they agree, and mending one of them.

import { get, path, post } from './api.js';
import { element, fill, link, loadVideo, personLine, say, seekTo, unload, warn } from './page.js';
import { PersonMark } from './person_mark.js';
import { colourOf, dashesOf, TracesPlot } from './traces_plot.js';

const NAMES = {
  icc_2_1: 'ICC(2,1)', icc_2_k: 'ICC(2,k)', icc_3_1: 'ICC(3,1)', icc_3_k: 'ICC(3,k)', alpha: 'Cronbach’s α', ccc: 'CCC, mean of pairs', pearson: 'Pearson, mean of pairs',
};
const figure = (value) => (value === null ? '–' : value.toFixed(3).replace('-', '−'));

export async function showReview(main, state, [entry, dimension], leaving) {
  const [facts, told] = await Promise.all([get(path('api', 'clip', entry)), get(path('api', 'review', entry, dimension))]);
  if (leaving.aborted) return;
  const find = fill(main, 'review');
  const review = new Review(find, state, entry, dimension, facts, told);
  leaving.addEventListener('abort', () => review.close());
  await loadVideo(review.video, path('video', entry));
}

class Review {
  constructor(find, state, entry, dimension, facts, told) {
    Object.assign(this, { find, state, entry, dimension, facts });
    this.video = find('video');
    this.mark = new PersonMark(find('.stage'), this.video, facts);
    this.plot = new TracesPlot(find('#traces'), facts.seconds);
    find('#review-title').textContent = `${dimension} of ${facts.clip} ${personLine(facts)}`;
    const others = state.list.dimensions.filter((name) => name !== dimension);
    find('#review-links').append(...others.map((name) => link(`Review ${name}`, '#' + path('review', entry, name))), link('Clips', '#/list'));
    for (const name of ['#position', '#span-from', '#span-to']) find(name).max = facts.seconds.toFixed(2);
    this.show(told);
    this.listen();
    const follow = () => {
      this.frame = requestAnimationFrame(follow);
      this.plot.now = this.video.currentTime;
      if (document.activeElement !== find('#position')) find('#position').value = this.video.currentTime;
      this.plot.draw();
    };
    follow();
  }

  show(told) {
    const { find } = this;
    this.told = told;
    this.plot.traces = told.traces;
    for (const fault of told.faults) warn(fault);
    const whose = find('#whose').value || this.state.name;
    find('#whose').replaceChildren(...told.traces.map((trace) => element('option', trace.annotator, { value: trace.annotator })));
    if (told.traces.some((trace) => trace.annotator === whose)) find('#whose').value = whose;
    find('#legend').replaceChildren(...told.traces.map((trace, index) => this.legend(trace, index)));
    this.agreement();
    this.versions();
    this.drop();
  }

  legend(trace, index) {
    const item = element('li');
    const line = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
    const stroke = document.createElementNS('http://www.w3.org/2000/svg', 'path');
    for (const [key, value] of Object.entries({ d: 'M0 6 H48', stroke: colourOf(index), 'stroke-width': 3, 'stroke-dasharray': dashesOf(index).join(' ') })) {
      stroke.setAttribute(key, value);
    }
    line.setAttribute('viewBox', '0 0 48 12');
    line.setAttribute('aria-hidden', 'true');
    line.append(stroke);
    const valid = trace.points.filter(([, value]) => value !== null).map(([, value]) => value);
    const middle = valid.length ? Math.round(valid.reduce((sum, value) => sum + value, 0) / valid.length) : null;
    item.append(line, ` ${trace.annotator}: mean ${middle === null ? '–' : `${middle}`.replace('-', '−')}, version ${trace.versions.at(-1)?.version ?? '–'}`);
    return item;
  }

  agreement() {
    const root = this.find('#agreement');
    const { agreement, annotators, samples } = this.told;
    if (!annotators.length) {
      root.replaceChildren(element('p', 'It takes traces of two people that share some time.', { class: 'help' }));
      return;
    }
    const measures = element('table');
    for (const [name, value] of Object.entries(agreement)) {
      const row = element('tr');
      row.append(element('th', NAMES[name] ?? name, { scope: 'row' }), element('td', figure(value)));
      measures.append(row);
    }
    const people = element('table');
    const head = element('tr');
    head.append(...['annotator', 'CCC with others', 'Pearson', 'lag in s (+ late)'].map((text) => element('th', text, { scope: 'col' })));
    people.append(head);
    for (const one of annotators) {
      const row = element('tr');
      row.append(element('th', one.annotator, { scope: 'row' }), ...[one.ccc, one.pearson, one.lag].map((value) => element('td', figure(value))));
      people.append(row);
    }
    root.replaceChildren(measures, people, element('p', `Over ${samples} frames at which all have a value.`, { class: 'help' }));
  }

  chosen() {
    return this.told.traces.find((trace) => trace.annotator === this.find('#whose').value);
  }

  versions() {
    const versions = this.chosen()?.versions ?? [];
    const texts = { pass: 'pass', invalid: 'marked', drawn: 'drawn', restored: 'brought back', found: 'found' };
    const options = versions.slice(0, -1).reverse().map((one) => {
      const text = `${one.version}: ${texts[one.from] ?? one.from} ${one.by ? `by ${one.by}` : ''} ${one.made}`;
      return element('option', text.trim(), { value: one.version });
    });
    this.find('#version').replaceChildren(...options);
    this.find('#restore').disabled = !options.length;
  }

  listen() {
    const { find, plot } = this;
    const canvas = plot.canvas;
    const position = find('#position');
    position.addEventListener('input', () => (this.video.currentTime = Number(position.value)));
    find('#whose').addEventListener('change', () => this.versions());
    for (const name of ['#span-from', '#span-to']) {
      find(name).addEventListener('input', () => this.setSpan(Number(find('#span-from').value), Number(find('#span-to').value), false));
    }
    find('#span-now-from').addEventListener('click', () => this.setSpan(this.video.currentTime, Math.max(plot.span?.[1] ?? 0, this.video.currentTime)));
    find('#span-now-to').addEventListener('click', () => this.setSpan(Math.min(plot.span?.[0] ?? 0, this.video.currentTime), this.video.currentTime));
    find('#mark').addEventListener('click', () => this.withSpan((from, to) => this.change({ what: 'invalid', from, to })));
    find('#save-line').addEventListener('click', () =>
      this.withSpan((from, to) => {
        const value = (name) => Math.round(Math.min(1000, Math.max(-1000, Number(find(name).value))));
        return this.change({ what: 'drawn', points: [[from, value('#line-from')], [to, value('#line-to')]] });
      }),
    );
    find('#save-drawing').addEventListener('click', () => this.change({ what: 'drawn', points: plot.drawn }));
    find('#drop-drawing').addEventListener('click', () => this.drop());
    find('#restore').addEventListener('click', () => this.change({ what: 'restored', version: Number(find('#version').value) }));
    find('#drawing').addEventListener('change', () => canvas.classList.toggle('drawing', find('#drawing').checked));
    let begun = null;
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId);
      begun = { x: event.clientX, seconds: plot.secondsAt(event.clientX), moved: false };
      if (find('#drawing').checked) plot.drawn = [[Math.round(begun.seconds * 1000) / 1000, plot.valueAt(event.clientY)]];
    });
    canvas.addEventListener('pointermove', (event) => {
      if (!begun) return;
      begun.moved ||= Math.abs(event.clientX - begun.x) > 4;
      const at = plot.secondsAt(event.clientX);
      if (find('#drawing').checked) this.drawTo(at, plot.valueAt(event.clientY));
      else if (begun.moved) this.setSpan(Math.min(begun.seconds, at), Math.max(begun.seconds, at));
    });
    canvas.addEventListener('pointerup', () => {
      if (begun && !begun.moved && !find('#drawing').checked) seekTo(this.video, begun.seconds, this.facts.frame_rate);
      begun = null;
      find('#save-drawing').disabled = find('#drop-drawing').disabled = plot.drawn.length < 2;
    });
    canvas.addEventListener('pointercancel', () => (begun = null));
  }

  // Going back takes off what lies after.
  drawTo(seconds, value) {
    const at = Math.round(seconds * 1000) / 1000;
    const { drawn } = this.plot;
    while (drawn.length > 1 && drawn.at(-1)[0] >= at) drawn.pop();
    if (at > drawn.at(-1)[0]) drawn.push([at, value]);
    else drawn[0] = [at, value];
  }

  setSpan(from, to, showNumbers = true) {
    this.plot.span = to > from ? [from, to] : null;
    if (!showNumbers) return;
    this.find('#span-from').value = from.toFixed(2);
    this.find('#span-to').value = to.toFixed(2);
  }

  withSpan(work) {
    if (!this.plot.span) return warn('Choose a span first: drag over the traces, or write its beginning and end.');
    return work(...this.plot.span);
  }

  async change(change) {
    const trace = this.chosen();
    if (!trace) return;
    warn('');
    try {
      const body = { ...change, by: this.state.name, base: trace.versions.at(-1)?.version };
      this.show(await post(path('api', 'edit', trace.annotator, this.entry, this.dimension), body));
      say(`Done: version ${this.chosen().versions.at(-1).version} of ${trace.annotator}'s ${this.dimension}. The one before is kept.`);
    } catch (error) {
      warn(error.message);
    }
  }

  drop() {
    this.plot.drawn = [];
    this.find('#save-drawing').disabled = this.find('#drop-drawing').disabled = true;
  }

  close() {
    cancelAnimationFrame(this.frame);
    this.mark.close();
    unload(this.video);
  }
}
