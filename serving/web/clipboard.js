// Copying, also where the page was not loaded over https and browsers have no clipboard for it.

/** Copy a text and say so on the button for a moment. */
export async function copyFrom(button, text) {
  const label = button.dataset.label || (button.dataset.label = button.textContent);
  const done = await copied(text);
  button.textContent = done ? "Copied" : "Press Ctrl+C";
  setTimeout(() => (button.textContent = label), 1500);
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedBySelection(text);
  }
}

function copiedBySelection(text) {
  const field = document.createElement("textarea");
  const focused = document.activeElement;
  field.value = text;
  field.className = "hidden";
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return done;
}
