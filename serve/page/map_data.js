// The packed map, and which of its points is near a place: points are sorted into a grid once.

const TYPES = { u4: Uint32Array, f4: Float32Array, u1: Uint8Array };
const CELLS = 128;

/** Header and arrays of what /v1/map answers, with the grid that finds points. */
export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const sheet = { ...header };
  for (const { name, type, offset } of header.arrays)
    sheet[name] = new TYPES[type](buffer, 4 + length + offset, header.n);
  sheet.bounds = bounds(sheet);
  sheet.grid = grid(sheet);
  return sheet;
}

function bounds({ x, y, n }) {
  const box = { left: Infinity, right: -Infinity, bottom: Infinity, top: -Infinity };
  for (let i = 0; i < n; i++) {
    box.left = Math.min(box.left, x[i]);
    box.right = Math.max(box.right, x[i]);
    box.bottom = Math.min(box.bottom, y[i]);
    box.top = Math.max(box.top, y[i]);
  }
  if (!n) return { left: -1, right: 1, bottom: -1, top: 1 };
  const wide = Math.max(box.right - box.left, box.top - box.bottom, 1e-6) * 0.03;
  return { left: box.left - wide, right: box.right + wide, bottom: box.bottom - wide, top: box.top + wide };
}

/** Points of each cell, one after the other, and where each cell begins. */
function grid({ x, y, n, bounds: box }) {
  const cellOf = new Uint32Array(n);
  const starts = new Uint32Array(CELLS * CELLS + 1);
  for (let i = 0; i < n; i++) {
    cellOf[i] = column(x[i], box.left, box.right) + CELLS * column(y[i], box.bottom, box.top);
    starts[cellOf[i] + 1]++;
  }
  for (let cell = 0; cell < CELLS * CELLS; cell++) starts[cell + 1] += starts[cell];
  const next = starts.slice();
  const points = new Uint32Array(n);
  for (let i = 0; i < n; i++) points[next[cellOf[i]]++] = i;
  return { starts, points };
}

function column(value, low, high) {
  return Math.max(0, Math.min(CELLS - 1, Math.floor((CELLS * (value - low)) / (high - low))));
}

/** The shown point nearest to a place on the screen, at most so many pixels away; null where there is none. */
export function nearest(sheet, canvas, px, py, within, isShown) {
  const [x, y] = canvas.placeAt(px, py);
  const reach = within / canvas.scale();
  const {
    bounds: box,
    grid: { starts, points },
  } = sheet;
  let best = null;
  let least = reach * reach;
  for (let row = column(y - reach, box.bottom, box.top); row <= column(y + reach, box.bottom, box.top); row++) {
    for (let col = column(x - reach, box.left, box.right); col <= column(x + reach, box.left, box.right); col++) {
      const cell = col + CELLS * row;
      for (let at = starts[cell]; at < starts[cell + 1]; at++) {
        const i = points[at];
        const distance = (sheet.x[i] - x) ** 2 + (sheet.y[i] - y) ** 2;
        if (distance < least && isShown(i)) [best, least] = [i, distance];
      }
    }
  }
  return best;
}
