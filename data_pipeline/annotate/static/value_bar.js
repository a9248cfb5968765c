// The value bar with its zero line, and beside it the trace of the last seconds.

import { manikin, words } from './manikins.js';

const SECONDS = 8; // of the trace
const TOLD_MS = 1000; // how often a screen reader may hear of the value

export class ValueBar {
  // Fills `root`, an element with the classes of index.html's template.
  constructor(root, dimension) {
    this.bar = root.querySelector('.bar');
    this.fill = root.querySelector('.fill');
    this.number = root.querySelector('.number');
    this.canvas = root.querySelector('canvas');
    this.points = []; // [video seconds, value]
    this.told = 0;
    const scale = root.querySelector('.scale');
    this.words = words(dimension);
    const [high, middle, low] = this.words;
    const rows = [[1, high], [0.5, ''], [0, middle], [-0.5, ''], [-1, low]];
    for (const [level, word] of rows) {
      const row = document.createElement('div');
      row.className = 'level';
      const label = document.createElement('span');
      label.textContent = word;
      row.append(manikin(dimension, level), label);
      scale.append(row);
    }
    this.bar.setAttribute('aria-label', `${dimension}, from ${low} to ${high}`);
  }

  // The word of the scale's part that a value lies in.
  wordOf(value) {
    const [high, middle, low] = this.words;
    if (Math.abs(value) <= 333) return middle;
    const end = value > 0 ? high : low;
    return Math.abs(value) > 666 ? end : `towards ${end}`;
  }

  show(value, seconds) {
    const part = value / 20; // per cent of the bar
    this.fill.style.top = `${50 - Math.max(part, 0)}%`;
    this.fill.style.height = `${Math.max(Math.abs(part), 0.4)}%`;
    this.fill.classList.toggle('below', value < 0);
    this.number.textContent = value > 0 ? `+${value}` : `${value}`.replace('-', '−');
    const now = performance.now();
    if (now - this.told > TOLD_MS) {
      this.told = now;
      this.bar.setAttribute('aria-valuenow', value);
      this.bar.setAttribute('aria-valuetext', `${value}, ${this.wordOf(value)}`);
    }
    if (seconds !== null) {
      const last = this.points.at(-1);
      if (last && seconds < last[0]) this.points = this.points.filter(([at]) => at < seconds);
      if (!last || seconds !== last[0]) this.points.push([seconds, value]);
      while (this.points.length && this.points[0][0] < seconds - SECONDS) this.points.shift();
    }
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * scale);
    const height = Math.round(canvas.clientHeight * scale);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    if (!width) return;
    const style = getComputedStyle(canvas);
    const pen = canvas.getContext('2d');
    pen.clearRect(0, 0, width, height);
    pen.strokeStyle = style.getPropertyValue('--faint');
    pen.lineWidth = scale;
    pen.setLineDash([4 * scale, 4 * scale]);
    pen.beginPath();
    pen.moveTo(0, height / 2);
    pen.lineTo(width, height / 2);
    pen.stroke();
    pen.setLineDash([]);
    if (this.points.length < 2) return;
    const end = this.points.at(-1)[0];
    pen.strokeStyle = style.getPropertyValue('--accent');
    pen.lineWidth = 2.5 * scale;
    pen.beginPath();
    this.points.forEach(([at, value], index) => {
      const x = width * (1 - (end - at) / SECONDS);
      const y = height * (0.5 - value / 2080);
      if (index && at - this.points[index - 1][0] < 0.3) pen.lineTo(x, y);
      else pen.moveTo(x, y);
    });
    pen.stroke();
  }
}
