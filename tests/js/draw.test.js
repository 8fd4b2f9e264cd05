// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawPanel } from "../../helpers/figures/draw.js";

export const SPEC = { series: ["#0072B2", "#D55E00"], dashes: [[], [6, 3]], accent: "#D55E00", colours: {} };
const THEME = { dark: false, text: "#202020", faint: "#8a8a8a", paper: "#ffffff", empty: "#e2e2e2", family: "serif" };

/** A canvas context that records the texts drawn on it; each letter is `letter` pixels wide. @param {number} letter */
function recorder(letter) {
  /** @type {{ text: string, x: number, y: number, align: string, turned: boolean }[]} */
  const texts = [];
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
        return name in target ? Reflect.get(target, name) : () => {};
      },
    },
  );
  return { context, texts };
}

/** @param {any} panel @param {number} letter @param {number} width */
function draw(panel, letter = 8, width = 420) {
  const { context, texts } = recorder(letter);
  const frame = drawPanel(context, panel, SPEC, THEME, width, 320, 14);
  return { texts, frame };
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
