// Where a point lies on the screen, and moving about: drag, wheel, pinch, keys. Over the points lies a second canvas with
// the path and the mark.

import { h, themed } from "./dom.js";
import { makePainter } from "./map_paint.js";

const CLICK_PX = 5;
const STEP = 60;
const SLOW_MS = 20;
const REST_MS = 150;
const LEAST_SHARE = 0.05;

export function makeCanvas(sheet, { move, pick, leave, list, label }) {
  const element = h("canvas", { tabIndex: 0, role: "application", "aria-label": label });
  const over = h("canvas", { class: "over", "aria-hidden": "true" });
  const box = h("div", {}, element, over);
  const middle = { x: (sheet.bounds.left + sheet.bounds.right) / 2, y: (sheet.bounds.bottom + sheet.bounds.top) / 2 };
  const camera = { ...middle, scale: 1 };
  const pointers = new Map();
  let painter = null;
  let steps = [];
  let marked = null;
  let [frame, rest, share] = [0, 0, 1];
  let fitted = 1;
  let dragged = 0;
  const watch = new ResizeObserver(() => resize());

  const size = () => ({ width: element.clientWidth || 1, height: element.clientHeight || 1 });
  const scale = () => camera.scale * fitted;

  function resize() {
    const { width, height } = size();
    const dense = Math.min(devicePixelRatio || 1, 2);
    for (const one of [element, over]) Object.assign(one, { width: width * dense, height: height * dense });
    fitted = Math.min(
      width / (sheet.bounds.right - sheet.bounds.left),
      height / (sheet.bounds.top - sheet.bounds.bottom),
    );
    redraw();
  }

  /** While it moves, as many points as are drawn in time; all of them once it rests. */
  function redraw() {
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      const begun = performance.now();
      paint(share);
      painter?.finish();
      clearTimeout(rest);
      if (share < 1) rest = setTimeout(() => paint(1), REST_MS);
      const isSlow = performance.now() - begun > SLOW_MS;
      share = isSlow ? Math.max(LEAST_SHARE, share / 2) : Math.min(1, share * 1.2);
    });
  }

  function paint(some) {
    const dense = element.width / size().width;
    const radius = Math.max(1.1, Math.min(5, (26 / Math.sqrt(Math.sqrt(sheet.n))) * 0.55 * camera.scale ** 0.3));
    painter?.paint({ ...camera, scale: scale() * dense, radius: radius * dense }, some);
    drawOver(dense);
  }

  function drawOver(dense) {
    const pen = over.getContext("2d");
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, over.width, over.height);
    pen.lineJoin = pen.lineCap = "round";
    const at = steps.map((step) => onScreen(step.x, step.y));
    for (const [width, colour] of [
      [5, themed("--panel")],
      [2.2, themed("--ink")],
    ]) {
      pen.lineWidth = width;
      pen.strokeStyle = colour;
      pen.beginPath();
      at.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
      pen.stroke();
    }
    at.forEach(([x, y], i) => circle(pen, x, y, 1.5 + (4.5 * (i + 1)) / at.length, themed("--warm")));
    if (marked) circle(pen, ...onScreen(...marked), 8, null);
  }

  function circle(pen, x, y, radius, colour) {
    pen.beginPath();
    pen.arc(x, y, radius, 0, 7);
    if (colour) {
      pen.fillStyle = colour;
      pen.fill();
    }
    pen.lineWidth = colour ? 1 : 2.5;
    pen.strokeStyle = colour ? themed("--panel") : themed("--ink");
    pen.stroke();
  }

  function onScreen(x, y) {
    const { width, height } = size();
    return [width / 2 + (x - camera.x) * scale(), height / 2 - (y - camera.y) * scale()];
  }

  function placeAt(px, py) {
    const { width, height } = size();
    return [camera.x + (px - width / 2) / scale(), camera.y - (py - height / 2) / scale()];
  }

  /** By a factor, so that what lies at a place of the screen stays there. */
  function zoom(factor, px = size().width / 2, py = size().height / 2) {
    const [x, y] = placeAt(px, py);
    camera.scale = Math.min(400, Math.max(0.5, camera.scale * factor));
    const [nowX, nowY] = placeAt(px, py);
    camera.x += x - nowX;
    camera.y += y - nowY;
    redraw();
  }

  function pan(dx, dy) {
    camera.x -= dx / scale();
    camera.y += dy / scale();
    redraw();
  }

  function reset() {
    Object.assign(camera, middle, { scale: 1 });
    redraw();
  }

  function placeOf(event) {
    const rect = element.getBoundingClientRect();
    return [event.clientX - rect.left, event.clientY - rect.top];
  }

  function onMove(event) {
    const now = placeOf(event);
    const before = pointers.get(event.pointerId);
    if (!before) return move(...now);
    leave();
    pointers.set(event.pointerId, now);
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) {
      const [was, is] = [before, now].map(([x, y]) => Math.hypot(x - other[0], y - other[1]) || 1);
      dragged = CLICK_PX + 1;
      return zoom(is / was, (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
    }
    dragged += Math.hypot(now[0] - before[0], now[1] - before[1]);
    return pan(now[0] - before[0], now[1] - before[1]);
  }

  function onUp(event) {
    const was = pointers.delete(event.pointerId);
    if (was && !pointers.size && dragged <= CLICK_PX) pick(...placeOf(event));
  }

  const KEYS = {
    ArrowLeft: () => pan(STEP, 0),
    ArrowRight: () => pan(-STEP, 0),
    ArrowUp: () => pan(0, STEP),
    ArrowDown: () => pan(0, -STEP),
    "+": () => zoom(1.4),
    "=": () => zoom(1.4),
    "-": () => zoom(1 / 1.4),
    0: reset,
    Enter: list,
  };
  element.addEventListener("pointerdown", (event) => {
    if (!pointers.size) dragged = 0;
    pointers.set(event.pointerId, placeOf(event));
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", onMove);
  element.addEventListener("pointerup", onUp);
  element.addEventListener("pointercancel", (event) => pointers.delete(event.pointerId));
  element.addEventListener("pointerleave", leave);
  element.addEventListener(
    "wheel",
    (event) => (
      event.preventDefault(),
      zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), ...placeOf(event))
    ),
    { passive: false },
  );
  element.addEventListener("keydown", (event) => {
    if (!KEYS[event.key] || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  return {
    element: box,
    canvas: element,
    placeAt,
    scale,
    zoom,
    reset,
    start() {
      painter = makePainter(element, sheet);
      element.dataset.painter = painter.name;
      watch.observe(element);
      resize();
    },
    stop: () => (watch.disconnect(), cancelAnimationFrame(frame), clearTimeout(rest)),
    colour: (codes, palette) => (painter.colour(codes, palette), redraw()),
    path: (points) => ((steps = points), redraw()),
    mark: (x, y) => ((marked = [x, y]), redraw()),
    middle(n, isShown) {
      const all = Array.from({ length: sheet.n }, (_, i) => i).filter(isShown);
      const far = (i) => (sheet.x[i] - camera.x) ** 2 + (sheet.y[i] - camera.y) ** 2;
      return all.sort((a, b) => far(a) - far(b)).slice(0, n);
    },
  };
}
