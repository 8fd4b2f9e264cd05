// The browser's side of a live figure: native controls, pictures drawn on canvas, numbers to read.
// Python sends panels (plain data); nothing here computes what a lesson teaches.

const CACHE_BYTES = 24e6; // pictures kept by a pure figure
const PREFETCH_BYTES = 70_000; // larger pictures are fetched ahead only next to the current value
const PREFETCH_STOPS = 101;
const SILENCE_MS = 5000; // after this long without an answer the reader is told
const REST_MS = 600; // a control that has not moved for this long is at rest: the sentence is announced
const TABLE_CELLS = 20_000; // a larger table of numbers is shown in part, and says so
const TYPES = { float32: Float32Array, uint8: Uint8Array };

// ---------------------------------------------------------------- pictures

/** The panels of a message with their numbers in place; a Python array is `{type, shape, buffer}`. */
export function decode(message, buffers) {
  let bytes = 0;
  const panels = message.panels.map((panel) => {
    const arrays = {};
    for (const [name, { type, shape, buffer }] of Object.entries(panel.arrays)) {
      const view = buffers[buffer];
      const raw = view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength);
      arrays[name] = { values: new TYPES[type](raw), shape, type };
      bytes += view.byteLength;
    }
    return { ...panel, arrays };
  });
  return { panels, sentence: message.sentence, bytes };
}

/** Numbers as people read them: at most four significant digits, a real minus sign. */
function format(value) {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return value.toLocaleString("en").replace("-", "−");
  const text = size >= 1e5 || (size > 0 && size < 1e-3) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  return text.replace("-", "−");
}

/** About `wanted` round numbers between low and high. */
function ticks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough) ?? rough;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    found.push(Number((i * step).toPrecision(12)));
  }
  return found;
}

/** One value of a heat map; large maps travel as steps of their range. */
function cell(panel, row, column) {
  const { values, shape, type } = panel.arrays.values;
  const value = values[row * shape[1] + column];
  if (type === "float32") return value;
  const [low, high] = panel.limits[1];
  return low + (value / 254) * (high - low);
}

function hidden(panel, row, column) {
  const mask = panel.arrays.mask;
  return Boolean(mask && mask.values[row * mask.shape[1] + column]);
}

/** Colours that follow the page's theme. */
function inks(element) {
  const read = getComputedStyle(element);
  const pick = (name, fallback) => read.getPropertyValue(name).trim() || fallback;
  const dark = document.body.dataset.jpThemeLight === "false";
  return {
    dark,
    text: pick("--jp-ui-font-color1", dark ? "#eeeeee" : "#202020"),
    faint: dark ? "#8a8a8a" : "#8a8a8a",
    paper: pick("--jp-layout-color0", dark ? "#111111" : "#ffffff"),
    empty: dark ? "#3a3a3a" : "#e2e2e2",
    family: pick("--jp-ui-font-family", "sans-serif"),
  };
}

/** Series colours stay apart from a dark page, too. */
function ink(spec, theme, index) {
  const colour = spec.series[index % spec.series.length];
  if (!theme.dark) return colour;
  return { "#0072B2": "#4FB3EE", "#000000": "#FFFFFF", "#D55E00": "#FF8A3D" }[colour] ?? colour;
}

/** Draws one panel; returns the frame that maps data to pixels, for pointing and tests. */
export function drawPanel(context, panel, spec, theme, width, height, font) {
  context.clearRect(0, 0, width, height);
  context.lineJoin = "round";
  context.font = `${font}px ${theme.family}`;
  const heat = panel.kind === "heatmap";
  const [xlim, second] = panel.limits;
  const ylim = heat ? [panel.shape[0], 0] : second;
  const yNames = panel.options.y_labels;
  const yTicks = heat ? [] : ticks(ylim[0], ylim[1], 5);
  const widest = yNames
    ? Math.max(...yNames.map((name) => context.measureText(name).width))
    : context.measureText(heat ? String(panel.shape[0] - 1) : yTicks.map(format).sort((a, b) => b.length - a.length)[0] ?? "").width;
  const left = Math.min(width * 0.4, widest + 12 + (panel.y ? font * 1.5 : 0));
  const xNames = heat ? panel.options.x_labels : panel.kind === "bars" ? panel.options.labels : null;
  const inner = width - left - (heat ? font * 4.6 : font);
  const xWide = xNames ? Math.max(...xNames.map((name) => context.measureText(name).width)) : 0;
  const shownNames = xNames ? Math.min(xNames.length, Math.floor(inner / (font * 1.25))) : 0;
  const slanted = Boolean(xNames) && xWide + 6 > inner / Math.max(1, Math.min(xNames.length, shownNames));
  const bottom = (slanted ? Math.min(height * 0.35, xWide * 0.87 + 10) : font * 1.5) + (panel.x ? font * 1.5 : 4);
  const frame = { left, top: font * 0.8, width: inner, height: height - bottom - font * 0.8, xlim, ylim };
  frame.sx = (x) => frame.left + ((x - xlim[0]) / (xlim[1] - xlim[0])) * frame.width;
  frame.sy = (y) => frame.top + frame.height - ((y - ylim[0]) / (ylim[1] - ylim[0])) * frame.height;

  context.fillStyle = theme.text;
  context.strokeStyle = theme.faint;
  context.lineWidth = 1;
  context.textAlign = "center";
  context.textBaseline = "top";
  if (panel.x) context.fillText(panel.x, frame.left + frame.width / 2, height - font * 1.3, frame.width);
  if (panel.y) {
    context.save();
    context.translate(font * 0.3, frame.top + frame.height / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(panel.y, 0, 0, frame.height);
    context.restore();
  }
  if (xNames) nameCells(context, xNames, frame, font, slanted, heat);
  else if (heat) numberCells(context, panel.shape[1], frame, font, true);
  else {
    for (const tick of ticks(xlim[0], xlim[1], Math.max(2, Math.floor(frame.width / (font * 5))))) {
      if (panel.kind === "bars" && !Number.isInteger(tick)) continue;
      context.fillText(format(tick), frame.sx(tick), frame.top + frame.height + 5);
    }
  }
  context.textAlign = "right";
  context.textBaseline = "middle";
  if (heat && yNames) {
    const step = Math.ceil(yNames.length / Math.max(1, Math.floor(frame.height / (font * 1.15))));
    for (let i = 0; i < yNames.length; i += step) context.fillText(yNames[i], left - 6, frame.sy(i + 0.5));
  } else if (heat) numberCells(context, panel.shape[0], frame, font, false);
  else {
    for (const tick of yTicks) {
      const y = frame.sy(tick);
      context.fillText(format(tick), left - 6, y);
      context.globalAlpha = 0.3;
      context.beginPath();
      context.moveTo(left, y);
      context.lineTo(left + frame.width, y);
      context.stroke();
      context.globalAlpha = 1;
    }
  }
  MARKS[panel.kind](context, panel, spec, theme, frame, font);
  return frame;
}

function nameCells(context, names, frame, font, slanted, heat) {
  const step = Math.ceil(names.length / Math.max(1, Math.floor(frame.width / (font * 1.25))));
  for (let i = 0; i < names.length; i += slanted ? step : 1) {
    const x = frame.sx(heat ? i + 0.5 : i);
    const y = frame.top + frame.height + 5;
    if (!slanted) {
      context.fillText(names[i], x, y);
      continue;
    }
    context.save();
    context.translate(x, y + 2);
    context.rotate(-Math.PI / 3);
    context.textAlign = "right";
    context.fillText(names[i], 0, -font / 2);
    context.restore();
    context.textAlign = "center";
  }
}

function numberCells(context, count, frame, font, along) {
  for (const tick of ticks(0, count - 1, along ? 6 : 5)) {
    if (!Number.isInteger(tick)) continue;
    if (along) context.fillText(String(tick), frame.sx(tick + 0.5), frame.top + frame.height + 5);
    else context.fillText(String(tick), frame.left - 6, frame.sy(tick + 0.5));
  }
}

function drawHeatmap(context, panel, spec, theme, frame, font) {
  const { values, shape, type } = panel.arrays.values;
  const [rows, columns] = shape;
  const [low, high] = panel.limits[1];
  const palette = spec.colours[panel.options.signed ? "diverging" : "sequential"];
  const image = new ImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const packed = Uint32Array.from(palette, ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);
  const mask = panel.arrays.mask?.values;
  const factor = 254 / (high - low);
  for (let i = 0; i < values.length; i++) {
    if (mask && mask[i]) continue; // left transparent: the hatching shows through
    const step = type === "uint8" ? values[i] : Math.round((values[i] - low) * factor);
    pixels[i] = packed[step < 0 ? 0 : step > 254 ? 254 : step];
  }
  if (mask) hatch(context, theme, frame.left, frame.top, frame.width, frame.height);
  const stamp = new OffscreenCanvas(columns, rows);
  stamp.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(stamp, frame.left, frame.top, frame.width, frame.height);
  context.strokeStyle = spec.accent;
  context.lineWidth = 3;
  for (const row of panel.options.rows) {
    const y = frame.sy(row);
    context.strokeRect(frame.left, y, frame.width, frame.sy(row + 1) - y);
  }
  for (const column of panel.options.cols) {
    const x = frame.sx(column);
    context.strokeRect(x, frame.top, frame.sx(column + 1) - x, frame.height);
  }
  const x = frame.left + frame.width + font * 0.6; // the colour bar
  const bar = context.createLinearGradient(0, frame.top + frame.height, 0, frame.top);
  for (let i = 0; i <= 8; i++) bar.addColorStop(i / 8, `rgb(${palette[Math.round((i / 8) * 254)].join(",")})`);
  context.fillStyle = bar;
  context.fillRect(x, frame.top, font * 0.7, frame.height);
  context.fillStyle = theme.text;
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const tick of ticks(low, high, 4)) {
    const y = frame.top + frame.height * (1 - (tick - low) / (high - low));
    context.fillText(format(tick), x + font * 0.9, y, font * 3);
  }
}

function hatch(context, theme, left, top, width, height) {
  context.save();
  context.beginPath();
  context.rect(left, top, width, height);
  context.clip();
  context.fillStyle = theme.empty;
  context.fillRect(left, top, width, height);
  context.strokeStyle = theme.faint;
  context.lineWidth = 1;
  for (let x = left - height; x < left + width; x += 8) {
    context.beginPath();
    context.moveTo(x, top + height);
    context.lineTo(x + height, top);
    context.stroke();
  }
  context.restore();
}

function drawLines(context, panel, spec, theme, frame, font) {
  const xs = panel.arrays.x.values;
  const { values, shape } = panel.arrays.y;
  const [curves, count] = shape;
  context.save();
  context.beginPath();
  context.rect(frame.left, frame.top - 2, frame.width + 2, frame.height + 4);
  context.clip();
  context.lineWidth = 2;
  for (let curve = 0; curve < curves; curve++) {
    context.strokeStyle = ink(spec, theme, curve);
    const dash = spec.dashes[curve % spec.dashes.length];
    let gone = 0; // length drawn so far, so that dashes run on from chunk to chunk
    context.setLineDash(dash);
    for (let from = 0; from < Math.max(1, count - 1); from += 24) { // one long path is slow without a GPU
      context.lineDashOffset = gone;
      context.beginPath();
      let [px, py] = [frame.sx(xs[from]), frame.sy(values[curve * count + from])];
      context.moveTo(px, py);
      for (let i = from + 1; i <= Math.min(from + 24, count - 1); i++) {
        const [x, y] = [frame.sx(xs[i]), frame.sy(values[curve * count + i])];
        context.lineTo(x, y);
        gone += Math.hypot(x - px, y - py);
        [px, py] = [x, y];
      }
      if (count === 1) context.arc(px, py, 3, 0, 7);
      context.stroke();
    }
    context.setLineDash([]);
  }
  const cursor = panel.options.cursor;
  if (cursor !== null) {
    context.strokeStyle = spec.accent;
    context.setLineDash([2, 3]);
    context.beginPath();
    context.moveTo(frame.sx(cursor), frame.top);
    context.lineTo(frame.sx(cursor), frame.top + frame.height);
    context.stroke();
    context.setLineDash([]);
  }
  context.restore();
  drawLegend(context, panel.options.labels, spec, theme, frame, font);
}

/** Names of the curves, each behind a piece of its own line. */
function drawLegend(context, labels, spec, theme, frame, font) {
  if (!labels.some(Boolean)) return;
  const wide = Math.max(...labels.map((text) => context.measureText(text).width)) + 46;
  const x = frame.left + frame.width - wide;
  context.globalAlpha = 0.85;
  context.fillStyle = theme.paper;
  context.fillRect(x, frame.top, wide, labels.length * font * 1.3 + 6);
  context.globalAlpha = 1;
  context.textAlign = "left";
  context.textBaseline = "middle";
  labels.forEach((text, curve) => {
    const y = frame.top + 3 + (curve + 0.5) * font * 1.3;
    context.strokeStyle = ink(spec, theme, curve);
    context.lineWidth = 2;
    context.setLineDash(spec.dashes[curve % spec.dashes.length]);
    context.beginPath();
    context.moveTo(x + 4, y);
    context.lineTo(x + 36, y);
    context.stroke();
    context.setLineDash([]);
    context.fillStyle = theme.text;
    context.fillText(text, x + 42, y);
  });
}

function drawPoints(context, panel, spec, theme, frame, font) {
  const { values, shape } = panel.arrays.xy;
  const groups = panel.arrays.groups?.values;
  const at = (i) => [frame.sx(values[2 * i]), frame.sy(values[2 * i + 1])];
  const { labels, highlight, links } = panel.options;
  context.strokeStyle = theme.faint;
  for (const [first, second] of links) {
    context.beginPath();
    context.moveTo(...at(first));
    context.lineTo(...at(second));
    context.stroke();
  }
  for (let i = 0; i < shape[0]; i++) {
    const group = groups ? groups[i] % 8 : 0;
    context.fillStyle = ink(spec, theme, group);
    dot(context, ...at(i), group, font * 0.28);
  }
  context.strokeStyle = spec.accent;
  context.lineWidth = 2;
  for (const i of highlight) {
    context.beginPath();
    context.arc(...at(i), font * 0.6, 0, 7);
    context.stroke();
  }
  if (!labels) return;
  context.textAlign = "left";
  context.textBaseline = "bottom";
  context.fillStyle = theme.text;
  const strong = new Set(highlight);
  for (let i = 0; i < shape[0]; i++) {
    const [x, y] = at(i);
    if (strong.has(i)) context.font = `bold ${font}px ${theme.family}`;
    context.fillText(labels[i], x + 5, y - 2);
    if (strong.has(i)) context.font = `${font}px ${theme.family}`;
  }
}

/** A small shape for each group: circle, square, triangle, diamond, … */
function dot(context, x, y, group, r) {
  const corners = [0, 4, 3, 4, 3, 6, 5, 8][group];
  const turn = [0, Math.PI / 4, -Math.PI / 2, 0, Math.PI / 2, 0, -Math.PI / 2, 0][group];
  context.beginPath();
  if (!corners) context.arc(x, y, r, 0, 7);
  for (let i = 0; i < corners; i++) {
    const angle = turn + (2 * Math.PI * i) / corners;
    context.lineTo(x + 1.35 * r * Math.cos(angle), y + 1.35 * r * Math.sin(angle));
  }
  context.fill();
}

function drawArrows(context, panel, spec, theme, frame, font) {
  const tips = panel.arrays.xy.values;
  const tails = panel.arrays.tails.values;
  context.strokeStyle = theme.faint;
  context.beginPath();
  context.moveTo(frame.sx(0), frame.top);
  context.lineTo(frame.sx(0), frame.top + frame.height);
  context.moveTo(frame.left, frame.sy(0));
  context.lineTo(frame.left + frame.width, frame.sy(0));
  context.stroke();
  for (let i = 0; i < tips.length / 2; i++) {
    const [x0, y0] = [frame.sx(tails[2 * i]), frame.sy(tails[2 * i + 1])];
    const [x1, y1] = [frame.sx(tips[2 * i]), frame.sy(tips[2 * i + 1])];
    const angle = Math.atan2(y1 - y0, x1 - x0);
    context.strokeStyle = context.fillStyle = ink(spec, theme, i);
    context.lineWidth = 2.5;
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
    context.beginPath();
    context.moveTo(x1, y1);
    for (const side of [-0.4, 0.4]) {
      context.lineTo(x1 - font * Math.cos(angle + side), y1 - font * Math.sin(angle + side));
    }
    context.fill();
    if (panel.options.labels) {
      context.fillStyle = theme.text;
      context.textAlign = x1 < x0 ? "right" : "left";
      context.textBaseline = y1 < y0 ? "bottom" : "top";
      context.fillText(panel.options.labels[i], x1 + (x1 < x0 ? -5 : 5), y1);
    }
  }
}

function drawBars(context, panel, spec, theme, frame) {
  const heights = panel.arrays.y.values;
  const strong = new Set(panel.options.highlight);
  const zero = frame.sy(Math.min(Math.max(0, frame.ylim[0]), frame.ylim[1]));
  const wide = frame.sx(0.4) - frame.sx(-0.4);
  heights.forEach((height, i) => {
    const y = frame.sy(height);
    context.fillStyle = strong.has(i) ? spec.accent : ink(spec, theme, 0);
    context.fillRect(frame.sx(i - 0.4), Math.min(y, zero), wide, Math.abs(y - zero));
    if (strong.has(i)) { // a second cue beside colour
      context.strokeStyle = theme.text;
      context.lineWidth = 2;
      context.strokeRect(frame.sx(i - 0.4), Math.min(y, zero), wide, Math.abs(y - zero));
    }
  });
  context.strokeStyle = theme.faint;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(frame.left, zero);
  context.lineTo(frame.left + frame.width, zero);
  context.stroke();
}

const MARKS = { heatmap: drawHeatmap, lines: drawLines, points: drawPoints, arrows: drawArrows, bars: drawBars };

// ---------------------------------------------------------------- reading single values

/** How many stops a reading cursor has along each direction, and what it says at one of them. */
function reader(panel) {
  const { options, arrays } = panel;
  if (panel.kind === "heatmap") {
    const [rows, columns] = arrays.values.shape;
    const row = (r) => options.y_labels?.[r] ?? `${panel.y || "row"} ${Math.round((r * panel.shape[0]) / rows)}`;
    const column = (c) => options.x_labels?.[c] ?? `${panel.x || "column"} ${Math.round((c * panel.shape[1]) / columns)}`;
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
    say: (i) => `${options.labels?.[i] ?? `${tails ? "arrow" : "point"} ${i}`}: ${tails ? `${pair(tails, i)} to ` : ""}${pair(xy, i)}`,
  };
}

/** All numbers of a panel as an HTML table. */
function table(panel) {
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
      const name = heat ? panel.options.y_labels?.[r] ?? String(r) : format(panel.arrays.x.values[r]);
      const value = (c) =>
        heat
          ? hidden(panel, r, c) ? "masked" : format(cell(panel, r, c))
          : format(panel.arrays.y.values[c * down + r]);
      add(name, Array.from({ length: columns }, (_, c) => value(c)));
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

// ---------------------------------------------------------------- controls

/** A native, labelled input for one control; `changed(value)` hears every move. */
function makeControl(name, control, id, changed) {
  const box = document.createElement("div");
  box.className = "live-control";
  box.dataset.name = name;
  const text = document.createElement("label");
  text.htmlFor = id;
  text.textContent = control.label;
  let input;
  let show = () => {};
  if (control.kind === "choice") {
    input = document.createElement("select");
    for (const option of control.values) input.add(new Option(option, option));
    input.value = control.value;
    input.addEventListener("change", () => changed(input.value));
  } else if (control.kind === "toggle") {
    input = document.createElement("input");
    input.type = "checkbox";
    input.checked = control.value;
    input.addEventListener("change", () => changed(input.checked));
  } else {
    input = document.createElement("input");
    input.type = "range";
    input.min = 0;
    input.max = control.values.length - 1;
    input.step = 1;
    input.value = control.values.indexOf(control.value);
    const output = document.createElement("output");
    output.htmlFor = id;
    show = () => {
      output.textContent = format(control.values[input.value]);
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.addEventListener("input", () => {
      show();
      changed(control.values[input.value]);
    });
    box.append(text, input, output);
  }
  input.id = id;
  if (control.kind === "choice") box.append(text, input);
  if (control.kind === "toggle") box.append(input, text);
  show();
  return { box, input };
}

// ---------------------------------------------------------------- the figure

function make(tag, className, parent) {
  const element = document.createElement(tag);
  element.className = className;
  parent.append(element);
  return element;
}

function render({ model, el }) {
  const spec = model.get("spec");
  const controls = Object.entries(spec.controls);
  const values = Object.fromEntries(controls.map(([name, control]) => [name, control.value]));
  const root = make("section", "live-figure", el);
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab would take the arrow keys
  root.setAttribute("aria-label", spec.title);
  const heading = make("div", "live-title", root);
  heading.textContent = spec.title;
  const bar = make("div", "live-controls", root);
  const stage = make("div", "live-panels", root);
  const sentence = make("p", "live-sentence", root);
  const announcer = make("div", "live-announce", root);
  announcer.setAttribute("role", "status");
  const reading = make("div", "live-reading", root);
  reading.setAttribute("aria-live", "polite");
  const trouble = make("div", "live-error", root);
  trouble.setAttribute("role", "alert");
  trouble.hidden = true;
  const numbers = make("details", "live-numbers", root);
  make("summary", "", numbers).textContent = "Numbers as a table";
  const tables = make("div", "live-tables", numbers);
  tables.tabIndex = 0;
  tables.setAttribute("role", "region");
  tables.setAttribute("aria-label", `${spec.title}: numbers`);

  let picture = null; // the newest picture
  const slots = []; // one canvas a panel
  let drawn = 0;
  let rest = null;

  // ------------------------------------------------ painting
  const paint = () => {
    const theme = inks(root);
    const scale = model.get("scale");
    const font = spec.font * scale;
    root.style.setProperty("--live-scale", scale);
    while (slots.length < picture.panels.length) slots.push(makeSlot(slots.length));
    while (slots.length > picture.panels.length) slots.pop().box.remove();
    picture.panels.forEach((panel, i) => {
      const slot = slots[i];
      const [width, height] = spec.size.map((side) => Math.round(side * scale));
      const ratio = slot.ratio ?? Math.max(window.devicePixelRatio || 1, 1);
      if (slot.canvas.width !== Math.round(width * ratio) || slot.canvas.height !== Math.round(height * ratio)) {
        slot.canvas.width = Math.round(width * ratio);
        slot.canvas.height = Math.round(height * ratio);
        slot.canvas.style.width = `${width}px`;
        slot.canvas.style.aspectRatio = `${width} / ${height}`;
      }
      if (slot.title.textContent !== panel.title) slot.title.textContent = panel.title;
      slot.canvas.setAttribute("aria-label", `${panel.title}. ${picture.sentence} Arrow keys read single values.`);
      const context = slot.canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      slot.frame = drawPanel(context, panel, spec, theme, width, height, font);
      if (slot.place) mark(slot, context, panel);
    });
    sentence.textContent = picture.sentence;
    root.dataset.draws = String(++drawn);
    if (numbers.open) fillTables();
    clearTimeout(rest);
    if (drawn > 1) rest = setTimeout(() => (announcer.textContent = picture.sentence), REST_MS);
  };

  const fillTables = () => tables.replaceChildren(...picture.panels.map(table));
  numbers.addEventListener("toggle", () => (numbers.open ? fillTables() : tables.replaceChildren()));

  function makeSlot(index) {
    const box = make("div", "live-panel", stage);
    const slot = { box, title: make("div", "live-panel-title", box), canvas: make("canvas", "", box), place: null };
    slot.canvas.tabIndex = 0;
    slot.canvas.setAttribute("role", "img");
    const go = (place) => {
      const panel = picture.panels[index];
      const { size, say } = reader(panel);
      slot.place = place.map((value, axis) => Math.min(Math.max(value, 0), size[axis] - 1));
      reading.textContent = say(...slot.place);
      repaint();
    };
    slot.canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (event.key === "Escape") clear();
      if (!step) return;
      event.preventDefault();
      go(slot.place ? slot.place.map((value, axis) => value + step[axis]) : [0, 0]);
    });
    slot.canvas.addEventListener("pointermove", (event) => {
      const panel = picture.panels[index];
      const shrink = slot.canvas.clientWidth / Math.round(spec.size[0] * model.get("scale"));
      go(nearest(panel, slot.frame, event.offsetX / shrink, event.offsetY / shrink));
    });
    const clear = () => {
      slot.place = null;
      reading.textContent = "";
      repaint();
    };
    slot.canvas.addEventListener("pointerleave", clear);
    slot.canvas.addEventListener("blur", clear);
    return slot;
  }

  /** The reading cursor: a ring around the value that is being read. */
  function mark(slot, context, panel) {
    const { size, at } = reader(panel);
    const place = slot.place.map((value, axis) => Math.min(value, size[axis] - 1));
    const [x, y] = at(...place);
    context.strokeStyle = inks(root).text;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(slot.frame.sx(x), slot.frame.sy(y), spec.font * 0.5, 0, 7);
    context.stroke();
  }

  let frameAsked = false;
  const repaint = () => {
    if (frameAsked || !picture) return;
    frameAsked = true;
    requestAnimationFrame(() => {
      frameAsked = false;
      paint();
    });
  };

  // ------------------------------------------------ asking the kernel: one question at a time, the newest value next
  const kept = new Map(); // pictures by their values, the oldest first
  let keptBytes = 0;
  let wanted = null; // {key, values, order}: what the controls say now and nobody asked for yet
  let asked = null; // what the kernel is working on
  let late = null; // what it did not answer in time; the answer is welcome all the same
  let questions = 0; // asked so far
  let order = 0;
  let painted = 0;
  let ahead = []; // values worth fetching before they are wanted
  let silence = null;
  let era = 0; // grows when kept pictures become worthless

  const keyOf = (some) => JSON.stringify(controls.map(([name]) => some[name]));
  const busy = (on) => (root.dataset.busy = String(on));

  const keep = (key, fresh) => {
    if (!spec.pure || kept.has(key)) return;
    kept.set(key, fresh);
    keptBytes += fresh.bytes;
    for (const [oldest, old] of kept) {
      if (keptBytes <= CACHE_BYTES) break;
      kept.delete(oldest);
      keptBytes -= old.bytes;
    }
  };

  const show = (fresh, when) => {
    if (when < painted) return; // never an older picture over a newer one
    painted = when;
    picture = fresh;
    trouble.hidden = true;
    repaint();
  };

  const complain = (title, line) => {
    trouble.replaceChildren();
    make("strong", "", trouble).textContent = title;
    if (line) make("code", "", trouble).textContent = line;
    trouble.hidden = false;
  };

  const ask = (question) => {
    asked = { ...question, id: ++questions };
    const missed = () => {
      if (question.order > 0) {
        complain("The kernel does not answer: it is busy, stopped or was restarted. Wait, or run this cell again.");
      }
      late = asked;
      asked = null;
      busy(false);
    };
    clearTimeout(silence);
    silence = setTimeout(missed, SILENCE_MS);
    try {
      model.send({ type: "draw", id: asked.id, values: question.values });
    } catch { // the connection is closed
      clearTimeout(silence);
      missed();
    }
  };

  const next = () => {
    if (asked) return;
    if (wanted) {
      const question = wanted;
      wanted = null;
      ask(question);
      return;
    }
    busy(false);
    while (ahead.length) {
      const some = ahead.shift();
      if (kept.has(keyOf(some))) continue;
      ask({ key: keyOf(some), values: some, order: 0, era });
      return;
    }
  };

  const want = () => {
    const key = keyOf(values);
    const when = ++order;
    const known = kept.get(key);
    if (known) {
      wanted = null;
      show(known, when);
      busy(Boolean(asked) && asked.order > 0);
      return;
    }
    wanted = { key, values: { ...values }, order: when, era };
    busy(true);
    next();
  };

  const receive = (message, buffers) => {
    if (message.type === "stale") {
      era++;
      kept.clear();
      keptBytes = 0;
      want();
      return;
    }
    const question = [asked, late].find((each) => each?.id === message.id);
    if (message.type !== "picture" || !question) return;
    clearTimeout(silence);
    if (message.error) {
      if (question.order > 0 && question.order >= painted) complain(message.error, message.line);
    } else {
      const fresh = decode(message, buffers);
      if (question.era === era) keep(question.key, fresh);
      if (question.order > 0) show(fresh, question.order);
    }
    requestAnimationFrame(() => { // released after painting: a slow page is not flooded
      asked = null;
      next();
    });
  };
  model.on("msg:custom", receive);

  /** Values next to the current one of a control, nearest first: all of them for small pictures. */
  const look = (name, control) => {
    if (!spec.pure || control.kind === "choice" && control.values.length > PREFETCH_STOPS) return;
    const small = picture && picture.bytes <= PREFETCH_BYTES && control.values.length <= PREFETCH_STOPS;
    const here = control.values.indexOf(values[name]);
    ahead = control.values
      .map((value, i) => ({ value, far: Math.abs(i - here) }))
      .filter(({ far }) => far > 0 && (small || far <= 2))
      .sort((a, b) => a.far - b.far)
      .map(({ value }) => ({ ...values, [name]: value }));
    next();
  };

  controls.forEach(([name, control], i) => {
    const id = `live-${model.get("_model_id") ?? Math.random().toString(36).slice(2)}-${i}-${Math.random().toString(36).slice(2, 7)}`;
    const { box, input } = makeControl(name, control, id, (value) => {
      values[name] = value;
      ahead = [];
      want();
      look(name, control);
    });
    input.addEventListener("focus", () => look(name, control));
    bar.append(box);
  });
  root.addEventListener("keydown", (event) => event.stopPropagation());

  // ------------------------------------------------ life
  const first = model.get("first");
  show(decode(first, first.buffers), 0);
  keep(keyOf(values), picture);
  busy(false);
  model.on("change:scale", repaint);
  const themes = new MutationObserver(repaint);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  const sharpen = (ratio) => () => {
    for (const slot of slots) slot.ratio = ratio;
    paint();
  };
  const [before, after] = [sharpen(3), sharpen(undefined)];
  window.addEventListener("beforeprint", before);
  window.addEventListener("afterprint", after);
  const restore = hideStill(root);
  return () => {
    model.off("msg:custom", receive);
    model.off("change:scale", repaint);
    themes.disconnect();
    window.removeEventListener("beforeprint", before);
    window.removeEventListener("afterprint", after);
    clearTimeout(silence);
    clearTimeout(rest);
    restore();
  };
}

/** Which value of a panel lies nearest to a pixel. */
function nearest(panel, frame, px, py) {
  const { size, at } = reader(panel);
  const clamp = (value, count) => Math.min(Math.max(Math.floor(value), 0), count - 1);
  if (panel.kind === "heatmap") {
    return [clamp(((px - frame.left) / frame.width) * size[0], size[0]), clamp(((py - frame.top) / frame.height) * size[1], size[1])];
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

/** Hide the still picture of the same cell while the live one stands; returns how to bring it back. */
function hideStill(root) {
  let still = null;
  let tries = 0;
  const find = () => {
    if (!root.isConnected) {
      if (tries++ < 200) requestAnimationFrame(find);
      return;
    }
    let output = root.closest(".jp-OutputArea-child")?.previousElementSibling;
    while (output && !output.querySelector("figure.live-still, figure img")) output = output.previousElementSibling;
    still = output ?? null;
    if (still) still.style.display = "none";
  };
  find();
  return () => {
    if (still) still.style.display = "";
  };
}

export default { render };
