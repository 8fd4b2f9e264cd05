// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { placeLabels } from "../../helpers/figures/labels.js";

const FRAME = { left: 0, top: 0, right: 400, bottom: 300 };

/** A generator of numbers in 0..1 that starts anew in every test. @param {number} seed */
function numbers(seed) {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return state / 2 ** 31;
  };
}

/** @param {number} seed @param {number} count @param {boolean} required */
function crowd(seed, count, required) {
  const next = numbers(seed);
  return Array.from({ length: count }, () => ({
    x: 400 * next(),
    y: 300 * next(),
    width: 20 + 60 * next(),
    height: 15,
    gap: 6,
    required,
  }));
}

/** @param {any} one @param {any} other */
const meet = (one, other) =>
  one.left < other.right - 1e-9 && other.left < one.right - 1e-9 && one.top < other.bottom && other.top < one.bottom;
/** @param {any} box */
const isInside = (box) => box.left >= -1e-9 && box.top >= -1e-9 && box.right <= 400 + 1e-9 && box.bottom <= 300 + 1e-9;

for (const count of [5, 40, 200]) {
  test(`of ${count} labels those that are written hide nothing`, () => {
    const requests = crowd(count, count, false);
    const dots = requests.map(({ x, y }) => ({ left: x - 4, top: y - 4, right: x + 4, bottom: y + 4 }));
    const boxes = placeLabels(requests, dots, FRAME);
    const written = boxes.filter((box) => box !== null);
    assert.ok(written.length >= Math.min(count, 20) * 0.6, `only ${written.length}`);
    written.forEach((box, i) => {
      assert.ok(isInside(box));
      for (const other of [...dots, ...written.slice(i + 1)]) assert.ok(!meet(box, other));
    });
  });
}

test("required labels are all written, inside the frame", () => {
  const boxes = placeLabels(crowd(7, 60, true), [], FRAME);
  assert.ok(boxes.every((box) => box !== null && isInside(box)));
});

test("a label stands in the wanted direction if there is room", () => {
  const request = { x: 200, y: 150, width: 40, height: 15, gap: 10, required: true };
  /** @type {[number, number][]} */
  const directions = [
    [1, 0],
    [-1, 0],
    [0, 1],
    [0, -1],
  ];
  for (const toward of directions) {
    const [box] = placeLabels([{ ...request, toward }], [], FRAME);
    assert.ok(box);
    const middle = [(box.left + box.right) / 2 - 200, (box.top + box.bottom) / 2 - 150];
    assert.ok(middle[0] * toward[0] + middle[1] * toward[1] > 10);
  }
});
