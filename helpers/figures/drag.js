// Marks that can be dragged: where their handles stand, and which values of the controls a movement means.

/**
 * @typedef {{ mark: number, x: string | null, y: string | null, angle: string | null, radius: string | null,
 *   radians: number }} Drag
 * @typedef {[number, number]} Pixel
 */

/** Index of the stop nearest to a value. */
export function nearestStop(stops, value) {
  let best = 0;
  stops.forEach((stop, i) => {
    if (Math.abs(stop - value) < Math.abs(stops[best] - value)) best = i;
  });
  return best;
}

/** The names of a drag's controls: the one that moves across or around first. @param {Drag} drag */
export function dragged(drag) {
  return [drag.x, drag.angle, drag.y, drag.radius].filter((name) => name !== null);
}

/** The middle of a handle: on the mark itself, or where the line of a cursor or row meets its axis. @returns {Pixel} */
export function handlePlace(panel, frame, drag) {
  if (panel.kind === "lines") {
    const x = frame.sx(panel.options.cursor);
    return [Math.min(Math.max(x, frame.left), frame.left + frame.width), frame.top + frame.height];
  }
  if (panel.kind === "heatmap") return [frame.left, frame.sy(panel.options.rows[0] + 0.5)];
  const { values } = panel.arrays.xy;
  return [frame.sx(values[2 * drag.mark]), frame.sy(values[2 * drag.mark + 1])];
}

/**
 * Follows a movement of a mark. Returns a function from the pointer's pixel to the new values of the drag's controls, each
 * a stop. Movements count from the start, so that a mark that is touched beside its middle does not jump.
 * @param {Drag} drag @param {Record<string, any>} values @param {Record<string, number[]>} stops by control
 * @param {Pixel} start
 */
export function follow(panel, frame, drag, values, stops, start) {
  const from = { ...values };
  const data = ([px, py]) => [frame.ix(px), frame.iy(py)];
  const tails = panel.arrays.tails?.values;
  const [x0, y0] = tails ? [tails[2 * drag.mark], tails[2 * drag.mark + 1]] : [0, 0];
  const polar = (pixel) => {
    const [x, y] = data(pixel);
    return [Math.atan2(y - y0, x - x0), Math.hypot(x - x0, y - y0)];
  };
  const [startX, startY] = data(start);
  const [startAngle, startRadius] = polar(start);
  let [angle, turned] = [startAngle, 0];
  const snap = (name, value) => stops[name][nearestStop(stops[name], value)];
  return (/** @type {Pixel} */ pixel) => {
    /** @type {Record<string, number>} */
    const moved = {};
    const [x, y] = data(pixel);
    if (drag.x !== null) moved[drag.x] = snap(drag.x, from[drag.x] + x - startX);
    if (drag.y !== null) moved[drag.y] = snap(drag.y, from[drag.y] + y - startY);
    const [now, radius] = polar(pixel);
    if (drag.angle !== null) {
      turned += Math.atan2(Math.sin(now - angle), Math.cos(now - angle)); // the short way round
      angle = now;
      moved[drag.angle] = snap(drag.angle, wrap(from[drag.angle] + turned / drag.radians, stops[drag.angle], drag));
    }
    if (drag.radius !== null) moved[drag.radius] = snap(drag.radius, from[drag.radius] + radius - startRadius);
    return moved;
  };
}

/** A value that has gone past the end of a control that covers one full turn goes on at its start. */
function wrap(value, stops, { radians }) {
  const [low, high] = [stops[0], stops[stops.length - 1]];
  const span = high - low;
  if (Math.abs(Math.abs(span * radians) - 2 * Math.PI) > 1e-6 || (value >= low && value <= high)) return value;
  return low + ((((value - low) % span) + span) % span);
}

/**
 * The control that a key moves and the index of its new stop; null for other keys. Left and right move across or around,
 * up and down move up, down, out or in.
 * @param {Drag} drag @param {Record<string, any>} values @param {Record<string, number[]>} stops by control
 * @returns {[string, number] | null}
 */
export function keyed(panel, drag, key, values, stops) {
  const names = dragged(drag);
  const across = names[0];
  const upward = names[names.length - 1];
  const downIsMore = panel.kind === "heatmap" ? 1 : -1; // row 0 is on top
  const steps = {
    ArrowRight: [across, 1],
    ArrowLeft: [across, -1],
    ArrowDown: [upward, downIsMore],
    ArrowUp: [upward, -downIsMore],
    PageDown: [upward, 10 * downIsMore],
    PageUp: [upward, -10 * downIsMore],
    Home: [across, -Infinity],
    End: [across, Infinity],
  };
  if (!Object.hasOwn(steps, key)) return null;
  const [name, step] = steps[key];
  const here = nearestStop(stops[name], values[name]);
  return [name, Math.max(0, Math.min(here + step, stops[name].length - 1))];
}
