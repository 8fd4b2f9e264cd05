// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { verdict } from "../../helpers/exercises/quiz.js";

const QUESTION = { kind: "Predict", text: "How many?", options: ["ten", "two"], answer: 1, reason: "Count them." };

test("without a choice nothing is given away", () => {
  assert.equal(verdict(QUESTION, null, 0), "Choose one first.");
});

test("a wrong choice does not show the reason", () => {
  assert.equal(verdict(QUESTION, 0, 1), "Wrong ✗ (1 try so far). Choose again.");
  assert.equal(verdict(QUESTION, 0, 2), "Wrong ✗ (2 tries so far). Choose again.");
});

test("the right choice shows the reason and the number of tries", () => {
  assert.equal(verdict(QUESTION, 1, 1), "Right ✓ (1 try). Count them.");
  assert.equal(verdict(QUESTION, 1, 3), "Right ✓ (3 tries). Count them.");
});
