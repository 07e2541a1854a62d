// Elements from plain values. Text is only ever set as text, so nothing typed becomes markup.

export const byId = (id) => document.getElementById(id);

/** A new element: its properties, then its children (elements or strings). */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** Calls `action` once nothing has been asked for `wait` milliseconds. */
export function debounced(action, wait) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, wait);
  };
}

/** Calls `action` when the pointer has left; a finger leaves at once, and wants to look first. */
export function onLeave(root, action) {
  root.addEventListener("pointerleave", ({ pointerType }) => {
    if (pointerType !== "touch") action();
  });
}

/** Light a word by 0 to 1; of a long text most words stay dark, and are left alone. */
export function setLight(word, light) {
  if (!light && !word.classList.contains("lit")) return;
  word.style.setProperty("--light", light.toFixed(3));
  word.classList.toggle("lit", light > 0);
}

export const percent = (share) => `${Math.round(share * 100)} %`;
