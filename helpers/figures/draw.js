// Draws the panels of a figure on a canvas. Python sends panels as plain data; nothing here computes what a lesson teaches.

import { placeLabels, spread } from "./labels.js";

const HANDLE = 10; // half the size of a handle's ring
const TYPES = { float32: Float32Array, uint8: Uint8Array };

/** @typedef {{ panels: any[], sentence: string, bytes: number }} Picture */

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
export function format(value) {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return value.toLocaleString("en").replace("-", "−");
  const text = size >= 1e5 || (size > 0 && size < 1e-3) ? value.toExponential(2) : String(Number(value.toPrecision(4)));
  return text.replace("-", "−");
}

/** About `wanted` round numbers between low and high, at least two: one alone gives no scale. */
export function ticks(low, high, wanted) {
  const rough = (high - low) / Math.max(1, wanted);
  const power = 10 ** Math.floor(Math.log10(rough));
  const steps = [10, 5, 2, 1, 0.5].map((m) => m * power);
  const coarsest = steps.findLast((s) => s >= rough) ?? steps[0];
  let found = [];
  for (const step of steps.filter((s) => s <= coarsest)) {
    found = [];
    for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
      found.push(Number((i * step).toPrecision(12)));
    }
    if (found.length > 1) break;
  }
  return found;
}

/** One value of a heat map; large maps travel as steps of their range. */
export function cell(panel, row, column) {
  const { values, shape, type } = panel.arrays.values;
  const value = values[row * shape[1] + column];
  if (type === "float32") return value;
  const [low, high] = panel.limits[1];
  return low + (value / 254) * (high - low);
}

export function hidden(panel, row, column) {
  const mask = panel.arrays.mask;
  return Boolean(mask?.values[row * mask.shape[1] + column]);
}

/** The colours of the page around an element, also where the system's forced colours replace them. */
export function pageColours(element) {
  const { color, backgroundColor, fontFamily } = getComputedStyle(element);
  const [red, green, blue] = backgroundColor.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255];
  const dark = 0.2126 * red + 0.7152 * green + 0.0722 * blue < 128;
  return {
    dark,
    text: color,
    faint: "#8a8a8a",
    paper: backgroundColor,
    empty: dark ? "#3a3a3a" : "#e2e2e2",
    family: fontFamily,
  };
}

function seriesColour(spec, theme, index) {
  const palette = theme.dark ? spec.seriesOnDark : spec.series;
  return palette[index % palette.length];
}

/** Strokes a path twice, wide in the colour of the page and narrow in that of its text: it is seen on every colour. */
export function strokeWithHalo(context, theme, path) {
  for (const [colour, width] of [
    [theme.paper, 5],
    [theme.text, 2],
  ]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    path();
    context.stroke();
  }
}

/** Outlines cells of a heat map from outside: on their edge a line would hide rows of a few pixels. */
export function outlineCells(context, theme, frame, [x0, x1], [y0, y1]) {
  const [left, top, right, bottom] = [frame.sx(x0) - 2.5, frame.sy(y0) - 2.5, frame.sx(x1) + 2.5, frame.sy(y1) + 2.5];
  strokeWithHalo(context, theme, () => context.rect(left, top, right - left, bottom - top));
}

/** Widens the limits of one axis so that a unit is as long on both. */
export function equalScales([xlim, ylim], width, height) {
  const unit = Math.max((xlim[1] - xlim[0]) / width, (ylim[1] - ylim[0]) / height);
  const widen = ([low, high], pixels) => {
    const middle = (low + high) / 2;
    return [middle - (unit * pixels) / 2, middle + (unit * pixels) / 2];
  };
  return [widen(xlim, width), widen(ylim, height)];
}

/** Draws one panel; returns the frame that maps data to pixels, for pointing and tests. */
export function drawPanel(context, panel, spec, theme, width, height, font) {
  context.clearRect(0, 0, width, height);
  context.lineJoin = "round";
  context.font = `${font}px ${theme.family}`;
  const heat = panel.kind === "heatmap";
  let [xlim, ylim] = panel.limits;
  if (heat) ylim = [panel.shape[0], 0];
  const yNames = panel.options.y_labels;
  const yTicks = heat ? [] : ticks(ylim[0], ylim[1], 5);
  const widest = yNames
    ? Math.max(...yNames.map((name) => context.measureText(name).width))
    : context.measureText(
        heat ? String(panel.shape[0] - 1) : (yTicks.map(format).sort((a, b) => b.length - a.length)[0] ?? ""),
      ).width;
  const gap = panel.options.drag?.length ? 12 : 5; // handles stand on the axes and cover no tick
  const left = Math.min(width * 0.4, widest + gap + 7 + (panel.y ? font * 1.5 : 0));
  const xNames = panel.kind === "bars" ? panel.options.labels : panel.options.x_labels;
  const ends = panel.kind === "lines" ? panel.options.labels.filter(Boolean) : [];
  const endWide = ends.length > 0 ? Math.max(...ends.map((name) => context.measureText(name).width)) + 18 : 0;
  const inner = width - left - (heat ? font * 4.6 : Math.max(font, Math.min(endWide, width * 0.5)));
  const xWide = xNames ? Math.max(...xNames.map((name) => context.measureText(name).width)) : 0;
  const shownNames = xNames ? Math.min(xNames.length, Math.floor(inner / (font * 1.25))) : 0;
  const slanted = Boolean(xNames) && xWide + 6 > inner / Math.max(1, Math.min(xNames.length, shownNames));
  const under = (slanted ? Math.min(height * 0.35, xWide * 0.87 + 10) : font * 1.5) + gap - 5;
  const bottom = under + (panel.x ? font * 1.5 : 4);
  const tall = height - bottom - font * 0.8;
  if (panel.options.equal) [xlim, ylim] = equalScales([xlim, ylim], inner, tall);
  const frame = { left, top: font * 0.8, width: inner, height: tall, xlim, ylim, gap };
  frame.sx = (x) => frame.left + ((x - xlim[0]) / (xlim[1] - xlim[0])) * frame.width;
  frame.sy = (y) => frame.top + frame.height - ((y - ylim[0]) / (ylim[1] - ylim[0])) * frame.height;
  frame.ix = (px) => xlim[0] + ((px - frame.left) / frame.width) * (xlim[1] - xlim[0]);
  frame.iy = (py) => ylim[0] + ((frame.top + frame.height - py) / frame.height) * (ylim[1] - ylim[0]);

  context.fillStyle = theme.text;
  context.strokeStyle = theme.faint;
  context.lineWidth = 1;
  context.textAlign = "center";
  context.textBaseline = "top";
  const [across, down] = [frame.left + frame.width / 2, frame.top + frame.height / 2];
  if (panel.x) context.fillText(panel.x, across, height - font * 1.3, 2 * Math.min(across, width - across));
  if (panel.y) {
    context.save();
    context.translate(font * 0.3, down);
    context.rotate(-Math.PI / 2);
    context.fillText(panel.y, 0, 0, 2 * Math.min(down, height - down));
    context.restore();
  }
  if (xNames) {
    const at = heat ? (i) => i + 0.5 : panel.kind === "bars" ? (i) => i : (i) => panel.arrays.x.values[i];
    nameTicks(context, xNames, at, frame, font, slanted ? font * 1.25 : xWide + 6, slanted);
  } else if (heat) numberCells(context, panel.shape[1], frame, true);
  else {
    for (const tick of ticks(xlim[0], xlim[1], Math.max(2, Math.floor(frame.width / (font * 5))))) {
      if (panel.kind === "bars" && !Number.isInteger(tick)) continue;
      context.fillText(format(tick), frame.sx(tick), frame.top + frame.height + gap);
    }
  }
  context.textAlign = "right";
  context.textBaseline = "middle";
  if (heat && yNames) {
    const step = Math.ceil(yNames.length / Math.max(1, Math.floor(frame.height / (font * 1.15))));
    for (let i = 0; i < yNames.length; i += step) context.fillText(yNames[i], left - gap - 1, frame.sy(i + 0.5));
  } else if (heat) numberCells(context, panel.shape[0], frame, false);
  else {
    for (const tick of panel.options.equal ? ticks(ylim[0], ylim[1], 5) : yTicks) {
      const y = frame.sy(tick);
      context.fillText(format(tick), left - gap - 1, y);
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

/** Names below cells, bars or points of a curve, as many as fit when each takes `room` pixels; `at(i)` is the x of one. */
function nameTicks(context, names, at, frame, font, room, slanted) {
  const step = Math.ceil((names.length * room) / frame.width);
  for (let i = 0; i < names.length; i += step) {
    const x = frame.sx(at(i));
    const y = frame.top + frame.height + frame.gap;
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

function numberCells(context, count, frame, along) {
  for (const tick of ticks(0, count - 1, along ? 6 : 5)) {
    if (!Number.isInteger(tick)) continue;
    if (along) context.fillText(String(tick), frame.sx(tick + 0.5), frame.top + frame.height + frame.gap);
    else context.fillText(String(tick), frame.left - frame.gap - 1, frame.sy(tick + 0.5));
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
    if (mask?.[i]) continue; // left transparent: the hatching shows through
    const step = type === "uint8" ? values[i] : Math.round((values[i] - low) * factor);
    pixels[i] = packed[Math.max(0, Math.min(step, 254))];
  }
  if (mask) hatch(context, theme, frame.left, frame.top, frame.width, frame.height);
  const stamp = new OffscreenCanvas(columns, rows);
  stamp.getContext("2d")?.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(stamp, frame.left, frame.top, frame.width, frame.height);
  if (panel.options.numbers) writeNumbers(context, panel, palette, factor, frame, font);
  for (const row of panel.options.rows) outlineCells(context, theme, frame, [0, panel.shape[1]], [row, row + 1]);
  for (const column of panel.options.cols) {
    outlineCells(context, theme, frame, [column, column + 1], [0, panel.shape[0]]);
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

/** The value in each cell, black or white, whichever has more contrast with the cell. */
function writeNumbers(context, panel, palette, factor, frame, font) {
  const [rows, columns] = panel.arrays.values.shape;
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      if (hidden(panel, r, c)) continue;
      const value = cell(panel, r, c);
      const step = Math.round((value - panel.limits[1][0]) * factor);
      const [red, green, blue] = palette[Math.max(0, Math.min(step, 254))].map((part) => (part / 255) ** 2.2);
      context.fillStyle = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 ? "#000000" : "#ffffff";
      const text = format(Number(value.toFixed(2)));
      const fits = context.measureText(text).width < frame.width / columns && font < frame.height / rows;
      if (fits) context.fillText(text, frame.sx(c + 0.5), frame.sy(r + 0.5));
    }
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
  context.rect(frame.left - 3, frame.top - 2, frame.width + 6, frame.height + 4);
  context.clip();
  context.lineWidth = 2;
  const cursor = panel.options.cursor;
  if (cursor !== null) {
    context.strokeStyle = theme.text;
    context.beginPath();
    context.moveTo(frame.sx(cursor), frame.top);
    context.lineTo(frame.sx(cursor), frame.top + frame.height);
    context.stroke();
  }
  for (let curve = 0; curve < curves; curve++) {
    context.strokeStyle = seriesColour(spec, theme, curve);
    const dash = spec.dashes[curve % spec.dashes.length];
    let gone = 0; // length drawn so far, so that dashes run on from chunk to chunk
    context.setLineDash(dash);
    for (let from = 0; from < Math.max(1, count - 1); from += 24) {
      // one long path is slow without a GPU
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
  context.restore();
  nameCurves(context, panel, spec, theme, frame, font);
}

/** The name of each curve at its right end, behind a piece of its own line. */
function nameCurves(context, panel, spec, theme, frame, font) {
  const { labels } = panel.options;
  const { values, shape } = panel.arrays.y;
  const named = labels.map((_, curve) => curve).filter((curve) => labels[curve]);
  const ends = named.map((curve) => frame.sy(values[(curve + 1) * shape[1] - 1]));
  const heights = spread(ends, font * 1.1, frame.top + font / 2, frame.top + frame.height - font / 2);
  const x = frame.left + frame.width;
  context.textAlign = "left";
  context.textBaseline = "middle";
  named.forEach((curve, place) => {
    context.strokeStyle = seriesColour(spec, theme, curve);
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(x, Math.min(Math.max(ends[place], frame.top), frame.top + frame.height));
    context.lineTo(x + 12, heights[place]);
    context.stroke();
    context.fillStyle = theme.text;
    context.fillText(labels[curve], x + 15, heights[place]);
  });
}

function drawPoints(context, panel, spec, theme, frame, font) {
  const { values, shape } = panel.arrays.xy;
  const groups = panel.arrays.groups?.values;
  const segments = panel.arrays.segments?.values ?? [];
  const at = (i) => [frame.sx(values[2 * i]), frame.sy(values[2 * i + 1])];
  const { labels, highlight, links, group_names: names = [] } = panel.options;
  context.save();
  context.beginPath();
  context.rect(frame.left, frame.top, frame.width, frame.height);
  context.clip();
  context.strokeStyle = theme.faint;
  for (let s = 0; s < segments.length; s += 4) {
    context.beginPath();
    context.moveTo(frame.sx(segments[s]), frame.sy(segments[s + 1]));
    context.lineTo(frame.sx(segments[s + 2]), frame.sy(segments[s + 3]));
    context.stroke();
  }
  context.restore();
  for (const [first, second] of links) {
    context.beginPath();
    context.moveTo(...at(first));
    context.lineTo(...at(second));
    context.stroke();
  }
  const radius = font * 0.28;
  for (let i = 0; i < shape[0]; i++) {
    const group = groups ? groups[i] % 8 : 0;
    context.fillStyle = seriesColour(spec, theme, group);
    dot(context, ...at(i), group, radius);
  }
  for (const i of highlight) strokeWithHalo(context, theme, () => context.arc(...at(i), font * 0.6, 0, 7));

  const strong = new Set(highlight);
  const named = [...highlight, ...Array.from({ length: shape[0] }, (_, i) => i).filter((i) => !strong.has(i))];
  const plain = context.font;
  const bold = `bold ${plain}`;
  const requests = [];
  names.forEach((text, group) => {
    const own = Array.from({ length: shape[0] }, (_, i) => i).filter((i) => groups[i] === group);
    if (own.length === 0) return;
    const places = own.map(at);
    const [x, y] = [0, 1].map((axis) => places.reduce((sum, place) => sum + place[axis], 0) / own.length);
    const low = Math.min(...places.map((place) => place[1]));
    requests.push({ text, font: bold, group, x, y, gap: Math.max(font, y - low + radius), required: true });
  });
  if (labels) {
    for (const i of named.filter((i) => labels[i])) {
      const [x, y] = at(i);
      const gap = strong.has(i) ? font * 0.7 : radius + 2;
      requests.push({
        text: labels[i],
        font: strong.has(i) ? bold : plain,
        group: -1,
        x,
        y,
        gap,
        required: strong.has(i),
      });
    }
  }
  const dots = named.map((i) => boxAround(...at(i), draggable(panel, i) ? HANDLE : radius));
  writeLabels(context, requests, dots, spec, theme, frame, font);
}

/** Whether a handle stands on a mark. */
function draggable(panel, index) {
  return Boolean(panel.options.drag?.some(({ mark }) => mark === index));
}

function boxAround(x, y, radius) {
  return { left: x - radius, top: y - radius, right: x + radius, bottom: y + radius };
}

/** Writes labels where `placeLabels` finds room; the name of a group stands in a box with the group's mark. */
function writeLabels(context, requests, obstacles, spec, theme, frame, font) {
  const plain = context.font;
  const sized = requests.map((request) => {
    context.font = request.font;
    const [wider, height] = request.group >= 0 ? [font * 1.5, font * 1.5] : [0, font * 1.1];
    return { ...request, width: context.measureText(request.text).width + wider + 4, height }; // 4 px to the next label
  });
  const inside = {
    left: frame.left,
    top: frame.top,
    right: frame.left + frame.width,
    bottom: frame.top + frame.height,
  };
  context.textAlign = "left";
  context.textBaseline = "middle";
  placeLabels(sized, obstacles, inside).forEach((box, i) => {
    if (!box) return;
    const { text, font: face, group } = sized[i];
    const middle = (box.top + box.bottom) / 2;
    if (group >= 0) {
      context.fillStyle = theme.paper;
      context.fillRect(box.left, box.top, box.right - box.left, box.bottom - box.top);
      context.fillStyle = context.strokeStyle = seriesColour(spec, theme, group);
      context.lineWidth = 1.5;
      context.strokeRect(box.left, box.top, box.right - box.left, box.bottom - box.top);
      dot(context, box.left + font * 0.6, middle, group % 8, font * 0.28);
    }
    context.font = face;
    context.strokeStyle = theme.paper; // lines behind a label do not cross its letters
    context.lineWidth = 4;
    const left = box.left + (group >= 0 ? font * 1.2 : 0);
    context.strokeText(text, left, middle);
    context.fillStyle = theme.text;
    context.fillText(text, left, middle);
  });
  context.font = plain;
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
  const shafts = [];
  const requests = [];
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
    context.strokeStyle = context.fillStyle = seriesColour(spec, theme, i);
    context.lineWidth = 2.5;
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
    context.beginPath();
    context.moveTo(x1, y1);
    const head = Math.min(font, 0.4 * Math.hypot(x1 - x0, y1 - y0));
    for (const side of [-0.4, 0.4]) {
      context.lineTo(x1 - head * Math.cos(angle + side), y1 - head * Math.sin(angle + side));
    }
    context.fill();
    if (draggable(panel, i)) shafts.push(boxAround(x1, y1, HANDLE));
    for (let part = 0; part <= 1; part += 0.05) shafts.push(boxAround(x0 + part * (x1 - x0), y0 + part * (y1 - y0), 2));
    if (panel.options.labels?.[i]) {
      const request = { text: panel.options.labels[i], font: context.font, group: -1, x: x1, y: y1, required: true };
      requests.push({ ...request, gap: 12, toward: [x1 - x0, y1 - y0] });
    }
  }
  writeLabels(context, requests, shafts, spec, theme, frame, font);
}

function drawBars(context, panel, spec, theme, frame) {
  const heights = panel.arrays.y.values;
  const groups = panel.arrays.groups?.values;
  const strong = new Set(panel.options.highlight);
  const zero = frame.sy(Math.min(Math.max(0, frame.ylim[0]), frame.ylim[1]));
  const wide = frame.sx(0.4) - frame.sx(-0.4);
  heights.forEach((height, i) => {
    const y = frame.sy(height);
    context.fillStyle = strong.has(i) && !groups ? spec.accent : seriesColour(spec, theme, groups?.[i] ?? 0);
    context.fillRect(frame.sx(i - 0.4), Math.min(y, zero), wide, Math.abs(y - zero));
    if (strong.has(i)) {
      // a second cue beside colour
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
