// A hundred thousand points: with WebGL, written out here because libraries for it make their code out of strings, which
// the page's policy forbids; on a plain canvas where there is no WebGL. Points lie in an order drawn by lot, so that the
// first of them are an even sample: what is drawn while the map moves and all of them would take too long.

const VERTEX = `
attribute vec2 place; attribute vec4 colour;
uniform vec2 middle; uniform vec2 scale; uniform mediump float size; varying vec4 shade;
void main() { gl_Position = vec4((place - middle) * scale, 0.0, 1.0); gl_PointSize = colour.a > 0.0 ? size : 0.0; shade = colour; }`;
const FRAGMENT = `
precision mediump float; varying vec4 shade; uniform mediump float size; uniform float strength;
void main() {
  float far = length(gl_PointCoord - 0.5) * size;
  float edge = 1.0 - smoothstep(size * 0.5 - 1.0, size * 0.5, far);
  if (edge * shade.a <= 0.0) discard;
  gl_FragColor = vec4(shade.rgb, 1.0) * edge * strength;
}`;

/** `colour(codes, palette)`: the colour of each point, null to hide; `paint(camera, share)`: draw a share of them;
 * `finish()`: wait until that is done. */
export function makePainter(canvas, sheet) {
  const gl = canvas.getContext("webgl", {
    antialias: false,
    alpha: true,
    premultipliedAlpha: true,
    preserveDrawingBuffer: true,
  });
  const order = byLot(sheet.n);
  return gl ? withWebGl(gl, canvas, sheet, order) : withCanvas(canvas.getContext("2d"), canvas, sheet, order);
}

/** 0 to n - 1 in an order without a pattern, always the same. */
function byLot(n) {
  const order = Uint32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1, lot = 1; i > 0; i--) {
    lot = (Math.imul(lot, 1664525) + 1013904223) >>> 0;
    const other = Math.floor((lot / 2 ** 32) * (i + 1));
    [order[i], order[other]] = [order[other], order[i]];
  }
  return order;
}

function strengthOf(n) {
  return n > 30000 ? 0.5 : n > 3000 ? 0.65 : 0.85;
}

function rgb(colour) {
  const parts = /rgb\((\d+),\s*(\d+),\s*(\d+)\)/.exec(colour);
  if (parts) return parts.slice(1).map(Number);
  const hex = colour.replace("#", "");
  return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function withWebGl(gl, canvas, { x, y, n }, order) {
  const program = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ]) {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`WebGL: ${gl.getProgramInfoLog(program)}`);
  gl.useProgram(program);
  const places = new Float32Array(2 * n);
  for (let i = 0; i < n; i++) [places[2 * i], places[2 * i + 1]] = [x[order[i]], y[order[i]]];
  const colours = new Uint8Array(4 * n);
  const colourBuffer = gl.createBuffer();
  attach(gl, program, "place", gl.createBuffer(), places, 2, gl.FLOAT, false);
  attach(gl, program, "colour", colourBuffer, colours, 4, gl.UNSIGNED_BYTE, true);
  const uniform = (name) => gl.getUniformLocation(program, name);
  const [middle, scale, size, strength] = ["middle", "scale", "size", "strength"].map(uniform);
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  gl.clearColor(0, 0, 0, 0);
  return {
    name: "webgl",
    colour(codes, palette) {
      const parts = palette.map((one) => (one === null ? [0, 0, 0, 0] : [...rgb(one), 255]));
      for (let i = 0; i < n; i++) colours.set(parts[codes[order[i]]], 4 * i);
      gl.bindBuffer(gl.ARRAY_BUFFER, colourBuffer);
      gl.bufferData(gl.ARRAY_BUFFER, colours, gl.DYNAMIC_DRAW);
    },
    paint(camera, share) {
      gl.viewport(0, 0, canvas.width, canvas.height);
      gl.clear(gl.COLOR_BUFFER_BIT);
      gl.uniform2f(middle, camera.x, camera.y);
      gl.uniform2f(scale, (2 * camera.scale) / canvas.width, (2 * camera.scale) / canvas.height);
      gl.uniform1f(size, 2 * camera.radius + 1);
      gl.uniform1f(strength, strengthOf(n));
      gl.drawArrays(gl.POINTS, 0, Math.ceil(n * share));
    },
    finish: () => gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)),
  };
}

function attach(gl, program, name, buffer, data, width, type, normalised) {
  const where = gl.getAttribLocation(program, name);
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
  gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
  gl.enableVertexAttribArray(where);
  gl.vertexAttribPointer(where, width, type, normalised, 0, 0);
}

/** Squares, colour by colour: a change of colour costs more than a point. */
function withCanvas(pen, canvas, { x, y, n }, order) {
  let groups = [];
  return {
    name: "canvas",
    colour(codes, palette) {
      groups = palette.map((one) => ({ one, points: [] }));
      for (const i of order) groups[codes[i]].points.push(i);
      groups = groups.filter(({ one }) => one !== null);
    },
    finish: () => {},
    paint(camera, share) {
      pen.clearRect(0, 0, canvas.width, canvas.height);
      pen.globalAlpha = strengthOf(n);
      const side = 1.8 * camera.radius;
      for (const { one, points } of groups) {
        pen.fillStyle = one;
        for (const i of points.slice(0, Math.ceil(points.length * share))) {
          const px = canvas.width / 2 + (x[i] - camera.x) * camera.scale;
          const py = canvas.height / 2 - (y[i] - camera.y) * camera.scale;
          if (px > -side && py > -side && px < canvas.width + side && py < canvas.height + side)
            pen.fillRect(px - side / 2, py - side / 2, side, side);
        }
      }
    },
  };
}
