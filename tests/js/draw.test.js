// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { handlePlace } from "../../helpers/figures/drag.js";
import { drawPanel, equalScales, ticks } from "../../helpers/figures/draw.js";
import { spread } from "../../helpers/figures/labels.js";

export const SPEC = {
  series: ["#0072B2", "#D55E00"],
  seriesOnDark: ["#4FB3EE", "#FF8A3D"],
  dashes: [[], [6, 3]],
  accent: "#D55E00",
  colours: {},
};
const THEME = { dark: false, text: "#202020", faint: "#8a8a8a", paper: "#ffffff", empty: "#e2e2e2", family: "serif" };

/** A canvas context that records the texts drawn on it; each letter is `letter` pixels wide. @param {number} letter */
function recorder(letter) {
  /** @type {{ text: string, x: number, y: number, align: string, turned: boolean }[]} */
  const texts = [];
  /** @type {number[][]} */
  const corners = [];
  /** @type {string[]} */
  const strokes = []; // their colours
  let turned = false;
  let origin = 0;
  /** @type {any} */
  const context = new Proxy(
    { textAlign: "left" },
    {
      get(target, name) {
        if (name === "measureText") return (/** @type {string} */ text) => ({ width: letter * text.length });
        if (name === "rotate") return () => (turned = true);
        if (name === "translate") return (/** @type {number} */ x) => (origin = x);
        if (name === "restore") {
          return () => {
            turned = false;
            origin = 0;
          };
        }
        if (name === "fillText") {
          return (/** @type {string} */ text, /** @type {number} */ x, /** @type {number} */ y) =>
            texts.push({ text, x: origin + x, y, align: target.textAlign, turned });
        }
        if (name === "stroke") return () => strokes.push(Reflect.get(target, "strokeStyle"));
        if (name === "lineTo") return (/** @type {number[]} */ ...point) => corners.push(point);
        return name in target ? Reflect.get(target, name) : () => {};
      },
    },
  );
  return { context, texts, corners, strokes };
}

/** @param {any} panel @param {number} letter @param {number} width */
function draw(panel, letter = 8, width = 420) {
  const { context, texts, corners, strokes } = recorder(letter);
  const frame = drawPanel(context, panel, SPEC, THEME, width, 320, 14);
  return { texts, corners, strokes, frame };
}

/** @param {string[]} labels */
function bars(labels) {
  const heights = Float32Array.from(labels, () => 1);
  return {
    kind: "bars",
    title: "t",
    x: "",
    y: "",
    limits: [
      [-0.5, labels.length - 0.5],
      [0, 1],
    ],
    options: { labels, highlight: [] },
    arrays: { y: { values: heights, shape: [labels.length], type: "float32" } },
  };
}

for (const [count, length] of [
  [60, 1],
  [60, 2],
  [200, 1],
  [12, 2],
  [5, 6],
]) {
  test(`${count} bar labels of ${length} letters do not overlap`, () => {
    const labels = Array.from({ length: count }, (_, i) => "abcdefghijklmnopqrstuvwxyz"[i % 26].repeat(length));
    const shown = draw(bars(labels)).texts.filter(({ text }) => labels.includes(text));
    assert.ok(shown.length >= Math.min(count, 12), `only ${shown.length} labels`);
    shown.slice(1).forEach(({ text, x, turned }, i) => {
      const room = x - shown[i].x;
      assert.ok(room >= (turned ? 14 : 8 * text.length), `${text} is ${room} px right of its neighbour`);
    });
  });
}

test("labels that are moved apart stay in order, apart and inside", () => {
  for (const wanted of [[], [50], [10, 10, 10], [95, 96, 97], [0, 100, 50, 51], [40, 20, 30]]) {
    const heights = spread(wanted, 12, 5, 100);
    const sorted = [...heights].sort((a, b) => a - b);
    for (let i = 1; i < sorted.length; i++) assert.ok(sorted[i] - sorted[i - 1] >= 12 - 1e-9);
    for (const height of heights) assert.ok(height >= 5 && height <= 100);
    for (const [i, y] of wanted.entries()) {
      for (const [j, other] of wanted.entries()) assert.ok(y >= other || heights[i] < heights[j]);
    }
  }
  assert.deepEqual(spread([20, 60], 12, 5, 100), [20, 60]); // what is apart stays where it is
});

test("with equal scales a unit is as long on both axes and nothing is cut off", () => {
  const [x, y] = equalScales(
    [
      [-1, 3],
      [-1, 1],
    ],
    300,
    200,
  );
  assert.ok(Math.abs(300 / (x[1] - x[0]) - 200 / (y[1] - y[0])) < 1e-9);
  assert.ok(x[0] <= -1 && x[1] >= 3 && y[0] <= -1 && y[1] >= 1);
});

/** @param {number[][]} curves @param {string[]} labels */
function lines(curves, labels) {
  return {
    kind: "lines",
    title: "t",
    x: "",
    y: "",
    limits: [
      [0, curves[0].length - 1],
      [0, 1],
    ],
    options: { labels, cursor: null },
    arrays: {
      x: { values: Float32Array.from(curves[0], (_, i) => i), shape: [curves[0].length], type: "float32" },
      y: { values: Float32Array.from(curves.flat()), shape: [curves.length, curves[0].length], type: "float32" },
    },
  };
}

test("curves are named at their right ends, outside of the data", () => {
  const labels = ["first", "second", "third"];
  const { texts, frame } = draw(
    lines(
      [
        [0, 0.2],
        [0, 0.9],
        [0, 0.91],
      ],
      labels,
    ),
  );
  const named = labels.map((label) => /** @type {any} */ (texts.find(({ text }) => text === label)));
  for (const { text, x } of named) {
    assert.ok(x >= frame.left + frame.width && x + 8 * text.length <= 420, `${text} at ${x}`);
  }
  assert.ok(named[2].y <= named[1].y - 14 && named[1].y < named[0].y);
});

test("the cursor is drawn behind the curves", () => {
  const panel = lines([[0, 1, 0]], [""]);
  const { strokes } = draw({ ...panel, options: { ...panel.options, cursor: 1 } });
  assert.deepEqual(strokes.slice(-2), [THEME.text, SPEC.series[0]]);
});

test("a long name of a curve fits beside a narrow chart", () => {
  const label = "Llama 3: d = 4,096";
  const { texts, frame } = draw(lines([[0, 1]], [label]), 6.4, 272);
  const { x } = /** @type {any} */ (texts.find(({ text }) => text === label));
  assert.ok(x >= frame.left + frame.width && x + 6.4 * label.length <= 272, `at ${x}`);
});

test("an axis has two ticks or more", () => {
  assert.deepEqual(ticks(-0.99, 0.99, 2), [-0.5, 0, 0.5]);
  assert.deepEqual(ticks(0, 360, 2), [0, 200]);
  assert.deepEqual(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  for (const low of [-7, -1, -0.3, 0.1, 3, 98]) {
    for (const span of [0.02, 0.7, 1, 1.98, 9.9, 63, 4000]) {
      for (const wanted of [2, 3, 5, 8]) {
        const found = ticks(low, low + span, wanted);
        assert.ok(found.length >= 2 && found.length <= wanted + 2, `${low} ${span} ${wanted}: ${found}`);
      }
    }
  }
});

test("the handle of a cursor covers no tick and stays inside the chart", () => {
  const drag = { mark: 0, x: "n", y: null, angle: null, radius: null, radians: 1 };
  const panel = lines([[0, 1, 0, 1]], [""]);
  const handles = [0, 1, 3, 4].map((cursor) => {
    const dragged = { ...panel, options: { ...panel.options, cursor, drag: [drag] } };
    const { texts, frame } = draw(dragged);
    const [x, y] = handlePlace(dragged, frame, drag);
    for (const { text, x: left, y: top, align } of texts) {
      if (align === "center") assert.ok(top >= y + 10, `${text} stands ${top - y} px below the handle`);
      if (align === "right") assert.ok(left <= frame.left - 10, `${text} ends at ${left}`);
    }
    return x - frame.left - frame.width;
  });
  assert.ok(Math.max(...handles) <= 0);
});

test("the name of an arrow that is dragged stands beside its handle", () => {
  const drag = [{ mark: 0, x: "a", y: "b", angle: null, radius: null, radians: 1 }];
  const tips = { xy: { values: Float32Array.from([0, 1]) }, tails: { values: new Float32Array(2) } };
  const limits = [
    [-1, 1],
    [-1, 1],
  ];
  const options = { labels: ["query"], equal: false, drag };
  const { texts, frame } = draw({ kind: "arrows", title: "t", x: "", y: "", limits, options, arrays: tips });
  const { x, y } = /** @type {any} */ (texts.find(({ text }) => text === "query"));
  const [tipX, tipY] = [frame.sx(0), frame.sy(1)];
  const apart = x >= tipX + 10 || x + 40 <= tipX - 10 || Math.abs(y - tipY) >= 17;
  assert.ok(apart, `label at ${x}, ${y}, tip at ${tipX}, ${tipY}`);
});

test("the name of an arrow stays inside the frame", () => {
  const { texts, frame } = draw({
    kind: "arrows",
    title: "t",
    x: "",
    y: "",
    limits: [
      [-1, 1],
      [-1, 1],
    ],
    options: { labels: ["right end", "left end", "bottom"], equal: false },
    arrays: {
      xy: { values: Float32Array.from([1, 0, -1, 0, 0, -1]) },
      tails: { values: new Float32Array(6) },
    },
  });
  for (const { text, x, y, align } of texts.filter(({ text }) => text.includes("end") || text === "bottom")) {
    const left = align === "right" ? x - 8 * text.length : x;
    assert.ok(left >= frame.left && left + 8 * text.length <= frame.left + frame.width, `${text} from ${left}`);
    assert.ok(y >= frame.top + 7 && y <= frame.top + frame.height - 7, `${text} at ${y}`);
  }
});

test("the head of an arrow is at most 40 % of its length", () => {
  const limits = [
    [-1, 1],
    [-1, 1],
  ];
  for (const length of [0.02, 0.1, 1]) {
    const arrays = { xy: { values: Float32Array.from([length, 0]) }, tails: { values: new Float32Array(2) } };
    const options = { labels: null, equal: false };
    const { corners, frame } = draw({ kind: "arrows", title: "t", x: "", y: "", limits, options, arrays });
    const whole = frame.sx(length) - frame.sx(0);
    for (const [x] of corners.slice(-2)) assert.ok(frame.sx(length) - x <= Math.min(14, 0.4 * whole), `${length}`);
    assert.ok(corners.slice(-1)[0][0] < frame.sx(length));
  }
});
