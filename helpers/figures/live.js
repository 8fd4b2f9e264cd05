// The browser's side of a live figure: native controls, canvases, a sentence, numbers to read.

import { dragged, follow, handlePlace, keyed, nearestStop } from "./drag.js";
import { decode, drawPanel, format, pageColours, strokeWithHalo } from "./draw.js";
import { keys, linked, markLinked } from "./links.js";
import { createQueue } from "./queue.js";
import { nearest, reader } from "./reading.js";
import { makeTable } from "./tables.js";
import { make, shieldKeys, unique } from "./widgets.js";

const CACHE_BYTES = 24e6; // pictures kept by a pure figure
const PREFETCH_BYTES = 70_000; // larger pictures are fetched ahead only next to the current value
const PREFETCH_STOPS = 101;
const TIMEOUT_MS = 5000; // after this long without an answer the reader is told
const PLAY_MS = 150; // between two steps of a slider that plays
const PLAY_STEPS = 80; // sliders with more stops skip some
const MIN_FONT = 12;
const KINDS = { heatmap: "heat map", lines: "line chart", points: "scatter plot", arrows: "arrows", bars: "bar chart" };
const REST_MS = 600; // a control that has not moved for this long is at rest: the sentence is announced

// ---------------------------------------------------------------- controls

/**
 * A native, labelled input for one control; `changed(value)` is called for every move.
 * `set` moves the input without a call.
 */
function makeControl(name, control, id, changed) {
  const row = document.createElement("div");
  row.className = "live-row";
  const box = make("div", "live-control", row);
  box.dataset.name = name;
  const label = document.createElement("label");
  label.htmlFor = id;
  label.textContent = control.label;
  if (control.kind === "choice") {
    box.append(label);
    const input = make("select", "", box);
    input.id = id;
    for (const option of control.values) input.add(new Option(option, option));
    const set = (value) => (input.value = value);
    set(control.value);
    input.addEventListener("change", () => changed(input.value));
    return { row, input, set, stopPlaying: () => {} };
  }
  if (control.kind === "toggle") {
    const input = make("input", "", box);
    input.id = id;
    input.type = "checkbox";
    box.append(label);
    const set = (value) => (input.checked = value);
    set(control.value);
    input.addEventListener("change", () => changed(input.checked));
    return { row, input, set, stopPlaying: () => {} };
  }
  box.append(label);
  return { row, ...makeSlider(control, id, box, row, changed) };
}

/** A slider over the stops of a control, a field to type a number into and, for sliders of steps, a play button. */
function makeSlider(control, id, box, row, changed) {
  const stops = control.values;
  const input = make("input", "", box);
  input.id = id;
  input.type = "range";
  input.min = "0";
  input.max = String(stops.length - 1);
  const field = make("input", "live-number", row);
  field.type = "number";
  field.step = "any";
  field.min = String(stops[0]);
  field.max = String(stops[stops.length - 1]);
  field.setAttribute("aria-label", `${control.label}, as a number`);
  const set = (value) => {
    input.value = String(nearestStop(stops, value));
    field.value = String(stops[Number(input.value)]);
    input.setAttribute("aria-valuetext", format(stops[Number(input.value)]));
  };
  set(control.value);
  input.addEventListener("input", () => {
    set(stops[Number(input.value)]);
    changed(stops[Number(input.value)]);
  });
  field.addEventListener("change", () => {
    set(field.value === "" ? stops[Number(input.value)] : field.valueAsNumber);
    changed(stops[Number(input.value)]);
  });
  const stopPlaying = control.play ? makePlayer(input, row) : () => {};
  return { input, set, stopPlaying };
}

/** A button that moves a slider to its end, from the start if it is there. Returns a function that stops it. */
function makePlayer(input, row) {
  const button = make("button", "", row);
  button.type = "button";
  button.textContent = "Play";
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;
  const stop = () => {
    clearInterval(timer);
    timer = undefined;
    button.textContent = "Play";
  };
  const move = (index) => {
    input.value = String(index);
    input.dispatchEvent(new Event("input"));
  };
  button.addEventListener("click", () => {
    if (timer) return stop();
    button.textContent = "Pause";
    const last = Number(input.max);
    const stride = Math.ceil(last / PLAY_STEPS);
    if (Number(input.value) === last) move(0);
    timer = setInterval(() => {
      move(Math.min(Number(input.value) + stride, last));
      if (Number(input.value) === last) stop();
    }, PLAY_MS);
  });
  input.addEventListener("pointerdown", stop);
  input.addEventListener("keydown", stop);
  return stop;
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
  const announcer = make("div", "live-hidden", root); // says the sentence once a control rests
  announcer.setAttribute("role", "status");
  const reading = make("div", "live-reading live-hidden", root); // says the value at the reading cursor
  reading.setAttribute("role", "status");
  const hint = make("div", "live-hidden", root);
  hint.id = `live-${unique()}`;
  hint.textContent = "Arrow keys read single values, Escape ends reading.";
  const trouble = make("div", "live-error", root);
  trouble.setAttribute("role", "alert");
  trouble.hidden = true;
  const numbers = make("details", "live-numbers", root);
  const summary = make("summary", "", numbers);
  summary.textContent = "Numbers as a table";
  make("span", "live-hidden", summary).textContent = `: ${spec.title}`;
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
    root.style.setProperty("--live-scale", scale);
    while (slots.length < picture.panels.length) slots.push(makeSlot(slots.length));
    while (slots.length > picture.panels.length) removeSlot(slots.pop());
    const source = slots.findIndex((slot) => slot.index);
    const read = source < 0 ? [] : keys(picture.panels[source], standing(source));
    picture.panels.forEach((panel, i) => {
      const slot = slots[i];
      const [widest, highest] = spec.size.map((side) => side * scale);
      slot.width ||= slot.box.clientWidth;
      const width = Math.round(Math.min(slot.width || widest, widest));
      const height = Math.round(Math.max((width * highest) / widest, 0.75 * spec.size[1]));
      const font = Math.max(MIN_FONT, spec.font * Math.min(scale, (1.15 * width) / spec.size[0]));
      const ratio = slot.ratio ?? Math.max(window.devicePixelRatio || 1, 1);
      const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (slot.canvas.width !== wide || slot.canvas.height !== high) {
        slot.canvas.width = wide;
        slot.canvas.height = high;
        slot.canvas.style.width = `${width}px`;
        slot.canvas.style.height = `${height}px`;
      }
      if (slot.title.textContent !== panel.title) {
        slot.title.textContent = panel.title;
        slot.canvas.setAttribute("aria-label", panel.title);
        slot.canvas.setAttribute("aria-roledescription", KINDS[panel.kind]);
      }
      const context = slot.canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      slot.frame = drawPanel(context, panel, spec, theme, width, height, font);
      if (i === source) markReading(slot, context, theme, width);
      else if (read.length > 0) markLinked(context, panel, theme, slot.frame, linked(panel, read), font);
      placeHandles(slot, panel);
    });
    sentence.textContent = picture.sentence;
    root.dataset.draws = String(++drawn);
    if (numbers.open) fillTables();
  };

  /** The picture is of other values: say its sentence once it stays. */
  const announce = () => {
    clearTimeout(rest);
    rest = setTimeout(() => (announcer.textContent = picture.sentence), REST_MS);
  };

  /** @type {(() => void)[]} draw the tables of the panels anew */
  let drawTables = [];
  const fillTables = () => {
    if (drawTables.length === picture.panels.length) {
      for (const draw of drawTables) draw();
      return;
    }
    tables.replaceChildren();
    drawTables = picture.panels.map((_, i) => makeTable(tables, () => picture.panels[i]));
  };
  numbers.addEventListener("toggle", () => {
    if (numbers.open) return fillTables();
    tables.replaceChildren();
    drawTables = [];
  });

  // Boxes share the width of the page; a canvas is drawn in the size of its box, so that text keeps its size.
  const sizes = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      const slot = slots.find(({ box }) => box === target);
      if (!slot || contentRect.width === 0 || contentRect.width === slot.width) continue;
      slot.width = contentRect.width;
      repaint();
    }
  });

  function removeSlot(slot) {
    sizes.unobserve(slot.box);
    slot.box.remove();
  }

  function makeSlot(index) {
    const box = make("div", "live-panel", stage);
    const slot = {
      box,
      title: make("div", "live-panel-title", box),
      canvas: make("canvas", "", box),
      tooltip: make("div", "live-tooltip", box),
      width: 0,
      frame: /** @type {any} */ (null),
      point: (/** @type {PointerEvent} */ _event) => {},
      clear: () => {},
      /** @type {number[] | null} the value that is being read */
      index: null,
      /** @type {HTMLElement[]} one for each mark of the panel that can be dragged */
      handles: [],
    };
    const { canvas, tooltip } = slot;
    tooltip.hidden = true;
    tooltip.setAttribute("aria-hidden", "true"); // the same text is in the live region
    canvas.tabIndex = 0;
    canvas.setAttribute("role", "application"); // screen readers pass the arrow keys on
    canvas.setAttribute("aria-describedby", hint.id);
    const read = (place, aloud = true) => {
      for (const other of slots) if (other !== slot) other.clear();
      slot.index = place;
      const [first, second] = standing(index);
      slot.index = [first, second];
      const { say } = reader(picture.panels[index]);
      tooltip.textContent = say(first, second);
      if (aloud) reading.textContent = tooltip.textContent;
      repaint();
    };
    const clear = () => {
      if (!slot.index) return;
      slot.index = null;
      tooltip.hidden = true;
      if (reading.textContent) reading.textContent = "";
      repaint();
    };
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (event.key === "Escape") clear();
      if (!step) return;
      event.preventDefault();
      read(slot.index ? slot.index.map((value, axis) => value + step[axis]) : [0, 0]);
    });
    slot.clear = clear;
    slot.point = (event) =>
      read(nearest(picture.panels[index], slot.frame, ...pixel(slot, event)), event.pointerType !== "mouse");
    canvas.addEventListener("pointerdown", slot.point);
    canvas.addEventListener("pointermove", slot.point);
    canvas.addEventListener("pointerleave", (event) => {
      if (event.pointerType !== "touch") clear(); // what a finger has tapped stays
    });
    canvas.addEventListener("blur", clear);
    sizes.observe(box);
    return slot;
  }

  /** Where the reading cursor of a panel stands; a new picture may have fewer values. */
  function standing(index) {
    const { size } = reader(picture.panels[index]);
    return slots[index].index.map((value, axis) => Math.min(Math.max(value, 0), size[axis] - 1));
  }

  /** A ring around the value that is being read, and its text beside it. */
  function markReading(slot, context, theme, width) {
    const index = slots.indexOf(slot);
    const [x, y] = reader(picture.panels[index]).at(...standing(index));
    const [left, top] = [slot.frame.sx(x), slot.frame.sy(y)];
    strokeWithHalo(context, theme, () => context.arc(left, top, spec.font * 0.5, 0, 7));
    slot.tooltip.hidden = false;
    const wide = slot.tooltip.offsetWidth;
    const wanted = left > width / 2 ? left - 12 - wide : left + 12;
    const inside = Math.max(0, Math.min(wanted, width - wide));
    slot.tooltip.style.left = `${inside + slot.canvas.offsetLeft}px`;
    slot.tooltip.style.top = `${top + slot.canvas.offsetTop}px`;
    // Beside the mark; where that is not wide enough, above or below it.
    const shift = inside === wanted ? "-50%" : top > 60 ? "calc(-100% - 12px)" : "12px";
    slot.tooltip.style.transform = `translateY(${shift})`;
  }

  /** The pixel of a canvas at which an event happened. @returns {[number, number]} */
  function pixel(slot, event) {
    const { left, top } = slot.canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  /** Moves the handles of a panel to its marks. */
  function placeHandles(slot, panel) {
    const drags = panel.options.drag ?? [];
    while (slot.handles.length < drags.length) slot.handles.push(makeHandle(slot, slot.handles.length));
    while (slot.handles.length > drags.length) slot.handles.pop().remove();
    drags.forEach((drag, i) => {
      const [left, top] = handlePlace(panel, slot.frame, drag);
      const handle = slot.handles[i];
      handle.style.left = `${left + slot.canvas.offsetLeft}px`;
      handle.style.top = `${top + slot.canvas.offsetTop}px`;
      const names = dragged(drag);
      handle.dataset.drag = panel.kind === "lines" ? "across" : panel.kind === "heatmap" ? "along" : "free";
      const label = `${names.map((name) => spec.controls[name].label).join(" and ")}, in the picture “${panel.title}”`;
      if (handle.getAttribute("aria-label") !== label) handle.setAttribute("aria-label", label);
      const stops = spec.controls[names[0]].values;
      handle.setAttribute("aria-valuemin", String(stops[0]));
      handle.setAttribute("aria-valuemax", String(stops[stops.length - 1]));
      handle.setAttribute("aria-valuenow", String(values[names[0]]));
      handle.setAttribute("aria-valuetext", names.map((name) => format(values[name])).join(", "));
    });
  }

  /** A handle by which a mark is dragged with mouse or finger, or moved with the arrow keys. */
  function makeHandle(slot, number) {
    const handle = make("div", "live-handle", slot.box);
    handle.tabIndex = 0;
    handle.setAttribute("role", "slider");
    handle.setAttribute("aria-roledescription", "handle");
    const panel = () => picture.panels[slots.indexOf(slot)];
    const drag = () => panel().options.drag[number];
    const stops = Object.fromEntries(controls.map(([name, control]) => [name, control.values]));
    /** @type {ReturnType<typeof follow> | null} */
    let following = null;
    handle.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.preventDefault();
      handle.focus();
      handle.setPointerCapture(event.pointerId);
      for (const other of slots) other.clear();
      following = follow(panel(), slot.frame, drag(), values, stops, pixel(slot, event));
    });
    handle.addEventListener("pointermove", (event) => {
      if (following) move(following(pixel(slot, event)));
      else slot.point(event);
    });
    for (const name of ["pointerup", "pointercancel"]) handle.addEventListener(name, () => (following = null));
    handle.addEventListener("pointerleave", () => slot.clear());
    handle.addEventListener("focus", () => {
      for (const name of dragged(drag())) prefetch(name, spec.controls[name]);
    });
    handle.addEventListener("keydown", (event) => {
      const step = keyed(panel(), drag(), event.key, values, stops);
      if (!step) return;
      event.preventDefault();
      move({ [step[0]]: stops[step[0]][step[1]] });
    });
    return handle;
  }

  /** Gives some controls new values, as if the reader had moved them. */
  function move(changed) {
    if (Object.entries(changed).every(([name, value]) => values[name] === value)) return;
    controls.forEach(([name], i) => {
      if (!(name in changed)) return;
      inputs[i].stopPlaying();
      inputs[i].set(changed[name]);
      values[name] = changed[name];
    });
    queue.want(values);
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
      paint(); // at once: waiting for the next frame would cost up to 16 ms
      announce();
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
  const prefetch = (name, control) => {
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

  const inputs = controls.map(([name, control]) => {
    const made = makeControl(name, control, `live-${unique()}`, (value) => {
      values[name] = value;
      queue.want(values);
      prefetch(name, control);
    });
    made.input.addEventListener("focus", () => prefetch(name, control));
    bar.append(made.row);
    return made;
  });
  const reset = make("button", "live-reset", bar);
  reset.type = "button";
  reset.textContent = "Reset";
  reset.addEventListener("click", () => {
    for (const { stopPlaying } of inputs) stopPlaying();
    move(Object.fromEntries(controls.map(([name, control]) => [name, control.value])));
  });
  const releaseKeys = shieldKeys(root);

  // ------------------------------------------------ life
  receiveAll(model).catch(() => {}); // a front end with another manager of widgets
  queue.seed(values, picture);
  root.dataset.busy = "false";
  if (root.isConnected) paint();
  else repaint(); // the theme's colours and font are known once the figure is on the page
  model.on("change:scale", repaint);
  const themes = new MutationObserver(repaint);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  const forced = matchMedia("(forced-colors: active)");
  forced.addEventListener("change", repaint);
  const stopRatio = watchPixelRatio(repaint);
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
    sizes.disconnect();
    forced.removeEventListener("change", repaint);
    stopRatio();
    for (const { stopPlaying } of inputs) stopPlaying();
    window.removeEventListener("beforeprint", before);
    window.removeEventListener("afterprint", after);
    queue.dispose();
    releaseKeys();
    clearTimeout(rest);
    restore();
  };
}

/**
 * Hands a model every message of the kernel. A model of anywidget 0.11 drops them all, for good, if its module was not
 * loaded two seconds after the model was made, as on a busy computer.
 */
async function receiveAll(model) {
  const own = await model.widget_manager?.get_model(model.get("own_id")); // the static site has no widget manager
  const { _handle_comm_msg: handle } = own ? Object.getPrototypeOf(Object.getPrototypeOf(own)) : {};
  if (handle) own.comm?.on_msg((/** @type {any} */ message) => handle.call(own, message));
}

/** Calls back when the page is zoomed or moved to another screen. Returns a function that ends it. */
function watchPixelRatio(changed) {
  const stop = new AbortController();
  const watch = () => {
    const query = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    const next = () => {
      changed();
      watch();
    };
    query.addEventListener("change", next, { once: true, signal: stop.signal });
  };
  watch();
  return () => stop.abort();
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
    let output = root.closest(".jp-OutputArea-child, .output_area")?.previousElementSibling; // JupyterLab, nbclassic
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
