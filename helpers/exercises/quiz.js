// A multiple-choice question that is answered in the browser, also while the kernel is busy or gone.

import { make, shieldKeys, unique } from "../figures/widgets.js";

/** @typedef {{ kind: string, text: string, options: string[], answer: number, reason: string }} Question */

/**
 * What is said about a choice, with a word and a sign so that colour is not needed.
 * @param {Question} question @param {number | null} chosen the index of an option @param {number} tries this one included
 */
export function verdict(question, chosen, tries) {
  if (chosen === null) return "Choose one first.";
  const count = tries === 1 ? "1 try" : `${tries} tries`;
  if (chosen !== question.answer) return `Wrong ✗ (${count} so far). Choose again.`;
  return `Right ✓ (${count}). ${question.reason}`;
}

function render({ model, el }) {
  /** @type {Question} */
  const question = model.get("question");
  const form = make("form", "quiz", el);
  const group = make("fieldset", "", form);
  make("legend", "", group).textContent = `${question.kind}: ${question.text}`;
  const name = `quiz-${unique()}`;
  const radios = question.options.map((text) => {
    const label = make("label", "", group);
    const radio = make("input", "", label);
    radio.type = "radio";
    radio.name = name;
    make("span", "", label).textContent = text;
    return radio;
  });
  make("button", "", form).textContent = "Check my answer";
  const status = make("p", "", form);
  status.setAttribute("role", "status"); // in the page before its text, so that the text is announced
  let tries = 0;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const index = radios.findIndex((radio) => radio.checked);
    const chosen = index < 0 ? null : index;
    if (chosen !== null) tries++;
    status.textContent = verdict(question, chosen, tries);
    if (chosen === question.answer) form.dispatchEvent(new CustomEvent("solved", { bubbles: true }));
    if (chosen === question.answer) tries = 0; // it can be answered again
  });
  return shieldKeys(form);
}

export default { render };
