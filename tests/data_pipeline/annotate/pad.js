// The one fake: a gamepad, of which no protocol command knows. Its stick follows what the video shows: the number that
// the shown frame carries, read from its picture, says how far the movement has come.
(() => {
  const canvas = document.createElement('canvas');
  canvas.width = 320;
  canvas.height = 40;
  const pen = canvas.getContext('2d', { willReadFrequently: true });
  let watched = null;
  let seen = null;
  window.movement = (seconds) => 0.9 * Math.sin((2 * Math.PI * seconds) / 2.5);
  window.stick = { there: true, axis: null };
  const watch = (video) => {
    watched = video;
    const look = (now, facts) => {
      pen.drawImage(video, 0, 0, 320, 40, 0, 0, 320, 40);
      let frame = 0;
      for (let bit = 0; bit < 8; bit += 1) frame |= (pen.getImageData(40 * bit + 20, 20, 1, 1).data[0] > 128) << bit;
      seen = { frame, shown: facts.expectedDisplayTime };
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  };
  navigator.getGamepads = () => {
    const video = document.querySelector('.record video');
    if (video && video !== watched) watch(video);
    if (!window.stick.there) return [null, null];
    const now = performance.now();
    let axis = window.stick.axis;
    if (axis === null) {
      axis = seen && !video.paused ? window.movement(seen.frame / 30 + ((now - seen.shown) / 1000) * video.playbackRate) : 0;
    }
    const pressed = { pressed: true, touched: true, value: 1 };
    return [null, { id: 'Test stick', index: 1, connected: true, timestamp: now, axes: [0, 0, axis, 0], buttons: [pressed] }];
  };
})();
