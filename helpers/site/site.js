// What a page of the site does by itself: figures, quizzes and the reader's own progress, all without a kernel.
"use strict";

(() => {
  const base = document.currentScript.src.replace(/site\.js.*$/, "");
  const waiting = new Map(); // figures whose data are on their way, by key

  // ------------------------------------------------ figures

  /** The state of a figure's data: header, arrays, and the index of a picture from the values of its controls. */
  async function unpack(text) {
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const length = new DataView(bytes.buffer).getUint32(0, true);
    const data = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
    return { ...data, bytes: bytes.subarray(4 + length) };
  }

  /** A picture as the kernel would send it. */
  function message(data, values) {
    let index = 0;
    for (const [name, control] of Object.entries(data.spec.controls)) {
      index = index * control.values.length + Math.max(0, control.values.indexOf(values[name]));
    }
    const [sentence, ...drawn] = data.pictures[index];
    const buffers = [];
    const panels = drawn.map((number) => {
      const panel = data.panels[number];
      const arrays = {};
      for (const [name, array] of Object.entries(panel.arrays)) {
        const [start, length] = array.buffer;
        arrays[name] = { ...array, buffer: buffers.length };
        buffers.push(new DataView(data.bytes.buffer, data.bytes.byteOffset + start, length));
      }
      return { ...panel, arrays };
    });
    return [{ panels, sentence: data.sentences[sentence] }, buffers];
  }

  /** Stands in for the widget's model: it answers at once, from the data on the page. */
  function model(data) {
    const listeners = new Map();
    const defaults = Object.fromEntries(Object.entries(data.spec.controls).map(([name, one]) => [name, one.value]));
    const [first, buffers] = message(data, defaults);
    const state = { spec: data.spec, first: { ...first, buffers }, scale: 1 };
    return {
      get: (name) => state[name],
      set: (name, value) => (state[name] = value),
      save_changes: () => {},
      on: (name, listener) => listeners.set(name, [...(listeners.get(name) ?? []), listener]),
      off: (name, listener) => listeners.set(name, (listeners.get(name) ?? []).filter((each) => each !== listener)),
      send: (question) => {
        const [picture, arrays] = message(data, question.values);
        const reply = { type: "picture", id: question.id, ...picture };
        queueMicrotask(() => (listeners.get("msg:custom") ?? []).forEach((listener) => listener(reply, arrays)));
      },
    };
  }

  async function enliven(box, text) {
    const data = await unpack(text);
    const place = box.querySelector(".living-place");
    await embeddingsLive.render({ model: model(data), el: place });
    box.querySelector(".live-still").hidden = true;
    if (data.reduced) {
      const note = document.createElement("p");
      note.textContent = `Here the controls have fewer stops than in the notebook (${data.reduced}).`;
      place.append(note);
    }
    box.dataset.ready = "true";
  }

  window.embeddingsSite = { receive: (key, text) => waiting.get(key)?.(text) };

  function load(box) {
    const key = box.dataset.figure;
    const script = document.createElement("script");
    waiting.set(key, (text) => enliven(box, text));
    script.src = `${base}figures/${key}.js`;
    document.head.append(script);
  }

  const near = new IntersectionObserver(
    (entries) => {
      for (const entry of entries.filter((each) => each.isIntersecting)) {
        near.unobserve(entry.target);
        load(entry.target);
      }
    },
    { rootMargin: "600px" },
  );

  // ------------------------------------------------ light and dark, as the figures read it

  function followTheme() {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const apply = () => {
      const chosen = document.body.dataset.theme;
      const isDark = chosen === "dark" || (chosen !== "light" && dark.matches);
      document.body.dataset.jpThemeLight = String(!isDark);
    };
    apply();
    dark.addEventListener("change", apply);
    new MutationObserver(apply).observe(document.body, { attributes: true, attributeFilter: ["data-theme"] });
  }

  // ------------------------------------------------ progress: in this browser, nowhere else

  const KEY = "embeddings-progress";
  const progress = {
    read: () => {
      try {
        return JSON.parse(localStorage.getItem(KEY)) ?? {};
      } catch {
        return {}; // the browser keeps nothing, or something else
      }
    },
    set: (id, value) => {
      const all = progress.read();
      if (value) all[id] = true;
      else delete all[id];
      try {
        localStorage.setItem(KEY, JSON.stringify(all));
      } catch {
        // the page works without
      }
    },
    clear: () => {
      try {
        localStorage.removeItem(KEY);
      } catch {
        // nothing was kept
      }
    },
  };

  function quiz(place) {
    const { id, question } = place.dataset;
    const data = JSON.parse(question);
    place.replaceChildren();
    embeddingsQuiz.render({ model: { get: () => data }, el: place });
    const solved = () => (place.dataset.solved = "true");
    if (progress.read()[id]) solved();
    place.addEventListener("solved", () => {
      progress.set(id, true);
      solved();
    });
  }

  function exercise(label) {
    const box = label.querySelector("input");
    label.hidden = false;
    box.checked = Boolean(progress.read()[label.dataset.id]);
    box.addEventListener("change", () => progress.set(label.dataset.id, box.checked));
  }

  function summary(section) {
    const all = Object.keys(progress.read());
    section.replaceChildren();
    section.hidden = all.length === 0;
    if (section.hidden) return;
    const lessons = new Map();
    for (const id of all) lessons.set(id.slice(0, 2), (lessons.get(id.slice(0, 2)) ?? 0) + 1);
    const heading = document.createElement("h2");
    heading.textContent = "Your progress";
    const text = document.createElement("p");
    text.textContent =
      "Questions answered and exercises solved, kept in this browser only: " +
      [...lessons].sort().map(([lesson, count]) => `lesson ${lesson}: ${count}`).join(", ") + ".";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Clear my progress";
    button.addEventListener("click", () => {
      progress.clear();
      summary(section);
    });
    section.append(heading, text, button);
  }

  /** What scrolls sideways can be scrolled with the keyboard, too. */
  function focusable() {
    for (const block of document.querySelectorAll("pre, .table-wrapper, .math-wrapper, .math")) {
      const scrolls = block.scrollWidth > block.clientWidth || block.scrollHeight > block.clientHeight;
      if (scrolls) block.tabIndex = 0;
      else block.removeAttribute("tabindex");
    }
  }

  function start() {
    followTheme();
    new ResizeObserver(focusable).observe(document.body);
    document.querySelectorAll(".living").forEach((box) => near.observe(box));
    document.querySelectorAll(".quiz-place").forEach(quiz);
    document.querySelectorAll("label.done").forEach(exercise);
    document.querySelectorAll("section.progress").forEach(summary);
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
