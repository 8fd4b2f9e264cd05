// The browser's side of a live figure: native controls, canvases, a sentence, numbers to read.

import { decode, drawPanel, format, pageColours } from "./draw.js";
import { createQueue } from "./queue.js";
import { nearest, reader, table } from "./reading.js";
import { make, shieldKeys, unique } from "./widgets.js";

const CACHE_BYTES = 24e6; // pictures kept by a pure figure
const PREFETCH_BYTES = 70_000; // larger pictures are fetched ahead only next to the current value
const PREFETCH_STOPS = 101;
const TIMEOUT_MS = 5000; // after this long without an answer the reader is told
const REST_MS = 600; // a control that has not moved for this long is at rest: the sentence is announced

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

function render({ model, el }) {
  const spec = model.get("spec");
  const controls = Object.entries(spec.controls);
  const values = Object.fromEntries(controls.map(([name, control]) => [name, control.value]));
  const root = make("section", "live-figure", el);
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

  const first = model.get("first");
  let picture = decode(first, first.buffers); // the newest picture
  /** @type {any[]} */
  const slots = []; // one canvas a panel
  let drawn = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let rest;

  // ------------------------------------------------ painting
  const paint = () => {
    const theme = pageColours(root);
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
    /** @type {{ box: any, title: any, canvas: any, place: number[] | null, frame?: any, ratio?: number }} */
    const slot = { box, title: make("div", "live-panel-title", box), canvas: make("canvas", "", box), place: null };
    slot.canvas.tabIndex = 0;
    slot.canvas.setAttribute("role", "img");
    const go = (place) => {
      const panel = picture.panels[index];
      const { size, say } = reader(panel);
      slot.place = place.map((value, axis) => Math.min(Math.max(value, 0), size[axis] - 1));
      reading.textContent = say(...(slot.place ?? [0, 0]));
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
    context.strokeStyle = pageColours(root).text;
    context.lineWidth = 2;
    context.beginPath();
    context.arc(slot.frame.sx(x), slot.frame.sy(y), spec.font * 0.5, 0, 7);
    context.stroke();
  }

  let frameAsked = false;
  const repaint = () => {
    if (frameAsked) return;
    frameAsked = true;
    requestAnimationFrame(() => {
      frameAsked = false;
      paint();
    });
  };

  // ------------------------------------------------ asking the kernel
  const complain = (title, line) => {
    trouble.replaceChildren();
    make("strong", "", trouble).textContent = title;
    if (line) make("code", "", trouble).textContent = line;
    trouble.hidden = false;
  };

  const queue = createQueue({
    prefix: unique(),
    cacheBytes: spec.pure ? CACHE_BYTES : 0,
    send: (id, wanted) => model.send({ type: "draw", id, values: wanted }),
    show: (/** @type {import("./draw.js").Picture} */ fresh) => {
      picture = fresh;
      trouble.hidden = true;
      paint();
    },
    fail: complain,
    timedOut: () =>
      complain("The kernel does not answer: it is busy, stopped or was restarted. Wait, or run this cell again."),
    setBusy: (busy) => (root.dataset.busy = String(busy)),
    schedule: (callback) => {
      const timer = setTimeout(callback, TIMEOUT_MS);
      return () => clearTimeout(timer);
    },
  });

  const receive = (message, buffers) => {
    if (message.type === "stale") queue.invalidate(values);
    if (message.type !== "picture" || !queue.expects(message.id)) return;
    if (message.error) queue.fail(message.id, message.error, message.line);
    else queue.answer(message.id, decode(message, buffers));
  };
  model.on("msg:custom", receive);

  /** Values next to the current one of a control, nearest first: all of them for small pictures. */
  const look = (name, control) => {
    if (!spec.pure || (control.kind === "choice" && control.values.length > PREFETCH_STOPS)) return;
    const small = picture.bytes <= PREFETCH_BYTES && control.values.length <= PREFETCH_STOPS;
    const here = control.values.indexOf(values[name]);
    const ahead = control.values
      .map((value, i) => ({ value, far: Math.abs(i - here) }))
      .filter(({ far }) => far > 0 && (small || far <= 2))
      .sort((a, b) => a.far - b.far)
      .map(({ value }) => ({ ...values, [name]: value }));
    queue.prefetch(ahead);
  };

  controls.forEach(([name, control], i) => {
    const id = `live-${unique()}-${i}`;
    const { box, input } = makeControl(name, control, id, (value) => {
      values[name] = value;
      queue.want(values);
      look(name, control);
    });
    input.addEventListener("focus", () => look(name, control));
    bar.append(box);
  });
  const releaseKeys = shieldKeys(root);

  // ------------------------------------------------ life
  queue.seed(values, picture);
  root.dataset.busy = "false";
  if (root.isConnected) paint();
  else repaint(); // the theme's colours and font are known once the figure is on the page
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
    queue.dispose();
    releaseKeys();
    clearTimeout(rest);
    restore();
  };
}
/** Hide the still picture of the same cell while the live one stands; returns how to bring it back. */
function hideStill(root) {
  /** @type {HTMLElement | null} */
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
