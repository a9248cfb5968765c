// The traces of all annotators over the clip's time, each with its colour and its dashes.

const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const DASHES = [[], [10, 4], [3, 3], [12, 3, 3, 3], [6, 6], [2, 6]];
const LIMIT = 1000;

export const colourOf = (index) => COLOURS[index % COLOURS.length];
export const dashesOf = (index) => DASHES[Math.floor(index + index / COLOURS.length) % DASHES.length];

export class TracesPlot {
  constructor(canvas, seconds) {
    Object.assign(this, { canvas, seconds });
    this.traces = [];
    this.span = null; // [from, to]
    this.drawn = []; // [seconds, value], ascending
    this.now = 0;
  }

  secondsAt(x) {
    const box = this.canvas.getBoundingClientRect();
    return Math.min(this.seconds, Math.max(0, ((x - box.left) / box.width) * this.seconds));
  }

  valueAt(y) {
    const box = this.canvas.getBoundingClientRect();
    return Math.round(Math.min(LIMIT, Math.max(-LIMIT, LIMIT * 1.04 * (1 - (2 * (y - box.top)) / box.height))));
  }

  draw() {
    const { canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * scale);
    const height = Math.round(canvas.clientHeight * scale);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const style = getComputedStyle(canvas);
    const pen = canvas.getContext('2d');
    const x = (seconds) => (seconds / this.seconds) * width;
    const y = (value) => height * (0.5 - value / (2.08 * LIMIT));
    pen.clearRect(0, 0, width, height);
    pen.strokeStyle = style.getPropertyValue('--faint');
    pen.font = `${12 * scale}px sans-serif`;
    pen.lineWidth = scale;
    for (const value of [-LIMIT, 0, LIMIT]) {
      pen.beginPath();
      pen.moveTo(0, y(value));
      pen.lineTo(width, y(value));
      pen.stroke();
      pen.fillStyle = style.getPropertyValue('--ink');
      pen.fillText(`${value}`.replace('-', '−'), 3 * scale, y(value) + (value === LIMIT ? 14 : -4) * scale);
    }
    if (this.span) {
      pen.globalAlpha = 0.25;
      pen.fillStyle = style.getPropertyValue('--accent');
      pen.fillRect(x(this.span[0]), 0, Math.max(x(this.span[1]) - x(this.span[0]), scale), height);
      pen.globalAlpha = 1;
    }
    this.traces.forEach((trace, index) => {
      this.invalid(pen, trace, x, height, index);
      pen.strokeStyle = colourOf(index);
      pen.lineWidth = 2 * scale;
      pen.setLineDash(dashesOf(index).map((length) => length * scale));
      pen.beginPath();
      let before = null;
      for (const [at, value] of trace.points) {
        if (value !== null && before !== null && at - before < 1) pen.lineTo(x(at), y(value));
        else if (value !== null) pen.moveTo(x(at), y(value));
        before = value === null ? null : at;
      }
      pen.stroke();
    });
    pen.setLineDash([]);
    if (this.drawn.length) {
      pen.strokeStyle = style.getPropertyValue('--ink');
      pen.lineWidth = 3.5 * scale;
      pen.beginPath();
      this.drawn.forEach(([at, value], k) => (k ? pen.lineTo(x(at), y(value)) : pen.moveTo(x(at), y(value))));
      pen.stroke();
    }
    pen.strokeStyle = style.getPropertyValue('--ink');
    pen.lineWidth = 2 * scale;
    pen.beginPath();
    pen.moveTo(x(this.now), 0);
    pen.lineTo(x(this.now), height);
    pen.stroke();
  }

  // Hatched bands at the foot, one a trace.
  invalid(pen, trace, x, height, index) {
    pen.fillStyle = getComputedStyle(this.canvas).getPropertyValue('--soft');
    const tall = height / 24;
    let start = null;
    let end = null;
    const band = () => start !== null && pen.fillRect(x(start), height - tall * (index + 1.2), Math.max(x(end) - x(start), 2), tall * 0.8);
    for (const [at, value] of trace.points) {
      if (value === null) {
        start ??= at;
        end = at;
      } else {
        band();
        start = null;
      }
    }
    band();
  }
}
