// What an annotator chose, kept by the browser. Nothing that must not be lost is kept here.

const KEY = 'affwildnet-annotate';

function all() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

export const setting = (name, otherwise) => all()[name] ?? otherwise;

export function keep(name, value) {
  localStorage.setItem(KEY, JSON.stringify({ ...all(), [name]: value }));
}
