// The video's own time of a moment of performance.now().
//
// currentTime runs up to 90 ms ahead after each play where there is sound, so it is not used: what counts are the
// frames that requestVideoFrameCallback reports. A moment is placed between the two frames around it, and only if
// these are as far apart on the video as they were in time: a pause, a seek or a stalled decode gives no stamp.

const TOLERANCE = 1 / 30; // seconds of video: no stamp is further off; display times are told to a display's frame
const FIRST_TOLERANCE = 0.01; // of the first two frames: the first may have been shown before the video began to play
const MOST_FRAMES = 100; // that are remembered: a busy display tells frames well before it shows them

export class VideoClock {
  // `onStamped(item, seconds)` for each item that is placed; `onEvent(name, at, value)`.
  constructor(video, frameRate, onStamped, onEvent) {
    Object.assign(this, { video, frameRate, onStamped, onEvent });
    this.frames = []; // of this run: when it is `shown`, its `media` time, whether it is `steady`; `told` once a stall is
    this.pending = []; // items {moment, …}, ascending
    this.request = 0;
    this.count = 0;
  }

  // A new run: nothing of before is a frame's neighbour.
  start() {
    this.stop();
    this.count = 0;
    const next = () => {
      this.request = this.video.requestVideoFrameCallback((now, facts) => {
        this.frame(facts.expectedDisplayTime, facts.mediaTime);
        next();
      });
    };
    next();
  }

  // What comes after the last frame has no place. At the video's end pass its length: the last frame lasts till then.
  stop(length = null) {
    if (this.request) this.video.cancelVideoFrameCallback(this.request);
    this.request = 0;
    this.settle(Infinity); // no frame comes any more that could overtake one
    const last = this.frames.at(-1);
    if (length !== null && last) {
      for (const item of this.pending) {
        const seconds = last.media + ((item.moment - last.shown) / 1000) * this.video.playbackRate;
        if (seconds <= length + TOLERANCE) this.onStamped(item, Math.min(seconds, length));
      }
    }
    this.pending = [];
    this.frames = [];
  }

  place(item) {
    this.pending.push(item);
  }

  frame(shown, media) {
    const last = this.frames.at(-1);
    this.count += 1;
    while (this.frames.length && this.frames.at(-1).shown >= shown) this.frames.pop();
    const neighbour = this.frames.at(-1);
    let steady = true;
    if (neighbour) {
      const inTime = ((shown - neighbour.shown) / 1000) * this.video.playbackRate;
      const onVideo = media - neighbour.media;
      const tolerance = this.count > 2 ? TOLERANCE : FIRST_TOLERANCE;
      steady = onVideo >= 0 && Math.abs(inTime - onVideo) <= tolerance;
    }
    this.frames.push({ shown, media, steady, lost: 0, told: steady || this.count <= 2 });
    if (this.frames.length > MOST_FRAMES) this.frames.shift();
    if (last) {
      const skipped = Math.round((media - last.media) * this.frameRate) - 1;
      if (skipped > 0 && this.count > 2) this.onEvent('skipped', media, skipped);
    }
    this.settle(performance.now());
  }

  // Places what lies between two frames that are shown by `now`. One that is told ahead of its time may yet be
  // overtaken by a later one, and what is placed stays.
  settle(now) {
    const { frames, pending } = this;
    const past = frames.filter((frame) => frame.shown <= now);
    const until = past.at(-1)?.shown ?? -Infinity;
    const later = pending.findIndex((item) => item.moment >= until);
    for (const item of pending.splice(0, later < 0 ? pending.length : later)) {
      const after = frames.findIndex((frame) => frame.shown > item.moment);
      const [from, to] = [frames[after - 1], frames[after]];
      if (from && to.steady) {
        const part = (item.moment - from.shown) / (to.shown - from.shown);
        this.onStamped(item, from.media + part * (to.media - from.media));
      } else to.lost += 1;
    }
    for (const frame of past) {
      if (!frame.told) this.onEvent('stalled', frame.media, frame.lost);
      frame.told = true;
    }
  }
}
