// The questions of a figure to the kernel: one at a time, the newest value next. Without DOM, clock and network.

/** @typedef {Record<string, string | number | boolean>} Values */
/** @typedef {{ key: string, values: Values, order: number }} Request */
/** @typedef {Request & { id: string, generation: number, cancel: () => void }} Question */

/**
 * @template P
 * @typedef {{
 *   prefix: string,
 *   cacheBytes: number,
 *   send: (id: string, values: Values) => void,
 *   show: (picture: P) => void,
 *   fail: (error: string, line: string) => void,
 *   timedOut: () => void,
 *   setBusy: (busy: boolean) => void,
 *   schedule: (callback: () => void) => () => void,
 * }} Effects
 */

/**
 * Decides which question the kernel is asked next and which answer is shown.
 *
 * `want` is called for every move of a control, `answer` and `fail` for every reply, `invalidate` when the data behind
 * a figure have changed. A picture is never replaced by one of earlier values, and a question that timed out is still
 * answered when its reply comes, without ending the question asked after it.
 *
 * @template {{ bytes: number }} P
 * @param {Effects<P>} effects `prefix` makes the ids of this view's questions different from those of other views;
 *   `cacheBytes` is 0 for figures that are not pure; `schedule` starts the time limit of a question and returns a
 *   function that stops it; `setBusy` is told whether the newest values still wait for their picture or error.
 */
export function createQueue({ prefix, cacheBytes, send, show, fail, timedOut, setBusy, schedule }) {
  /** @type {Map<string, P>} the oldest picture first */
  const cache = new Map();
  /** @type {Map<string, Question>} by id, those past their time limit included */
  const unanswered = new Map();
  /** @type {Question | null} within its time limit */
  let current = null;
  /** @type {Request | null} what the controls say now, not yet asked for */
  let wanted = null;
  /** @type {Values[]} worth fetching before they are wanted */
  let ahead = [];
  let cachedBytes = 0;
  let asked = 0; // number of questions
  let newest = 0; // order of the newest values of the controls
  let settled = 0; // order of the newest values that were shown or failed
  let generation = 0; // number of changes of the data behind the figure

  /** @param {Values} values */
  const keyOf = (values) => JSON.stringify(values);

  /** @param {string} key @param {P} picture */
  function keep(key, picture) {
    if (cache.has(key) || picture.bytes > cacheBytes || cacheBytes === 0) return;
    cache.set(key, picture);
    cachedBytes += picture.bytes;
    for (const [oldest, old] of cache) {
      if (cachedBytes <= cacheBytes) break;
      cache.delete(oldest);
      cachedBytes -= old.bytes;
    }
  }

  /** @param {P} picture @param {number} order */
  function present(picture, order) {
    if (order <= settled) return;
    settled = order;
    show(picture);
  }

  /** @param {Request} request */
  function ask(request) {
    const id = `${prefix}-${++asked}`;
    /** @type {Question} */
    const question = { ...request, id, generation, cancel: schedule(() => expire(question)) };
    current = question;
    unanswered.set(id, question);
    try {
      send(id, question.values);
    } catch {
      expire(question); // the connection is closed
    }
  }

  /** @param {Question} question */
  function expire(question) {
    if (current !== question) return;
    question.cancel();
    current = null;
    ahead = [];
    if (question.order > 0) timedOut();
    next();
  }

  function next() {
    if (!current && wanted) {
      const request = wanted;
      wanted = null;
      const known = cache.get(request.key);
      if (known) present(known, request.order);
      else ask(request);
    }
    while (!current && ahead.length > 0) {
      const values = /** @type {Values} */ (ahead.shift());
      if (!cache.has(keyOf(values))) ask({ key: keyOf(values), values, order: 0 });
    }
    setBusy(settled < newest);
  }

  /** @param {string} id */
  function close(id) {
    const question = unanswered.get(id);
    unanswered.delete(id);
    if (question && question === current) {
      question.cancel();
      current = null;
    }
    return question;
  }

  return {
    /** Puts the picture that a figure starts with into the cache. @param {Values} values @param {P} picture */
    seed: (values, picture) => keep(keyOf(values), picture),

    /** The controls have new values. @param {Values} values */
    want(values) {
      const key = keyOf(values);
      const order = ++newest;
      const known = cache.get(key);
      ahead = [];
      wanted = null;
      if (known) present(known, order);
      else if (current?.key === key && current.generation === generation) current.order = order;
      else wanted = { key, values: { ...values }, order };
      next();
    },

    /** Values to fetch while nothing is wanted, the most useful first. @param {Values[]} list */
    prefetch(list) {
      if (cacheBytes > 0) ahead = list;
      next();
    },

    /** Whether a reply belongs to a question of this view. @param {string} id */
    expects: (id) => unanswered.has(id),

    /** The kernel drew a picture. @param {string} id @param {P} picture */
    answer(id, picture) {
      const question = close(id);
      if (!question) return;
      if (question.generation === generation) keep(question.key, picture);
      present(picture, question.order);
      next();
    },

    /** The kernel could not draw. @param {string} id @param {string} error @param {string} line */
    fail(id, error, line) {
      const question = close(id);
      if (!question) return;
      if (question.order > settled) {
        settled = question.order;
        if (question.order === newest) fail(error, line);
      }
      next();
    },

    /** The data behind the figure have changed: draw these values anew. @param {Values} values */
    invalidate(values) {
      generation++;
      cache.clear();
      cachedBytes = 0;
      this.want(values);
    },

    /** Stops the time limit. */
    dispose: () => current?.cancel(),
  };
}
