// The one fake: a gamepad, of which no protocol command knows. Its stick moves by the clock of performance.now(). When
// which frame of the video was shown, the number being read from its picture, is kept in `shownFrames`.
(() => {
  const canvas = document.createElement('canvas');
  canvas.width = 320;
  canvas.height = 40;
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  let watched = null;
  window.shownFrames = []; // [milliseconds, number, seconds]
  window.stick = { there: true, axis: null };
  window.stick.since = null; // milliseconds: since when it rests, where it does; browsers tell the last change
  const watch = (video) => {
    watched = video;
    const look = (now, facts) => {
      pen.drawImage(video, 0, 0, 320, 40, 0, 0, 320, 40);
      const { data } = pen.getImageData(0, 20, 320, 1);
      let frame = 0;
      for (let bit = 0; bit < 8; bit += 1) frame |= (data[4 * (40 * bit + 20)] > 128) << bit;
      window.shownFrames.push([facts.expectedDisplayTime, frame, facts.mediaTime]);
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  };
  navigator.getGamepads = () => {
    const video = document.querySelector('.record video');
    if (video && video !== watched) watch(video);
    if (!window.stick.there) return [null, null];
    const timestamp = window.stick.since ?? performance.now();
    const axis = window.stick.axis ?? 0.9 * Math.sin((2 * Math.PI * timestamp) / 2500);
    const buttons = [{ pressed: true, touched: true, value: 1 }];
    return [null, { id: 'Test stick', index: 1, connected: true, timestamp, axes: [0, 0, axis, 0], buttons }];
  };
})();
