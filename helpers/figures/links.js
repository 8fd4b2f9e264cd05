// What is read in one panel is marked in the others: the same row, column, bar, word or curve.

import { outlineCells, strokeWithHalo } from "./draw.js";
import { reader } from "./reading.js";

/**
 * A direction of a panel: its values in order, named by labels or, without labels, numbers of a named axis.
 * @typedef {{ axis: string, name: string, count: number, labels: string[] | null, value: (i: number) => number }} Direction
 * @typedef {{ axis: string, name: string, index: number, label: string | null, value: number }} Key
 */

/** The directions of a panel, in the order of its reading cursor. @returns {Direction[]} */
function directions(panel) {
  const { options, arrays } = panel;
  const numbered = (i) => i;
  if (panel.kind === "heatmap") {
    const [rows, columns] = arrays.values.shape;
    const real = (all, sent) => (i) => Math.round((i * all) / sent);
    return [
      { axis: "x", name: panel.x, count: columns, labels: options.x_labels, value: real(panel.shape[1], columns) },
      { axis: "y", name: panel.y, count: rows, labels: options.y_labels, value: real(panel.shape[0], rows) },
    ];
  }
  if (panel.kind === "lines") {
    const [curves, count] = arrays.y.shape;
    const xs = arrays.x.values;
    return [
      { axis: "x", name: panel.x, count, labels: options.x_labels ?? null, value: (i) => xs[i] },
      { axis: "curve", name: "", count: curves, labels: options.labels, value: numbered },
    ];
  }
  const count = panel.kind === "bars" ? arrays.y.values.length : arrays.xy.values.length / 2;
  const name = panel.kind === "bars" ? panel.x : "";
  return [{ axis: "x", name, count, labels: options.labels, value: numbered }];
}

/** What the reading cursor of a panel stands on. @param {number[]} place @returns {Key[]} */
export function keys(panel, place) {
  return directions(panel).map(({ axis, name, labels, value }, d) => ({
    axis,
    name,
    index: place[d],
    label: labels ? labels[place[d]] : null,
    value: value(place[d]),
  }));
}

/** The index along a direction that a key means, or -1. @param {Direction} direction @param {Key} key */
function find({ name, count, labels, value }, key) {
  if (labels && key.label) return labels[key.index] === key.label ? key.index : labels.indexOf(key.label);
  if (labels || key.label !== null || !name || name !== key.name) return -1;
  let nearest = 0;
  for (let i = 1; i < count; i++) {
    if (Math.abs(value(i) - key.value) < Math.abs(value(nearest) - key.value)) nearest = i;
  }
  const step = count > 1 ? Math.abs(value(1) - value(0)) : 1;
  return Math.abs(value(nearest) - key.value) <= step / 2 ? nearest : -1;
}

/**
 * For each direction of a panel the index that the keys of another panel mean, or -1. A key is used once, by the
 * direction of the same axis if there is one.
 * @param {Key[]} given
 */
export function linked(panel, given) {
  const all = directions(panel);
  const found = all.map(() => -1);
  const left = new Set(given);
  for (const sameAxis of [true, false]) {
    all.forEach((direction, d) => {
      for (const key of left) {
        if (found[d] >= 0 || (sameAxis && key.axis !== direction.axis)) continue;
        found[d] = find(direction, key);
        if (found[d] >= 0) left.delete(key);
      }
    });
  }
  return found;
}

/** Marks the linked values of a panel. @param {number[]} found one index a direction, or -1 */
export function markLinked(context, panel, theme, frame, found, font) {
  const [first, second] = found;
  const ring = (place) => {
    const [x, y] = reader(panel).at(...place);
    strokeWithHalo(context, theme, () => context.arc(frame.sx(x), frame.sy(y), font * 0.4, 0, 7));
  };
  if (first < 0 && !(second >= 0)) return;
  context.save();
  context.setLineDash([4, 3]);
  if (panel.kind === "heatmap") {
    const [rows, columns] = panel.arrays.values.shape;
    const [tall, wide] = [panel.shape[0] / rows, panel.shape[1] / columns];
    const [x0, x1] = first < 0 ? [0, columns] : [first, first + 1];
    const [y0, y1] = second < 0 ? [0, rows] : [second, second + 1];
    outlineCells(context, theme, frame, [x0 * wide, x1 * wide], [y0 * tall, y1 * tall]);
  } else if (panel.kind === "lines") {
    const [curves, count] = panel.arrays.y.shape;
    const stops =
      first >= 0
        ? [first]
        : Array.from({ length: Math.min(count, 12) }, (_, i) => Math.floor((i * count) / Math.min(count, 12)));
    for (let c = 0; c < curves; c++) if (second < 0 || c === second) for (const i of stops) ring([i, c]);
  } else if (panel.kind === "bars") {
    const [left, top] = [frame.sx(first - 0.4), frame.sy(0)];
    const [wide, high] = [frame.sx(first + 0.4) - left, frame.sy(panel.arrays.y.values[first]) - top];
    strokeWithHalo(context, theme, () => context.rect(left, top, wide, high));
  } else {
    ring([first, 0]);
  }
  context.restore();
}
