// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { keys, linked, markLinked } from "../../helpers/figures/links.js";
import { numbersOf } from "../../helpers/figures/tables.js";

/** @param {number} rows @param {number} columns @param {any} more */
function heat(rows, columns, more = {}) {
  const { x = "", y = "", x_labels, y_labels, sent = [rows, columns] } = more;
  const values = Float32Array.from({ length: sent[0] * sent[1] }, (_, i) => i);
  return {
    kind: "heatmap",
    x,
    y,
    shape: [rows, columns],
    limits: [
      [0, columns],
      [0, 1],
    ],
    options: { x_labels: x_labels ?? null, y_labels: y_labels ?? null },
    arrays: { values: { values, shape: sent, type: "float32" } },
  };
}

/** @param {number[]} xs @param {string} x @param {string[]} labels */
function lines(xs, x, labels = [""]) {
  const values = new Float32Array(xs.length * labels.length);
  return {
    kind: "lines",
    x,
    y: "",
    options: { labels },
    arrays: {
      x: { values: Float32Array.from(xs), shape: [xs.length] },
      y: { values, shape: [labels.length, xs.length] },
    },
  };
}

/** @param {string[] | null} labels */
const bars = (labels, x = "", count = labels?.length ?? 4) => ({
  kind: "bars",
  x,
  y: "",
  options: { labels },
  arrays: { y: { values: new Float32Array(count) } },
});

/** @param {string[]} labels */
const points = (labels) => ({
  kind: "points",
  options: { labels },
  arrays: { xy: { values: new Float32Array(2 * labels.length) } },
});

test("rows and columns are the same where their axes have the same name", () => {
  const table = heat(10, 4, { x: "dimension", y: "position" });
  const pairs = heat(10, 10, { x: "position", y: "position" });
  const read = keys(table, [3, 7]);
  assert.deepEqual(linked(pairs, read), [-1, 7]);
  assert.deepEqual(linked(lines([0, 2, 4, 6, 8], "position"), keys(pairs, [4, 9])), [2, -1]); // the column, not the row
  assert.deepEqual(linked(lines([5, 6, 7], "position"), read), [2, -1]);
  assert.deepEqual(linked(lines([50, 60], "position"), read), [-1, -1]);
  assert.deepEqual(linked(heat(10, 4, { x: "x", y: "y" }), read), [-1, -1]);
  assert.deepEqual(linked(heat(10, 4), keys(heat(10, 4), [1, 1])), [-1, -1]); // axes without a name mean nothing
});

test("a row of a table that travels in part is compared by its real number", () => {
  const large = heat(100, 100, { x: "dimension", y: "position", sent: [50, 50] });
  assert.deepEqual(linked(bars(null, "position", 100), keys(large, [0, 20])), [40]);
});

test("words are the same in points, bars, rows and curves", () => {
  const words = ["cat", "dog", "queen"];
  assert.deepEqual(linked(bars(["dog", "cat"]), keys(points(words), [0, 0])), [1]);
  assert.deepEqual(linked(points(words), keys(bars(["dog", "cat"]), [0, 0])), [1]);
  assert.deepEqual(linked(heat(3, 2, { y_labels: words }), keys(points(words), [2, 0])), [-1, 2]);
  assert.deepEqual(linked(lines([0, 1], "x", words), keys(bars(words), [1, 0])), [-1, 1]);
  assert.deepEqual(linked(points(["", "x"]), keys(points(["", "y"]), [0, 0])), [-1]); // no name is no word
  const twice = { y_labels: ["the", "dog", "saw", "the"] };
  assert.deepEqual(linked(heat(4, 2, twice), keys(heat(4, 2, twice), [1, 3])), [-1, 3]);
  // Row 3 of some named rows is not row 3 of all rows.
  assert.deepEqual(linked(heat(9, 2, { y: "id" }), keys(heat(3, 2, { y: "id", y_labels: words }), [0, 2])), [-1, -1]);
});

test("the numbers of a table stand under their names", () => {
  const numbers = numbersOf(heat(100, 4, { x: "dimension", y: "position", sent: [50, 4] }));
  assert.equal(numbers.rows[10], "20");
  assert.equal(numbers.value(10, 3), "43");
  assert.ok(numbers.notes.some((note) => note.includes("every few")));
  assert.deepEqual(numbersOf(bars(["a", "b"])).rows, ["a", "b"]);
});

test("a marked row or cell is outlined from outside", () => {
  const frame = { sx: (/** @type {number} */ x) => 50 + 4 * x, sy: (/** @type {number} */ y) => 10 + 2 * y };
  const theme = { paper: "#ffffff", text: "#202020" };
  /** The outline around a place of a table: the inner edges of its strokes. @param {number[]} found */
  const outline = (found) => {
    /** @type {number[][]} */
    const edges = [];
    const context = {
      lineWidth: 0,
      rect(/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ wide, /** @type {number} */ high) {
        const inner = this.lineWidth / 2;
        edges.push([x + inner, y + inner, x + wide - inner, y + high - inner]);
      },
      save() {},
      restore() {},
      setLineDash() {},
      beginPath() {},
      stroke() {},
    };
    markLinked(context, heat(60, 8), theme, frame, found, 14);
    return edges;
  };
  assert.deepEqual(outline([-1, 40])[0], [50, 90, 82, 92]);
  assert.deepEqual(outline([3, 40])[0], [62, 90, 66, 92]);
});
