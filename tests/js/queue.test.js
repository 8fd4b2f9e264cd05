// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { createQueue } from "../../helpers/figures/queue.js";

/**
 * A figure with one control and a kernel whose replies the test sends by hand. A picture holds the value and the state
 * of the data it was computed from.
 */
class Figure {
  /** @param {{ pure?: boolean, prefix?: string, closed?: boolean }} options */
  constructor({ pure = true, prefix = "view", closed = false } = {}) {
    this.value = 0;
    this.data = 0;
    /** @type {{ id: string, value: number, data: number, order: number }[]} */
    this.pending = [];
    /** @type {{ value: number, data: number }[]} */
    this.shown = [];
    /** @type {Set<() => void>} */
    this.timers = new Set();
    this.trouble = "";
    this.busy = false;
    this.asked = 0;
    this.queue = createQueue({
      prefix,
      cacheBytes: pure ? 3 : 0,
      send: (id, values) => {
        if (closed) throw new Error("closed");
        this.pending.push({ id, value: Number(values.n), data: this.data, order: this.asked++ });
      },
      show: (/** @type {any} */ picture) => {
        this.shown.push(picture);
        this.trouble = "";
      },
      fail: (error) => (this.trouble = error),
      timedOut: () => (this.trouble = "silent"),
      setBusy: (busy) => (this.busy = busy),
      schedule: (callback) => {
        this.timers.add(callback);
        return () => this.timers.delete(callback);
      },
    });
    const first = { bytes: 1, value: 0, data: 0 };
    this.shown.push(first);
    this.queue.seed({ n: 0 }, first);
  }

  /** @param {number} value */
  move(value) {
    this.value = value;
    this.queue.want({ n: value });
  }

  /** @param {number} index @param {boolean} works */
  reply(index, works = true) {
    const [question] = this.pending.splice(index, 1);
    if (!question) return;
    const { id, value, data } = question;
    if (works) this.queue.answer(id, { bytes: 1, value, data });
    else this.queue.fail(id, `no picture for ${value}`, "");
  }

  expire() {
    for (const callback of [...this.timers]) callback();
  }

  change() {
    this.data++;
    this.queue.invalidate({ n: this.value });
  }

  get last() {
    const { value, data } = this.shown[this.shown.length - 1];
    return { value, data };
  }
}

/** @type {Record<string, (figure: Figure) => void>} */
const EVENTS = {
  "move to 1": (figure) => figure.move(1),
  "move to 2": (figure) => figure.move(2),
  "move back": (figure) => figure.move(0),
  "first answer": (figure) => figure.reply(0),
  "last answer": (figure) => figure.reply(figure.pending.length - 1),
  "an error": (figure) => figure.reply(0, false),
  "time limit": (figure) => figure.expire(),
  "data change": (figure) => figure.change(),
  prefetch: (figure) => figure.queue.prefetch([{ n: 1 }, { n: 2 }, { n: 3 }]),
};

/** @param {number} length @returns {Generator<string[]>} */
function* sequences(length) {
  if (length === 0) {
    yield [];
    return;
  }
  for (const sequence of sequences(length - 1)) {
    for (const name of Object.keys(EVENTS)) yield [...sequence, name];
  }
}

/** What holds after every event. @param {Figure} figure @param {string} story */
function invariants(figure, story) {
  assert.ok(figure.timers.size <= 1, `${story}: two questions within their time limit`);
  assert.ok(figure.timers.size <= figure.pending.length, `${story}: a time limit without a question`);
  if (figure.busy) assert.ok(figure.pending.length > 0, `${story}: busy without a question`);
  if (!figure.busy && !figure.trouble) {
    assert.equal(figure.last.value, figure.value, `${story}: idle with the picture of other values`);
  }
}

for (const pure of [true, false]) {
  for (const lastFirst of [false, true]) {
    const order = lastFirst ? "newest first" : "oldest first";
    test(`every sequence of 5 events ends with the right picture (pure: ${pure}, answers ${order})`, () => {
      for (const sequence of sequences(5)) {
        const figure = new Figure({ pure });
        const story = sequence.join(", ");
        for (const name of sequence) {
          EVENTS[name](figure);
          invariants(figure, story);
        }
        const failed = figure.trouble.startsWith("no picture");
        for (let i = 0; figure.pending.length > 0; i++) {
          assert.ok(i < 50, `${story}: it asks without end`);
          figure.reply(lastFirst ? figure.pending.length - 1 : 0);
          invariants(figure, story);
        }
        assert.equal(figure.busy, false, `${story}: busy for ever`);
        assert.equal(figure.timers.size, 0, `${story}: a time limit is left`);
        if (failed) continue; // the error of the newest values stands; the picture is that of earlier ones
        assert.deepEqual(figure.last, { value: figure.value, data: figure.data }, story);
      }
    });
  }
}

test("a late answer does not end the question asked after it", () => {
  const figure = new Figure();
  figure.move(7);
  figure.expire();
  assert.equal(figure.trouble, "silent");
  figure.move(8);
  figure.reply(0);
  assert.deepEqual([figure.last.value, figure.busy], [7, true]);
  figure.reply(0);
  assert.deepEqual([figure.last.value, figure.busy, figure.trouble], [8, false, ""]);
});

test("values wanted while a silent question waits are asked when its time is over", () => {
  const figure = new Figure();
  figure.move(7);
  figure.move(8);
  assert.deepEqual(
    figure.pending.map(({ value }) => value),
    [7],
  );
  figure.expire();
  assert.deepEqual(
    figure.pending.map(({ value }) => value),
    [7, 8],
  );
});

test("of a hundred moves the first and the last are asked", () => {
  const figure = new Figure();
  for (let value = 1; value <= 100; value++) figure.move(value);
  figure.reply(0);
  figure.reply(0);
  assert.deepEqual([figure.asked, figure.last.value], [2, 100]);
});

test("an older answer never replaces a newer picture", () => {
  const figure = new Figure();
  figure.move(1);
  figure.expire();
  figure.move(2);
  figure.reply(1);
  figure.reply(0);
  assert.equal(figure.last.value, 2);
});

test("an error of earlier values is not shown", () => {
  const figure = new Figure();
  figure.move(1);
  figure.move(2);
  figure.reply(0, false);
  assert.equal(figure.trouble, "");
  figure.reply(0, false);
  assert.equal(figure.trouble, "no picture for 2");
});

test("a question that is already on its way is not asked twice", () => {
  const figure = new Figure();
  figure.queue.prefetch([{ n: 1 }]);
  figure.move(1);
  assert.equal(figure.busy, true);
  figure.reply(0);
  assert.deepEqual([figure.asked, figure.last.value, figure.busy], [1, 1, false]);
});

test("a picture in the cache is shown without a question, until the data change", () => {
  const figure = new Figure();
  figure.move(1);
  figure.reply(0);
  figure.move(0);
  figure.move(1);
  assert.deepEqual([figure.asked, figure.last.value], [1, 1]);
  figure.change();
  assert.deepEqual([figure.asked, figure.busy], [2, true]);
});

test("a figure that is not pure asks every time and fetches nothing ahead", () => {
  const figure = new Figure({ pure: false });
  figure.move(1);
  figure.reply(0);
  figure.move(0);
  figure.reply(0);
  figure.queue.prefetch([{ n: 1 }, { n: 2 }]);
  assert.deepEqual([figure.asked, figure.last.value], [2, 0]);
});

test("the cache forgets its oldest pictures", () => {
  const figure = new Figure();
  for (const value of [1, 2, 3]) {
    figure.move(value);
    figure.reply(0);
  }
  figure.move(1); // 0 was forgotten for 3
  assert.equal(figure.asked, 3);
  figure.move(0);
  assert.equal(figure.asked, 4);
});

test("two views of a figure take only their own answers", () => {
  const [one, two] = [new Figure({ prefix: "one" }), new Figure({ prefix: "two" })];
  one.move(1);
  two.move(2);
  const replies = [...one.pending, ...two.pending];
  for (const { id, value } of replies) {
    for (const view of [one, two]) view.queue.answer(id, { bytes: 1, value, data: 0 });
  }
  assert.deepEqual([one.last.value, two.last.value], [1, 2]);
  for (const view of [one, two]) {
    view.move(0);
    view.move(view === one ? 1 : 2);
    assert.equal(view.last.value, view === one ? 1 : 2); // and each cached its own
  }
});

test("a closed connection is said at once", () => {
  const figure = new Figure({ closed: true });
  figure.move(1);
  assert.deepEqual([figure.trouble, figure.busy, figure.timers.size], ["silent", true, 0]);
});

test("a figure that is removed leaves no time limit", () => {
  const figure = new Figure();
  figure.move(1);
  figure.queue.dispose();
  assert.equal(figure.timers.size, 0);
});
