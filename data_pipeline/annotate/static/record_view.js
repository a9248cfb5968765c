// Recording: one dimension of one entry while the clip plays; or practice on the drawn face, where nothing is kept.

import { get, path, post } from './api.js';
import { showCheck, showPractice } from './check_panel.js';
import { INPUTS } from './inputs.js';
import { Outbox } from './outbox.js';
import { element, fill, fillSpeeds, loadVideo, personLine, say, seekTo, unload, warn } from './page.js';
import { PersonMark } from './person_mark.js';
import { Recorder } from './recorder.js';
import { keep, setting } from './settings.js';
import { openStickDialog } from './stick_dialog.js';
import { ValueBar } from './value_bar.js';

const BACK_SECONDS = 5;

export async function showRecord(main, state, [entry, dimension], leaving) {
  const practice = entry ? null : await get(path('api', 'practice', dimension));
  const facts = practice
    ? { clip: 'the practice face', seconds: practice.seconds, frame_rate: 30, person: 0, boxes: [] }
    : await get(path('api', 'clip', entry));
  const known = practice ? { position: 0, finished: false } : await get(path('api', 'open', state.name, entry, dimension));
  if (leaving.aborted) return;
  const find = fill(main, 'record');
  const run = new Run(find, state, entry, dimension, facts, practice, known);
  document.body.classList.add('recording');
  leaving.addEventListener('abort', () => run.close());
  run.showDesk();
  await loadVideo(run.video, practice ? '/practice.mp4' : path('video', entry));
  // Whoever was quick has begun already.
  if (run.phase === 'ready') await run.bringTo(run.position);
  if (known.finished) say(`Your ${dimension} of this clip is done. If you start, it is annotated anew, and what there is stays as an earlier version.`);
  else if (run.position > 0) say(`It goes on at ${run.position.toFixed(1)} s, where it was.`);
}

class Run {
  constructor(find, state, entry, dimension, facts, practice, known) {
    Object.assign(this, { find, state, entry, dimension, facts, practice });
    this.video = find('video');
    this.phase = 'ready'; // ready, counting, playing, paused, ended
    this.again = known.finished;
    this.position = known.finished ? 0 : known.position;
    this.outbox = null;
    this.kept = []; // of practice
    this.bar = new ValueBar(find('.meter'), dimension);
    this.mark = new PersonMark(find('.stage'), this.video, facts);
    find('#record-title').textContent = practice ? `Practise ${dimension}` : `${dimension} of ${facts.clip}`;
    find('#saved').hidden = Boolean(practice);
    find('#record-person').textContent = personLine(facts);
    find('#from').max = facts.seconds.toFixed(1);
    this.controls();
    const recording = (samples, events, leaving) => this.send(samples, events, leaving);
    this.recorder = new Recorder(this.video, facts.frame_rate, this.input, recording, (value, at) => this.ticked(value, at));
    this.listen();
    this.showPhase();
  }

  controls() {
    const { find } = this;
    const inputs = find('#input');
    for (const [name, input] of Object.entries(INPUTS)) inputs.append(element('option', input.title, { value: name }));
    const touch = matchMedia('(pointer: coarse)').matches;
    this.chooseInput(setting('input', touch ? 'touch' : 'mouse'));
    inputs.addEventListener('change', () => this.chooseInput(inputs.value));
    fillSpeeds(find('#speed'), setting('speed', 1), (speed) => {
      keep('speed', speed);
      this.video.playbackRate = this.video.defaultPlaybackRate = speed;
      this.recorder.event('speed', this.position, speed);
    });
    this.video.defaultPlaybackRate = this.video.playbackRate = setting('speed', 1);
    find('#count').value = String(setting('count', 3));
    find('#count').addEventListener('change', () => keep('count', Number(find('#count').value)));
    find('#stick').addEventListener('click', async () => {
      if (await openStickDialog()) this.chooseInput('gamepad');
    });
    find('#go').addEventListener('click', () => this.toggle());
    find('#back').addEventListener('click', () => this.back());
    find('#restart').addEventListener('click', () => this.bringTo(0));
    find('#from').addEventListener('change', () => this.bringTo(Number(find('#from').value)));
    find('#from').addEventListener('input', () => this.tellFrom(Number(find('#from').value)));
  }

  chooseInput(name) {
    const chosen = INPUTS[name] ? name : 'mouse';
    keep('input', chosen);
    warn('', 'stick');
    this.input?.close();
    this.input = INPUTS[chosen].make(this.find('.bar'), (event) => this.plugged(event));
    this.find('#input').value = chosen;
    this.find('#input-help').textContent = INPUTS[chosen].help;
    this.find('#stick').hidden = chosen !== 'gamepad';
    if (this.recorder) {
      this.recorder.input = this.input;
      this.recorder.event('input', this.position, null, chosen);
    }
  }

  listen() {
    this.listening = new AbortController();
    const options = { signal: this.listening.signal };
    const { video } = this;
    window.addEventListener('keydown', (event) => this.key(event), options);
    window.addEventListener('guidelines', () => this.pause('guidelines'), options);
    window.addEventListener('pagehide', () => this.recorder.flush(true), options);
    document.addEventListener('visibilitychange', () => {
      // Hidden, the page gets no frames while the sound would play on.
      if (document.hidden) {
        this.pause('hidden');
        this.recorder.flush(true);
      }
    }, options);
    video.addEventListener('ended', () => this.ended(), options);
    // Told late, it may be over already.
    video.addEventListener('pause', () => video.paused && !video.ended && this.pause('paused'), options);
    video.addEventListener('waiting', () => this.phase === 'playing' && this.recorder.event('waiting', this.position), options);
    video.addEventListener('error', () => {
      this.pause('video_error');
      warn(`The video broke off: ${video.error?.message ?? ''}. Load the page again.`);
    }, options);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input:not([type=range]), select, dialog')) return;
    if (event.key === ' ') {
      // A button that has the focus would be pressed, too.
      if (event.target.closest('button, a') && this.phase !== 'playing') return;
      if (!event.repeat) this.toggle();
    } else if (event.key.toLowerCase() === 'b') this.back();
    else if (event.key === 'Escape') this.pause('paused');
    else return;
    event.preventDefault();
  }

  toggle() {
    if (this.phase === 'playing' || this.phase === 'counting') this.pause('paused');
    else if (this.phase === 'ready' || this.phase === 'paused') this.start();
  }

  // In a low window the picture and the bar are all that fits.
  showDesk() {
    this.find('.desk').scrollIntoView({ block: 'nearest' });
  }

  // Whether the input gives no value, which is said then.
  isMissing() {
    const why = this.input.missing?.() ?? '';
    warn(why, 'stick');
    return Boolean(why);
  }

  async start() {
    if (this.isMissing()) return;
    this.phase = 'counting';
    this.showPhase();
    warn('');
    this.find('#check').hidden = true;
    try {
      if (!this.practice && !this.outbox) await this.open();
      const from = Math.min(this.from, this.position);
      await seekTo(this.video, from, this.facts.frame_rate);
      if (!(await this.countDown())) return;
      if (this.isMissing()) return this.pause('unplugged');
      this.phase = 'playing';
      const isRedo = from < this.position;
      if (isRedo && this.practice) this.kept = this.kept.filter(([at]) => at < from);
      this.position = from;
      this.recorder.start(from, isRedo);
      this.find('.stage').focus({ preventScroll: true });
      this.showDesk();
      this.showPhase();
      await this.video.play();
    } catch (error) {
      this.pause('failed');
      warn(error.message);
    }
    return undefined;
  }

  async open() {
    const names = [this.state.name, this.entry, this.dimension];
    const chosen = { again: this.again, input: this.find('#input').value };
    const opened = await post(path('api', 'open', ...names), chosen);
    if (opened.finished) throw new Error('This pass has been finished in another window.');
    if (opened.position < this.position) this.from = opened.position;
    this.position = opened.position;
    this.from = Math.min(this.from, this.position);
    this.again = false;
    this.number = opened.pass;
    const target = path('api', 'batch', ...names, opened.pass);
    this.outbox = new Outbox(this.state.list.workspace, target, opened.session, (told) => this.sent(told));
  }

  async countDown() {
    const shown = this.find('#countdown');
    for (let left = Number(this.find('#count').value); left > 0; left -= 1) {
      shown.hidden = false;
      shown.textContent = left;
      if (left === Number(this.find('#count').value)) say(`Starts in ${left} seconds.`);
      await new Promise((resolve) => setTimeout(resolve, 1000));
      if (this.phase !== 'counting') break;
    }
    shown.hidden = true;
    return this.phase === 'counting';
  }

  pause(why) {
    if (this.phase === 'counting') this.phase = 'paused';
    if (this.phase !== 'playing') return this.showPhase();
    this.phase = 'paused';
    this.recorder.stop(why);
    this.video.pause();
    this.from = this.position = Math.max(this.recorder.position, 0);
    this.showPhase();
    const reasons = { hidden: 'The page was hidden.', unplugged: 'The stick is not there.' };
    say(`Paused at ${this.position.toFixed(1)} s. ${reasons[why] ?? ''}`);
    return undefined;
  }

  back() {
    this.pause('back');
    if (this.phase === 'paused' || this.phase === 'ready') this.bringTo(Math.max(0, this.from - BACK_SECONDS));
  }

  // Where it goes on: at most where it has come.
  async bringTo(seconds) {
    if (this.phase === 'playing' || this.phase === 'counting') this.pause('back');
    this.from = Math.min(seconds, this.position);
    this.showPhase();
    await seekTo(this.video, this.from, this.facts.frame_rate);
  }

  async ended() {
    if (this.phase !== 'playing') return;
    this.phase = 'ended';
    this.recorder.stop('ended', this.facts.seconds);
    this.position = this.from = Math.max(this.recorder.position, 0);
    this.showPhase();
    const panel = this.find('#check');
    if (this.practice) {
      showPractice(panel, this.dimension, this.kept, this.practice.curve);
      this.phase = 'paused';
      this.from = 0;
      this.showPhase();
      return;
    }
    say('The clip is over; the pass is being saved and checked.');
    try {
      const check = await this.finish();
      showCheck(panel, check, this.state, this.entry, this.dimension, (from) => this.bringTo(from));
      if (!check.passed) this.phase = 'paused';
      say(check.passed ? `${this.dimension} is done.` : 'The pass has a fault: see the check.');
    } catch (error) {
      this.phase = 'paused';
      warn(error.message);
    }
    this.showPhase();
  }

  async finish() {
    const target = path('api', 'finish', this.state.name, this.entry, this.dimension, this.number);
    for (;;) {
      try {
        await this.outbox.emptied();
        const check = await post(target, {});
        warn('', 'outbox');
        return check;
      } catch (error) {
        if (error.status && error.status < 500) throw error;
        warn(`${error.message} What you recorded is kept here until it is back.`, 'outbox');
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
    }
  }

  async send(samples, events, leaving) {
    if (this.practice) this.kept.push(...samples.map(([at, value]) => [at, value]));
    else await this.outbox?.add(samples, events, leaving);
  }

  sent({ waiting, error, lost }) {
    const told = this.find('#saved');
    if (!told) return;
    const behind = waiting > 3 || error;
    told.textContent = behind ? `not saved yet: ${(waiting / 2).toFixed(1)} s ${error}` : 'saved';
    told.classList.toggle('behind', Boolean(behind));
    if (lost) {
      this.pause('taken_over');
      warn(`${error}. Load the page again to go on here.`);
    } else if (waiting === 20) warn(`Nothing has been saved for 10 s: ${error}. It is kept in this browser and sent when the server is back.`, 'outbox');
    else if (!waiting) warn('', 'outbox');
  }

  plugged(event) {
    this.recorder?.event(event, this.position);
    if (event === 'unplugged') {
      this.pause('unplugged');
      warn('The stick is not there any more: plug it in and press a button on the stick, or choose another input; then go on.', 'stick');
    } else warn('', 'stick');
  }

  ticked(value, at) {
    if (this.phase === 'playing') this.position = Math.max(at, 0);
    this.bar.show(value, this.phase === 'playing' ? this.position : null);
    if (this.phase === 'playing') {
      this.find('#from').value = this.position;
      this.tellFrom(this.position);
    }
  }

  tellFrom(seconds) {
    this.find('#from-told').textContent = `${seconds.toFixed(1)} of ${this.facts.seconds.toFixed(1)} s`;
  }

  showPhase() {
    const { find, phase } = this;
    if (!find('#go')) return;
    this.from ??= this.position;
    const active = phase === 'playing' || phase === 'counting';
    const text = active ? 'Pause ' : this.from > 0 || phase === 'paused' ? 'Go on ' : 'Start ';
    find('#go').replaceChildren(text, element('kbd', 'Space'));
    find('#go').disabled = phase === 'ended';
    for (const name of ['#restart', '#from', '#input', '#stick', '#speed', '#count']) find(name).disabled = active || phase === 'ended';
    find('#back').disabled = phase === 'ended';
    find('#paused').hidden = phase !== 'paused';
    find('#paused').textContent = `Paused. Space goes on at ${(this.from ?? 0).toFixed(1)} s.`;
    if (!active) {
      find('#from').value = this.from;
      this.tellFrom(this.from);
    }
  }

  close() {
    if (this.phase === 'playing') this.pause('left');
    this.phase = 'ended';
    this.recorder.flush();
    this.recorder.close();
    this.input.close();
    this.listening.abort();
    this.mark.close();
    document.body.classList.remove('recording');
    unload(this.video);
  }
}
