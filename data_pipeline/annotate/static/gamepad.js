// Sticks: which axis, which way and which dead zone are found by moving it, and kept by the stick's name.

import { keep, setting } from './settings.js';

const LIMIT = 1000;

// Browsers list sticks only after one of their buttons was pressed.
export const connected = () => [...(navigator.getGamepads?.() ?? [])].filter((pad) => pad?.connected);

// {axis, sign, dead, id} of the stick that was set up last, or null.
export const setUp = () => setting('gamepad', null);

const find = (chosen) => connected().find((pad) => pad.id === chosen.id && pad.axes.length > chosen.axis);

// -1 … 1 of an axis -> a whole number; within the dead zone 0, and from there on evenly to the end.
export function valueOf(axis, chosen) {
  const turned = chosen.sign * Math.min(1, Math.max(-1, axis));
  const size = Math.abs(turned);
  if (size <= chosen.dead) return 0;
  return Math.round((Math.sign(turned) * LIMIT * (size - chosen.dead)) / (1 - chosen.dead));
}

// `onEvent('unplugged' | 'plugged')`. Unplugged, it keeps its last value, which is none to record: `missing` says so.
export function gamepadInput(onEvent) {
  let chosen = setUp();
  let there = true;
  let value = 0;
  let stamp = 0;
  const look = () => {
    // Not set up, it is the first stick that is listed.
    if (!chosen && connected().length) chosen = { id: connected()[0].id, axis: 1, sign: -1, dead: 0.05 };
    return chosen && find(chosen);
  };
  return {
    missing: () => (look() ? '' : 'The stick is not there: plug it in and press a button on the stick, or choose another input.'),
    poll: (now) => {
      const pad = look();
      if (Boolean(pad) !== there) {
        there = Boolean(pad);
        onEvent(there ? 'plugged' : 'unplugged');
      }
      if (pad) {
        const found = valueOf(pad.axes[chosen.axis], chosen);
        // Where a browser gives no time stamps, a change is as old as this look at it.
        if (pad.timestamp > 0) stamp = pad.timestamp;
        else if (found !== value) stamp = now;
        value = found;
      }
      return { value, stamp, given: pad ? [{ value, stamp }] : [] };
    },
    close: () => {},
  };
}

const PUSHED = 0.6; // of an axis' way
const REST_MS = 1000;

// Asks for a push and a rest: `tell(sentence)` says what to do. Resolves with what was found, also kept; null where
// `signal` was aborted.
export async function findAxis(tell, signal) {
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  tell('Press a button of the stick, then let go of it.');
  while (!connected().length && !signal.aborted) await frame();
  const begun = new Map(connected().map((pad) => [pad.index, [...pad.axes]]));
  tell('Push the stick as far as it goes to the POSITIVE end of the scale.');
  let chosen = null;
  while (!chosen && !signal.aborted) {
    await frame();
    for (const pad of connected()) {
      const rest = begun.get(pad.index) ?? [...pad.axes];
      begun.set(pad.index, rest);
      pad.axes.forEach((value, axis) => {
        const moved = value - rest[axis];
        // Triggers rest at an end and are no sticks.
        if (Math.abs(moved) >= PUSHED && Math.abs(value) >= PUSHED && !chosen) {
          chosen = { id: pad.id, axis, sign: Math.sign(moved), dead: 0 };
        }
      });
    }
  }
  if (signal.aborted) return null;
  tell('Good. Now let go of the stick and leave it alone.');
  const still = () => Math.abs(find(chosen)?.axes[chosen.axis] ?? 0);
  const start = performance.now();
  while (still() > 0.3 && performance.now() - start < 10000 && !signal.aborted) await frame();
  let most = 0;
  const rested = performance.now();
  while (performance.now() - rested < REST_MS && !signal.aborted) {
    await frame();
    // The first moments may still see the spring swing.
    if (performance.now() - rested > REST_MS / 3) most = Math.max(most, still());
  }
  if (signal.aborted) return null;
  chosen.dead = Math.min(0.3, 1.5 * most);
  keep('gamepad', chosen);
  tell(`Axis ${chosen.axis} of ${chosen.id}, dead zone ${(100 * chosen.dead).toFixed(0)} %.`);
  return chosen;
}
