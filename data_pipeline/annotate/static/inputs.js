// How a value is given. Each input is `{poll(now) -> {value, stamp, given}, close()}`: a whole number from -1000 to 1000,
// when it was given, in milliseconds of performance.now(), and what was given since the last poll, `[{value, stamp}]`,
// so that a busy page loses nothing of a movement. An input that may be absent has `missing() -> why it gives no value`,
// '' while it is there. A new input is a function and a line of INPUTS.

import { gamepadInput } from './gamepad.js';

const LIMIT = 1000;
export const clamp = (value) => Math.round(Math.min(LIMIT, Math.max(-LIMIT, value)));

const CLOSEST_MS = 4; // some mice tell a thousand times a second

// The value now, and what was given since somebody looked.
function memory() {
  let given = [];
  let value = 0;
  let stamp = 0;
  return {
    value: () => value,
    give: (next, at) => {
      value = clamp(next);
      stamp = at;
      if (given.length && at - given.at(-1).stamp < CLOSEST_MS) given.pop();
      given.push({ value, stamp });
      if (given.length > 1000) given.shift();
    },
    poll: () => {
      const found = { value, stamp, given };
      given = [];
      return found;
    },
  };
}

// The pointer's height beside the bar is the value: up is more. A mouse need not press a button.
function pointerInput(bar, kind) {
  const kept = memory();
  let held = null;
  const take = (event) => {
    const box = bar.getBoundingClientRect();
    const all = event.getCoalescedEvents?.() ?? [];
    for (const one of all.length ? all : [event]) {
      kept.give(LIMIT * (1 - (2 * (one.clientY - box.top)) / box.height), one.timeStamp);
    }
  };
  const moved = (event) => {
    if (event.pointerType !== kind && !(kind === 'touch' && event.pointerType === 'pen')) return;
    if (kind === 'mouse' || held === event.pointerId) take(event);
  };
  const pressed = (event) => {
    if (kind !== 'touch' || event.pointerType === 'mouse' || !bar.contains(event.target)) return;
    held = event.pointerId;
    bar.setPointerCapture(event.pointerId);
    take(event);
    event.preventDefault();
  };
  const released = (event) => {
    if (held === event.pointerId) held = null; // the value stays
  };
  const listening = new AbortController();
  const options = { signal: listening.signal };
  window.addEventListener('pointermove', moved, options);
  window.addEventListener('pointerdown', pressed, options);
  window.addEventListener('pointerup', released, options);
  window.addEventListener('pointercancel', released, options);
  return { poll: kept.poll, close: () => listening.abort() };
}

const KEYS = { ArrowUp: 1, ArrowDown: -1, w: 1, s: -1 };
const JUMPS = { PageUp: 100, PageDown: -100 };
const TAP = 20;
const SPEED = 0.9; // units a millisecond while a key is held
const HELD_AFTER = 180; // milliseconds after which a tap is a hold

// Arrows move the value while they are held, page keys jump, 0 or Home goes back to nothing.
function keyboardInput() {
  const kept = memory();
  let held = null; // {key, direction, last}
  const down = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input, select, textarea, dialog')) return;
    const direction = KEYS[event.key] ?? KEYS[event.key.toLowerCase()];
    if (direction) {
      if (!event.repeat) {
        kept.give(kept.value() + TAP * direction, event.timeStamp);
        held = { key: event.key, direction, last: event.timeStamp + HELD_AFTER };
      }
    } else if (JUMPS[event.key]) kept.give(kept.value() + JUMPS[event.key], event.timeStamp);
    else if (event.key === '0' || event.key === 'Home') kept.give(0, event.timeStamp);
    else return;
    event.preventDefault();
  };
  const up = (event) => {
    if (held?.key.toLowerCase() !== event.key.toLowerCase()) return;
    advance(event.timeStamp);
    held = null;
  };
  const advance = (now) => {
    if (!held || now <= held.last) return;
    kept.give(kept.value() + SPEED * held.direction * (now - held.last), now);
    held.last = now;
  };
  const listening = new AbortController();
  const options = { signal: listening.signal };
  window.addEventListener('keydown', down, options);
  window.addEventListener('keyup', up, options);
  window.addEventListener('blur', () => (held = null), options);
  return {
    poll: (now) => {
      advance(now);
      return kept.poll();
    },
    close: () => listening.abort(),
  };
}

const WHEEL_STEP = 50; // units for a notch of 100 pixels or 3 lines

function wheelInput() {
  const kept = memory();
  const turned = (event) => {
    if (event.ctrlKey || event.target.closest('dialog')) return;
    const notches = event.deltaMode === 1 ? event.deltaY / 3 : event.deltaMode === 2 ? event.deltaY : event.deltaY / 100;
    kept.give(kept.value() - WHEEL_STEP * notches, event.timeStamp);
    event.preventDefault();
  };
  window.addEventListener('wheel', turned, { passive: false });
  return { poll: kept.poll, close: () => window.removeEventListener('wheel', turned) };
}

export const INPUTS = {
  gamepad: {
    title: 'Joystick or gamepad',
    help: 'Push the stick towards you or away, as you have set it up.',
    make: (bar, onEvent) => gamepadInput(onEvent),
  },
  mouse: {
    title: 'Mouse',
    help: 'The height of the pointer is the value; no button is needed.',
    make: (bar) => pointerInput(bar, 'mouse'),
  },
  touch: {
    title: 'Touch or pen',
    help: 'Slide along the bar; the value stays when you let go.',
    make: (bar) => pointerInput(bar, 'touch'),
  },
  keyboard: {
    title: 'Keyboard',
    help: 'Hold Up or Down (or W, S); Page Up and Page Down jump by 100; 0 goes to nothing.',
    make: () => keyboardInput(),
  },
  wheel: {
    title: 'Wheel',
    help: 'Each notch of the wheel is 50.',
    make: () => wheelInput(),
  },
};
