// Unpacks, shrinks and colours maps. A map is {rows, cols, cell, origin, bytes};
// cell (r, c) covers [origin + c * cell, origin + (c + 1) * cell) along x, in level-0 px.

async function unpacked(layer) {
  if (!layer) return null;
  const packed = Uint8Array.from(atob(layer.data), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const { rows, cols, cell, origin } = layer;
  return { rows, cols, cell, origin, bytes };
}

// A map with half as many cells per side; each cell has the highest value of its four.
function halved(map) {
  const rows = Math.ceil(map.rows / 2);
  const cols = Math.ceil(map.cols / 2);
  const bytes = new Uint8Array(rows * cols);
  for (let row = 0; row < map.rows; row += 1) {
    for (let col = 0; col < map.cols; col += 1) {
      const at = (row >> 1) * cols + (col >> 1);
      const byte = map.bytes[row * map.cols + col];
      if (byte > bytes[at]) bytes[at] = byte;
    }
  }
  return { rows, cols, cell: 2 * map.cell, origin: map.origin, bytes };
}

// The map and its reduced versions, the finest first.
function pyramid(map) {
  const levels = [map];
  while (Math.max(levels.at(-1).rows, levels.at(-1).cols) > 64) levels.push(halved(levels.at(-1)));
  return levels;
}

// The value of the cell at (x, y), level-0 px; 0 outside the map.
function byteAt(map, x, y) {
  const col = Math.floor((x - map.origin) / map.cell);
  const row = Math.floor((y - map.origin) / map.cell);
  const inside = row >= 0 && col >= 0 && row < map.rows && col < map.cols;
  return inside ? map.bytes[row * map.cols + col] : 0;
}

const scoreOf = (byte) => (byte - 1) / 254;
const byteOf = (score) => Math.max(1, Math.round(1 + 254 * score));

function blankCanvas(cols, rows) {
  const canvas = document.createElement("canvas");
  canvas.width = cols;
  canvas.height = rows;
  return canvas;
}

// A canvas with one pixel per cell. colour(byte) gives [red, green, blue], or nothing for a
// transparent pixel.
function coloured(map, colour) {
  const canvas = blankCanvas(map.cols, map.rows);
  const context = canvas.getContext("2d");
  const image = context.createImageData(map.cols, map.rows);
  // A pixel's four bytes are copied at once: maps have millions of cells, and dragging the
  // threshold draws them again and again.
  const table = new Uint8ClampedArray(4 * 256);
  for (let byte = 0; byte < 256; byte += 1) {
    const rgb = colour(byte);
    if (rgb) table.set([...rgb, 255], 4 * byte);
  }
  const [from, to] = [new Uint32Array(table.buffer), new Uint32Array(image.data.buffer)];
  for (let at = 0; at < to.length; at += 1) to[at] = from[map.bytes[at]];
  context.putImageData(image, 0, 0);
  return canvas;
}

function colourOf(score) {
  const step = 3 * Math.round(255 * Math.min(1, Math.max(0, score)));
  return SETUP.colours.slice(step, step + 3);
}

// The border of the cells for which isIn(byte) holds, in level-0 px.
function border(map, isIn) {
  const path = new Path2D();
  const isSet = (row, col) => row >= 0 && col >= 0 && row < map.rows && col < map.cols
    && isIn(map.bytes[row * map.cols + col]);
  const at = (index) => map.origin + index * map.cell;
  const edges = (lines, length, differs, add) => {
    for (let line = 0; line <= lines; line += 1) {
      let start = -1;
      for (let place = 0; place <= length; place += 1) {
        const edge = place < length && differs(line, place);
        if (edge && start < 0) start = place;
        if (!edge && start >= 0) { add(line, start, place); start = -1; }
      }
    }
  };
  edges(map.rows, map.cols, (row, col) => isSet(row - 1, col) !== isSet(row, col), (row, from, to) => {
    path.moveTo(at(from), at(row));
    path.lineTo(at(to), at(row));
  });
  edges(map.cols, map.rows, (col, row) => isSet(row, col - 1) !== isSet(row, col), (col, from, to) => {
    path.moveTo(at(col), at(from));
    path.lineTo(at(col), at(to));
  });
  return path;
}
