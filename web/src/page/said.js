// What the page says: a line for eyes and screen readers, what is waited for, how far it has come.

import { isText, text } from "./texts.js";

export const element = (id) => document.getElementById(id);

/** Say a text in the line at the bottom, which screen readers read out. */
export const say = (name, ...values) => (element("status").textContent = text(name, ...values));

/** Say over the picture what is waited for, or nothing any more. */
export function wait(name, ...values) {
  element("busy").hidden = !name;
  if (name) element("busyText").textContent = text(name, ...values);
}

/** Say why something with a file failed: its message is the name of a text, or a browser's own. */
export const explain = ({ message }, file) => say(isText(message) ? message : "memory", file);

let stopper = null;
let last = Promise.resolve();

/** Do what lasts, after what lasts already, with progress and a Stop: `act(tell, signal)`. */
export function lasting(act) {
  const bar = element("progress").querySelector("progress");
  last = last.catch(() => {}).then(async () => {
    stopper = new AbortController();
    bar.value = 0;
    element("progress").hidden = false;
    try {
      return await act((share) => (bar.value = share), stopper.signal);
    } finally {
      element("progress").hidden = true;
    }
  });
  return last;
}

export const stop = () => stopper?.abort();
