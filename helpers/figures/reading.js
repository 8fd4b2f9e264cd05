// Reads single values off the panels of a figure.

import { cell, format, hidden } from "./draw.js";

/** How many stops a reading cursor has along each direction, and what it says at one of them. */
export function reader(panel) {
  const { options, arrays } = panel;
  if (panel.kind === "heatmap") {
    const [rows, columns] = arrays.values.shape;
    const row = (r) => options.y_labels?.[r] ?? `${panel.y || "row"} ${Math.round((r * panel.shape[0]) / rows)}`;
    const column = (c) =>
      options.x_labels?.[c] ?? `${panel.x || "column"} ${Math.round((c * panel.shape[1]) / columns)}`;
    return {
      size: [columns, rows],
      at: (c, r) => [((c + 0.5) * panel.shape[1]) / columns, ((r + 0.5) * panel.shape[0]) / rows],
      say: (c, r) => `${row(r)}, ${column(c)}: ${hidden(panel, r, c) ? "masked" : format(cell(panel, r, c))}`,
    };
  }
  if (panel.kind === "lines") {
    const [curves, count] = arrays.y.shape;
    const y = (c, i) => arrays.y.values[c * count + i];
    return {
      size: [count, curves],
      at: (i, c) => [arrays.x.values[i], y(c, i)],
      say: (i, c) =>
        `${options.labels[c] ? `${options.labels[c]}, ` : ""}${panel.x || "x"} ${options.x_labels?.[i] ?? format(arrays.x.values[i])}: ${format(y(c, i))}`,
    };
  }
  if (panel.kind === "bars") {
    return {
      size: [arrays.y.values.length, 1],
      at: (i) => [i, arrays.y.values[i]],
      say: (i) => `${options.labels?.[i] ?? `${panel.x || "bar"} ${i}`}: ${format(arrays.y.values[i])}`,
    };
  }
  const xy = arrays.xy.values;
  const tails = arrays.tails?.values;
  const pair = (array, i) => `(${format(array[2 * i])}, ${format(array[2 * i + 1])})`;
  return {
    size: [xy.length / 2, 1],
    at: (i) => [xy[2 * i], xy[2 * i + 1]],
    say: (i) =>
      `${options.labels?.[i] || `${tails ? "arrow" : "point"} ${i}`}: ${tails ? `${pair(tails, i)} to ` : ""}${pair(xy, i)}`,
  };
}

/** Which value of a panel lies nearest to a pixel. */
export function nearest(panel, frame, px, py) {
  const { size, at } = reader(panel);
  const clamp = (value, count) => Math.min(Math.max(Math.floor(value), 0), count - 1);
  if (panel.kind === "heatmap") {
    return [
      clamp(((px - frame.left) / frame.width) * size[0], size[0]),
      clamp(((py - frame.top) / frame.height) * size[1], size[1]),
    ];
  }
  let best = [0, 0];
  let least = Infinity;
  for (let j = 0; j < size[1]; j++) {
    for (let i = 0; i < size[0]; i++) {
      const [x, y] = at(i, j);
      const far = panel.kind === "bars" ? Math.abs(frame.sx(x) - px) : Math.hypot(frame.sx(x) - px, frame.sy(y) - py);
      if (far < least) [least, best] = [far, [i, j]];
    }
  }
  return best;
}
