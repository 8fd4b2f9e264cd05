// Where the names of marks are written, so that they hide neither each other nor the data.

/** @typedef {{ left: number, top: number, right: number, bottom: number }} Box */
/**
 * The middle of a mark, the size of its label, the gap between the two, and the direction in which the label is wanted.
 * @typedef {{ x: number, y: number, width: number, height: number, gap: number, required: boolean,
 *   toward?: [number, number] }} LabelRequest
 */

/** Moves labels apart: for each wanted height the one where it is drawn, `room` apart and between low and high. */
export function spread(wanted, room, low, high) {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a] - wanted[b]);
  const heights = wanted.map((y) => Math.min(Math.max(y, low), high));
  order.forEach((i, place) => {
    if (place > 0) heights[i] = Math.max(heights[i], heights[order[place - 1]] + room);
  });
  let limit = high;
  for (const i of order.reverse()) {
    heights[i] = Math.min(heights[i], limit);
    limit = heights[i] - room;
  }
  return heights;
}

/** The area that two boxes share. @param {Box} one @param {Box} other */
function overlap(one, other) {
  const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
  const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
  return wide > 0 && high > 0 ? wide * high : 0;
}

/**
 * A box for each label, beside its mark, inside the frame and free of obstacles and of the labels before it; null where
 * there is no such box. A required label then takes the box that covers least.
 * @param {LabelRequest[]} requests @param {Box[]} obstacles @param {Box} frame
 * @returns {(Box | null)[]}
 */
export function placeLabels(requests, obstacles, frame) {
  const taken = [...obstacles];
  return requests.map((request) => {
    /** @type {Box | null} */
    let best = null;
    let least = Infinity;
    for (const box of candidates(request, frame)) {
      const covered = taken.reduce((sum, other) => sum + overlap(box, other), 0);
      if (covered < least) [least, best] = [covered, box];
      if (covered === 0) break;
    }
    if (!best || (least > 0 && !request.required)) return null;
    taken.push(best);
    return best;
  });
}

/**
 * Boxes around a mark, the preferred one first; a required label is moved into the frame.
 * @param {LabelRequest} request @param {Box} frame @returns {Generator<Box>}
 */
function* candidates({ x, y, width, height, gap, required, toward }, frame) {
  const near = 0.6 * gap;
  const [ahead, below] = toward ?? [0, 0];
  const along = (/** @type {[number, number]} */ [across, down]) =>
    (across * ahead + down * below) / Math.hypot(across, down);
  const sides = toward ? [...SIDES].sort((one, other) => along(other) - along(one)) : SIDES;
  for (const far of [1, 2.5, 4]) {
    for (const [across, down] of sides) {
      let left = x + across * (across && down ? near : gap) * far - (width * (1 - across)) / 2;
      let top = y + down * (across && down ? near : gap) * far - (height * (1 - down)) / 2;
      if (required) {
        left = Math.max(frame.left, Math.min(left, frame.right - width));
        top = Math.max(frame.top, Math.min(top, frame.bottom - height));
      } else if (left < frame.left || left + width > frame.right || top < frame.top || top + height > frame.bottom) {
        continue;
      }
      yield { left, top, right: left + width, bottom: top + height };
    }
    if (!required) return; // far from its mark a label would seem to name another one
  }
}

/** @type {[number, number][]} */
const SIDES = [
  [1, -1],
  [1, 0],
  [1, 1],
  [0, -1],
  [0, 1],
  [-1, -1],
  [-1, 0],
  [-1, 1],
];
