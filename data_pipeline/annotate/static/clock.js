// The video's own time of a moment of performance.now().
//
// currentTime runs up to 90 ms ahead after each play where there is sound, so it is not used: what counts are the
// frames that requestVideoFrameCallback reports. A moment is placed between the two frames around it, and only if
// these are as far apart on the video as they were in time: a pause, a seek or a stalled decode gives no stamp.

const TOLERANCE = 0.05; // seconds of video; display times are told to a display's frame

export class VideoClock {
  // `onStamped(moment item, seconds)` for each item that is placed; `onEvent(name, at, value)`.
  constructor(video, frameRate, onStamped, onEvent) {
    Object.assign(this, { video, frameRate, onStamped, onEvent });
    this.last = null; // the last frame of this run: where it is on the video, when it was shown
    this.pending = []; // items {moment, …}, ascending
    this.request = 0;
    this.frames = 0;
  }

  // A new run: nothing of before is a frame's neighbour.
  start() {
    this.stop();
    this.frames = 0;
    const next = () => {
      this.request = this.video.requestVideoFrameCallback((now, facts) => {
        this.frame(facts.expectedDisplayTime, facts.mediaTime, facts.presentedFrames);
        next();
      });
    };
    next();
  }

  // What comes after the last frame has no place. At the video's end pass its length: the last frame lasts till then.
  stop(length = null) {
    if (this.request) this.video.cancelVideoFrameCallback(this.request);
    this.request = 0;
    if (length !== null && this.last) {
      const rate = this.video.playbackRate;
      const last = this.last;
      for (const item of this.pending) {
        const seconds = last.media + ((item.moment - last.shown) / 1000) * rate;
        if (item.moment >= last.shown && seconds <= length + TOLERANCE) this.onStamped(item, Math.min(seconds, length));
      }
    }
    this.pending = [];
    this.last = null;
  }

  place(item) {
    this.pending.push(item);
  }

  frame(shown, media, presented) {
    const last = this.last;
    this.frames += 1;
    this.last = { shown, media, presented };
    if (!last) {
      // Of before the first frame nothing is known.
      this.pending = this.pending.filter((item) => item.moment >= shown);
      return;
    }
    const rate = this.video.playbackRate;
    const inTime = ((shown - last.shown) / 1000) * rate;
    const onVideo = media - last.media;
    const steady = onVideo >= 0 && Math.abs(inTime - onVideo) <= TOLERANCE + 1 / this.frameRate;
    const skipped = Math.round(onVideo * this.frameRate) - 1;
    if (skipped > 0 && this.frames > 2) this.onEvent('skipped', media, skipped);
    let lost = 0;
    let index = 0;
    for (; index < this.pending.length && this.pending[index].moment < shown; index += 1) {
      const item = this.pending[index];
      const part = (item.moment - last.shown) / Math.max(shown - last.shown, 0.001);
      if (steady && part >= 0) this.onStamped(item, last.media + part * onVideo);
      else lost += 1;
    }
    this.pending.splice(0, index);
    // The first frame may have been shown before the video began to play.
    if (!steady && this.frames > 2) this.onEvent('stalled', media, lost);
  }
}
