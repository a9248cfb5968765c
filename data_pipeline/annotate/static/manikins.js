// Pictures for the scale, in the manner of the self-assessment manikin (Bradley & Lang, 1994), drawn by us: valence is
// in the face, arousal in the eyes and in what bursts in the chest.

const SVG = 'http://www.w3.org/2000/svg';

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function burst(size) {
  const points = [];
  for (let spike = 0; spike < 16; spike += 1) {
    const length = spike % 2 ? size * 0.45 : size;
    const angle = (Math.PI * spike) / 8;
    points.push(`${(50 + length * Math.cos(angle)).toFixed(1)},${(88 + length * Math.sin(angle)).toFixed(1)}`);
  }
  return points.join(' ');
}

// A figure for `level` from -1 to 1 of `dimension`; hidden from screen readers, which have the words.
export function manikin(dimension, level) {
  const picture = shape('svg', { viewBox: '0 0 100 122', class: 'manikin', 'aria-hidden': 'true', focusable: 'false' });
  const line = { fill: 'none', stroke: 'currentColor', 'stroke-width': 4, 'stroke-linecap': 'round', 'stroke-linejoin': 'round' };
  picture.append(shape('path', { ...line, d: 'M12 120 V74 Q12 58 30 58 H70 Q88 58 88 74 V120' }));
  picture.append(shape('rect', { ...line, x: 22, y: 4, width: 56, height: 54, rx: 12 }));
  const aroused = dimension === 'arousal' ? level : 0;
  const pleased = dimension === 'arousal' ? 0 : level;
  for (const x of [37, 63]) {
    if (aroused < -0.75) picture.append(shape('path', { ...line, d: `M${x - 7} 25 Q${x} 31 ${x + 7} 25` }));
    else {
      const open = 3 + 3.5 * (aroused + 0.75);
      picture.append(shape('ellipse', { cx: x, cy: 24, rx: 4, ry: open, fill: 'currentColor' }));
      if (aroused > 0.75) picture.append(shape('path', { ...line, d: `M${x - 7} 12 Q${x} 7 ${x + 7} 12` }));
    }
  }
  const bend = 13 * pleased;
  picture.append(shape('path', { ...line, d: `M34 ${44 - bend / 2} Q50 ${44 + bend} 66 ${44 - bend / 2}` }));
  if (dimension === 'arousal') {
    picture.append(shape('polygon', { points: burst(4 + 11 * (aroused + 1)), fill: 'currentColor', class: 'burst' }));
  }
  return picture;
}

// The words for the ends and the middle of a scale: [highest, middle, lowest].
export const WORDS = {
  valence: ['very positive', 'neutral', 'very negative'],
  arousal: ['very active', 'feels, shows nothing', 'very passive'],
};

export const words = (dimension) => WORDS[dimension] ?? ['most', 'middle', 'least'];
