// The sampling loop: at every frame of the display what the input gave since the last, with the input's own time stamps,
// or, where it rests, the value that it holds. Where the display gives no frames for a while a timer takes its place.

import { VideoClock } from './clock.js';

const BATCH_MS = 500;
const GAP = 0.1; // seconds of video without a sample that are recorded as a gap
const LATE_MS = 40;
const BLOCKED_MS = 100; // a longer time between two frames of the display is a gap that is recorded

export class Recorder {
  // `onBatch(samples, events, leaving)`; `onTick(value, seconds)` at each frame of the display.
  constructor(video, frameRate, input, onBatch, onTick) {
    Object.assign(this, { video, input, onBatch, onTick });
    this.clock = new VideoClock(video, frameRate, (item, at) => this.stamped(item, at), (...told) => this.event(...told));
    this.samples = [];
    this.events = [];
    this.running = false;
    this.position = -1;
    this.lastMoment = 0;
    this.lastStamp = 0;
    this.tick = this.tick.bind(this);
    this.timer = setInterval(() => this.flush(), BATCH_MS);
    this.frame = requestAnimationFrame(this.tick);
    this.lastTick = performance.now();
    this.late = setInterval(() => performance.now() - this.lastTick > LATE_MS && this.sample(), LATE_MS / 2);
  }

  // From `at` on, which the video has been brought to; later samples of the pass are replaced.
  start(at, isRedo) {
    if (isRedo) this.event('redo', at);
    this.position = at - 1e-6;
    this.lastMoment = this.lastTick = performance.now();
    this.lastStamp = this.input.poll(performance.now()).stamp;
    this.clock.start();
    this.event('play', at, this.video.playbackRate);
    this.running = true;
  }

  stop(why, length = null) {
    if (!this.running) return;
    this.running = false;
    this.clock.stop(length);
    this.event(why, Math.max(this.position, 0));
    this.flush();
  }

  close() {
    clearInterval(this.timer);
    clearInterval(this.late);
    cancelAnimationFrame(this.frame);
    this.clock.stop();
  }

  event(name, at, value = null, text = null) {
    const told = { event: name, at: Math.max(at, 0), time: performance.now() };
    if (value !== null) told.value = value;
    if (text !== null) told.text = text;
    this.events.push(told);
  }

  tick() {
    this.frame = requestAnimationFrame(this.tick);
    this.onTick(this.sample(), this.position);
  }

  // Returns the value now.
  sample() {
    const now = performance.now();
    const { value, stamp, given } = this.input.poll(now);
    if (this.running && !this.video.paused && !this.video.seeking && !this.input.missing?.()) {
      if (now - this.lastTick > BLOCKED_MS) this.event('blocked', Math.max(this.position, 0), now - this.lastTick);
      const fresh = given.filter((one) => one.stamp > Math.max(this.lastStamp, this.lastMoment) && one.stamp <= now);
      for (const one of fresh) this.place(one.stamp, one.value, one.stamp, now);
      if (!fresh.length) this.place(now, value, stamp, now);
    }
    this.lastStamp = Math.max(stamp, this.lastStamp);
    this.lastTick = now;
    return value;
  }

  place(moment, value, stamp, now) {
    this.lastMoment = moment;
    const current = this.video.currentTime - ((now - moment) / 1000) * this.video.playbackRate;
    this.clock.place({ moment, value, stamp, current });
  }

  stamped(item, at) {
    if (at <= this.position) return;
    if (at - Math.max(this.position, 0) > GAP) this.event('gap', at, at - this.position);
    this.position = at;
    const micro = Math.round(at * 1e6) / 1e6;
    this.samples.push([micro, item.value, Math.round(item.stamp * 100) / 100, Math.round((at - item.current) * 1e5) / 1e5]);
  }

  flush(leaving = false) {
    if (!this.samples.length && !this.events.length) return Promise.resolve();
    const { samples, events } = this;
    this.samples = [];
    this.events = [];
    // A blocked page may have gathered more than a batch may hold.
    let sent = Promise.resolve();
    for (let from = 0; from < Math.max(samples.length, events.length, 1); from += 150) {
      sent = this.onBatch(samples.slice(from, from + 150), events.slice(from, from + 150), leaving);
    }
    return sent;
  }
}
