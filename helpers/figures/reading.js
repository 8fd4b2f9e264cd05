// Reads single values and tables of numbers off the panels of a figure.

import { cell, format, hidden } from "./draw.js";

const TABLE_CELLS = 20_000; // a larger table of numbers is shown in part, and says so

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
        `${options.labels[c] ? `${options.labels[c]}, ` : ""}${panel.x || "x"} ${format(arrays.x.values[i])}: ${format(y(c, i))}`,
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
      `${options.labels?.[i] ?? `${tails ? "arrow" : "point"} ${i}`}: ${tails ? `${pair(tails, i)} to ` : ""}${pair(xy, i)}`,
  };
}

/** All numbers of a panel as an HTML table. */
export function table(panel) {
  const read = reader(panel);
  const element = document.createElement("table");
  const caption = element.createCaption();
  caption.textContent = panel.title;
  const header = (row, text, scope) => {
    const th = document.createElement("th");
    th.scope = scope;
    th.textContent = text;
    row.append(th);
  };
  const head = element.createTHead().insertRow();
  const body = element.createTBody();
  const add = (name, values) => {
    const row = body.insertRow();
    header(row, name, "row");
    for (const value of values) row.insertCell().textContent = value;
  };
  if (panel.kind === "heatmap" || panel.kind === "lines") {
    const heat = panel.kind === "heatmap";
    const across = heat ? read.size[0] : read.size[1];
    const down = heat ? read.size[1] : read.size[0];
    const columns = Math.min(across, 400);
    const rows = Math.min(down, Math.max(1, Math.floor(TABLE_CELLS / columns)));
    const names = heat ? panel.options.x_labels : panel.options.labels.map((name) => name || panel.y || "value");
    header(head, heat ? `${panel.y || "row"} \\ ${panel.x || "column"}` : panel.x || "x", "col");
    for (let c = 0; c < columns; c++) header(head, names?.[c] ?? String(c), "col");
    for (let r = 0; r < rows; r++) {
      const name = heat ? (panel.options.y_labels?.[r] ?? String(r)) : format(panel.arrays.x.values[r]);
      const value = (c) =>
        heat
          ? hidden(panel, r, c)
            ? "masked"
            : format(cell(panel, r, c))
          : format(panel.arrays.y.values[c * down + r]);
      add(
        name,
        Array.from({ length: columns }, (_, c) => value(c)),
      );
    }
    const notes = [];
    if (rows < down || columns < across) notes.push(`the first ${rows} × ${columns} of ${down} × ${across}`);
    if (panel.arrays.values && panel.arrays.values.shape[0] < panel.shape[0]) notes.push("every few rows and columns");
    if (panel.arrays.values?.type === "uint8") notes.push("rounded to 1/254 of the colour range");
    if (notes.length) caption.textContent += ` (${notes.join("; ")})`;
    return element;
  }
  header(head, panel.kind === "bars" ? panel.x || "bar" : "name", "col");
  header(head, "value", "col");
  for (let i = 0; i < read.size[0]; i++) {
    const [name, value] = read.say(i, 0).split(/: (?=[^:]*$)/);
    add(name, [value]);
  }
  return element;
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
