// What figures and quizzes share: elements, unique names, and keys that JupyterLab must not take.

/**
 * Appends a new element to a parent.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {string} className @param {Element} parent
 */
export function make(tag, className, parent) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  parent.append(element);
  return element;
}

/** Sixteen hexadecimal digits that no other view has. */
export function unique() {
  return Array.from(crypto.getRandomValues(new Uint32Array(2)), (part) => part.toString(16).padStart(8, "0")).join("");
}

/**
 * Keeps keys for the inputs of an element: JupyterLab would move the cell selection with arrow keys and delete the cell
 * with `d d`. Keys with Ctrl or Cmd pass, so that Ctrl+S saves. Returns a function that ends it.
 * @param {HTMLElement} root
 */
export function shieldKeys(root) {
  const suppress = (/** @type {boolean} */ on) => {
    if (on) root.dataset.lmSuppressShortcuts = "true";
    else delete root.dataset.lmSuppressShortcuts;
  };
  const before = (/** @type {KeyboardEvent} */ event) => suppress(!(event.ctrlKey || event.metaKey));
  const stop = (/** @type {KeyboardEvent} */ event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  };
  suppress(true);
  window.addEventListener("keydown", before, true); // before JupyterLab's own listener on the document
  root.addEventListener("keydown", stop);
  return () => window.removeEventListener("keydown", before, true);
}
