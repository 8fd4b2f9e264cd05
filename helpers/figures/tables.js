// The numbers of a panel as an HTML table, a part at a time: a screen reader, and a reader, can find a value in it.

import { cell, format, hidden } from "./draw.js";
import { reader } from "./reading.js";
import { make, unique } from "./widgets.js";

const PART_ROWS = 20;
const PART_COLUMNS = 12;

/**
 * The numbers of a panel: names of rows and columns, and the text of one value.
 * @typedef {{ corner: string, rows: string[], columns: string[], value: (row: number, column: number) => string,
 *   notes: string[] }} Numbers
 */

/** @returns {Numbers} */
export function numbersOf(panel) {
  const { options, arrays } = panel;
  const names = (labels, count, all) =>
    Array.from({ length: count }, (_, i) => labels?.[i] ?? String(Math.round((i * all) / count)));
  if (panel.kind === "heatmap") {
    const [rows, columns] = arrays.values.shape;
    const notes = [];
    if (rows < panel.shape[0] || columns < panel.shape[1]) notes.push("every few rows and columns");
    if (arrays.values.type === "uint8") notes.push("rounded to 1/254 of the colour range");
    return {
      corner: `${panel.y || "row"} \\ ${panel.x || "column"}`,
      rows: names(options.y_labels, rows, panel.shape[0]),
      columns: names(options.x_labels, columns, panel.shape[1]),
      value: (r, c) => (hidden(panel, r, c) ? "masked" : format(cell(panel, r, c))),
      notes,
    };
  }
  if (panel.kind === "lines") {
    const count = arrays.x.shape[0];
    return {
      corner: panel.x || "x",
      rows: Array.from(arrays.x.values, (x, i) => options.x_labels?.[i] ?? format(x)),
      columns: options.labels.map((name) => name || panel.y || "value"),
      value: (r, c) => format(arrays.y.values[c * count + r]),
      notes: [],
    };
  }
  const { size, say } = reader(panel);
  const parts = Array.from({ length: size[0] }, (_, i) => say(i, 0).split(/: (?=[^:]*$)/));
  return {
    corner: panel.kind === "bars" ? panel.x || "bar" : "name",
    rows: parts.map(([name]) => name),
    columns: [panel.y || "value"],
    value: (r) => parts[r][1],
    notes: [],
  };
}

/** A table of some rows and columns. @param {string} title @param {Numbers} numbers */
function tableOf(title, numbers, firstRow, firstColumn) {
  const element = document.createElement("table");
  const rows = numbers.rows.slice(firstRow, firstRow + PART_ROWS);
  const columns = numbers.columns.slice(firstColumn, firstColumn + PART_COLUMNS);
  const notes = [...numbers.notes];
  if (columns.length < numbers.columns.length) notes.unshift(`${columns.length} of ${numbers.columns.length} columns`);
  if (rows.length < numbers.rows.length) notes.unshift(`${rows.length} of ${numbers.rows.length} rows`);
  element.createCaption().textContent = notes.length > 0 ? `${title} (${notes.join("; ")})` : title;
  const header = (row, text, scope) => {
    const th = make("th", "", row);
    th.scope = scope;
    th.textContent = text;
  };
  const head = element.createTHead().insertRow();
  for (const text of [numbers.corner, ...columns]) header(head, text, "col");
  const body = element.createTBody();
  rows.forEach((name, r) => {
    const row = body.insertRow();
    header(row, name, "row");
    columns.forEach((_, c) => {
      row.insertCell().textContent = numbers.value(firstRow + r, firstColumn + c);
    });
  });
  return element;
}

/** Adds a panel's table, with lists that choose the part of a long one. Returns a function that draws it anew. */
export function makeTable(parent, panel) {
  const box = make("div", "live-table", parent);
  const chooser = make("div", "live-parts", box);
  const place = make("div", "", box);
  const choices = { rows: makeParts(chooser, "Rows", PART_ROWS), columns: makeParts(chooser, "Columns", PART_COLUMNS) };
  const draw = () => {
    const { title } = panel();
    const numbers = numbersOf(panel());
    const [row, column] = [choices.rows(numbers.rows, title), choices.columns(numbers.columns, title)];
    place.replaceChildren(tableOf(title, numbers, row, column));
  };
  chooser.addEventListener("change", draw);
  draw();
  return draw;
}

/** A list of the parts of a direction; the function returned takes the names and gives the first index of the part. */
function makeParts(parent, text, size) {
  const box = make("div", "live-part", parent);
  const label = make("label", "", box);
  const select = make("select", "", box);
  select.id = `live-${unique()}`;
  label.htmlFor = select.id;
  return (names, title) => {
    label.textContent = `${text} of “${title}”`;
    box.hidden = names.length <= size;
    const options = [];
    for (let first = 0; first < names.length; first += size) {
      options.push(`${names[first]} to ${names[Math.min(first + size, names.length) - 1]}`);
    }
    const shown = Array.from(select.options, (option) => option.text);
    if (options.join("\n") !== shown.join("\n")) {
      const before = Math.min(Math.max(select.selectedIndex, 0), options.length - 1);
      select.replaceChildren(...options.map((option) => new Option(option)));
      select.selectedIndex = before;
    }
    return select.selectedIndex * size;
  };
}
