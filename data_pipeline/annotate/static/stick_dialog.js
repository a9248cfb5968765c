// The dialog in which a stick is set up by moving it.

import { findAxis } from './gamepad.js';

export async function openStickDialog() {
  const dialog = document.getElementById('stick-dialog');
  const told = document.getElementById('stick-told');
  const stopping = new AbortController();
  dialog.addEventListener('close', () => stopping.abort(), { once: true });
  dialog.showModal();
  if (!navigator.getGamepads) {
    told.textContent = 'This browser gives no page the gamepad here. From another machine it wants https: see --certificate.';
    return null;
  }
  return findAxis((sentence) => (told.textContent = sentence), stopping.signal);
}
