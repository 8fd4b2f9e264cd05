// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { follow, handlePlace, keyed } from "../../helpers/figures/drag.js";

const range = (/** @type {number} */ low, /** @type {number} */ high, step = 1) =>
  Array.from({ length: Math.round((high - low) / step) + 1 }, (_, i) => low + i * step);
const NONE = { mark: 0, x: null, y: null, angle: null, radius: null, radians: 1 };
// 100 pixels a unit, the origin at (200, 200), y upwards.
const FRAME = {
  left: 0,
  top: 0,
  width: 400,
  height: 400,
  sx: (/** @type {number} */ x) => 200 + 100 * x,
  sy: (/** @type {number} */ y) => 200 - 100 * y,
  ix: (/** @type {number} */ px) => (px - 200) / 100,
  iy: (/** @type {number} */ py) => (200 - py) / 100,
};
const tip = (/** @type {number} */ angle, radius = 1) =>
  /** @type {[number, number]} */ ([200 + 100 * radius * Math.cos(angle), 200 - 100 * radius * Math.sin(angle)]);
const ARROWS = {
  kind: "arrows",
  options: {},
  arrays: { xy: { values: Float32Array.from([0, 1]) }, tails: { values: new Float32Array(2) } },
};

test("a tip that goes round moves its angle, and past one turn of the slider starts again", () => {
  const drag = { ...NONE, angle: "degrees", radius: "length", radians: Math.PI / 180 };
  const stops = { degrees: range(0, 360, 5), length: range(0, 2, 0.5) };
  const to = follow(ARROWS, FRAME, drag, { degrees: 330, length: 1 }, stops, tip((330 * Math.PI) / 180));
  assert.deepEqual(to(tip((350 * Math.PI) / 180, 1.4)), { degrees: 350, length: 1.5 });
  assert.deepEqual(to(tip((20 * Math.PI) / 180, 9)), { degrees: 20, length: 2 });
  assert.deepEqual(to(tip((340 * Math.PI) / 180, 0.1)), { degrees: 340, length: 0 });
});

test("a control of several turns counts them", () => {
  const drag = { ...NONE, angle: "m", radians: 0.5 };
  const to = follow(ARROWS, FRAME, drag, { m: 2 }, { m: range(0, 24) }, tip(1));
  let last = 2;
  for (let m = 2; m <= 24; m += 1) last = to(tip(m * 0.5)).m; // 11 radians, in steps
  assert.equal(last, 24);
  for (let m = 24; m >= 10; m -= 1) last = to(tip(m * 0.5)).m;
  assert.equal(last, 10);
});

test("a mark that turns clockwise has a control that rises clockwise", () => {
  const to = follow(ARROWS, FRAME, { ...NONE, angle: "m", radians: -0.5 }, { m: 5 }, { m: range(0, 24) }, tip(0));
  assert.deepEqual(to(tip(-1)), { m: 7 });
});

test("a cursor, a row and a point take the nearest stop within the range of their controls", () => {
  const lines = { kind: "lines", options: { cursor: 1 }, arrays: {} };
  const across = follow(lines, FRAME, { ...NONE, x: "p" }, { p: 1 }, { p: [0, 1, 1.5] }, [310, 400]);
  assert.deepEqual(across([310, 380]), { p: 1 }); // beside its middle it does not jump
  assert.deepEqual(across([370, 0]), { p: 1.5 });
  assert.deepEqual(across([-900, 0]), { p: 0 });
  const heat = { kind: "heatmap", options: { rows: [1] }, arrays: {} };
  const rows = { ...FRAME, sy: (/** @type {number} */ y) => 100 * y, iy: (/** @type {number} */ py) => py / 100 };
  assert.deepEqual(handlePlace(heat, rows, { ...NONE, y: "p" }), [0, 150]);
  assert.deepEqual(follow(heat, rows, { ...NONE, y: "p" }, { p: 1 }, { p: range(0, 3) }, [0, 150])([90, 340]), {
    p: 3,
  });
  const point = { kind: "points", options: {}, arrays: { xy: { values: Float32Array.from([0, 0]) } } };
  const both = follow(
    point,
    FRAME,
    { ...NONE, x: "a", y: "b" },
    { a: 0, b: 0 },
    { a: range(-2, 2), b: range(-2, 2) },
    [200, 200],
  );
  assert.deepEqual(both([290, 310]), { a: 1, b: -1 });
});

test("arrow keys move the mark the way they point", () => {
  const stops = { a: range(0, 20), b: range(0, 20) };
  const values = { a: 5, b: 5 };
  const plane = { ...NONE, x: "a", y: "b" };
  const pressed = (/** @type {any} */ panel, /** @type {any} */ drag, /** @type {string} */ key) =>
    keyed(panel, drag, key, values, stops);
  assert.deepEqual(pressed(ARROWS, plane, "ArrowRight"), ["a", 6]);
  assert.deepEqual(pressed(ARROWS, plane, "ArrowUp"), ["b", 6]);
  const heat = { kind: "heatmap" };
  assert.deepEqual(pressed(heat, { ...NONE, y: "a" }, "ArrowDown"), ["a", 6]); // row 0 is on top
  assert.deepEqual(pressed(heat, { ...NONE, y: "a" }, "PageUp"), ["a", 0]);
  assert.deepEqual(pressed(ARROWS, { ...NONE, angle: "a" }, "End"), ["a", 20]);
  assert.equal(pressed(ARROWS, plane, "x"), null);
  assert.equal(pressed(ARROWS, plane, "toString"), null);
});
