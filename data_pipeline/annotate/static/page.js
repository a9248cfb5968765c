// What all views share: what is said to people, templates, and small pieces of the page.

const SHOWN_MS = 6000;
let fading = 0;

const byId = (id) => document.getElementById(id);

// Said quietly at the page's foot, and by screen readers when they have time.
export function say(sentence) {
  byId('status').textContent = sentence;
  clearTimeout(fading);
  fading = setTimeout(() => (byId('status').textContent = ''), SHOWN_MS);
}

const alerts = new Map();

// Said at once: something needs a person. What is said of one matter stays until that matter is done with, `warn('',
// about)`, whatever is said of others.
export function warn(sentence, about = '') {
  if (sentence) alerts.set(about, sentence);
  else alerts.delete(about);
  const told = [...alerts.values()].join(' ');
  // Said again, a screen reader would read it again.
  if (byId('alert').textContent !== told) byId('alert').textContent = told;
}

// A copy of a template in <main>; returns `find(selector)` within this copy, whatever is shown after it.
export function fill(main, name) {
  const root = element('div');
  root.append(byId(`view-${name}`).content.cloneNode(true));
  main.replaceChildren(root);
  // At once: later it would take the focus from whoever is quick.
  main.focus({ preventScroll: true });
  return (selector) => root.querySelector(selector);
}

export function element(name, text = '', attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

export const link = (text, target, kind = 'button') => element('a', text, { href: target, class: kind });

export function fillSpeeds(select, chosen, onChange) {
  for (const speed of [0.5, 0.75, 1, 1.25, 1.5, 2]) select.append(element('option', `${speed}×`, { value: speed }));
  select.value = String(chosen);
  select.addEventListener('change', () => onChange(Number(select.value)));
}

// Resolves when the video can be played; rejects with the reason in words.
export function loadVideo(video, source) {
  return new Promise((resolve, reject) => {
    const reasons = ['', 'loading was stopped', 'the connection broke', 'the picture cannot be decoded', 'the browser knows no such format'];
    video.addEventListener('loadeddata', resolve, { once: true });
    video.addEventListener('error', () => {
      const why = reasons[video.error?.code ?? 0] ?? '';
      reject(new Error(`The video does not open: ${why} ${video.error?.message ?? ''}`.trim()));
    });
    video.src = source;
  });
}

export function unload(video) {
  video.removeAttribute('src');
  video.load();
}

// To the middle of the frame that is shown at `seconds`: at a frame's edge a browser may show either.
export async function seekTo(video, seconds, frameRate) {
  const frames = Math.max(1, Math.floor(video.duration * frameRate - 0.5));
  const frame = Math.min(Math.floor(seconds * frameRate + 1e-3), frames - 1);
  const target = (frame + 0.5) / frameRate;
  if (Math.abs(video.currentTime - target) < 1e-4) return target;
  const sought = new Promise((resolve) => video.addEventListener('seeked', resolve, { once: true }));
  video.currentTime = target;
  await sought;
  return target;
}

export const personLine = (facts) =>
  facts.person ? `Person ${facts.person} of 2: the one on the ${facts.place}` : '';
