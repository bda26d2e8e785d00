// Draws one slide on a canvas. The canvas's transform maps level-0 px to device px.

const TRUTH = "#c2410c";
const TISSUE = "#1d4ed8";
// Colour of tiles that have the texture of tissue but are not in the tissue mask.
const LEFT_OUT = "rgb(255 140 0 / 45%)";
// Half the size of a detection's diamond, CSS px.
const MARK = 7;

class Drawing {
  constructor(layers, picture) {
    this.size = layers.size;
    this.extent = layers.picture;
    this.picture = picture;
    this.detections = layers.detections;
    this.levels = layers.heatMap ? pyramid(layers.heatMap) : [];
    this.tissue = layers.tissueMap;
    this.truth = truthPaths(layers);
    this.cells = new Map();
    if (this.tissue) this.tissueBorder = border(this.tissue, (byte) => byte === 1 || byte === 2);
    if (this.tissue?.bytes.includes(3)) this.leftOut = area(this.tissue, 3);
    if (this.levels.length && this.tissue?.bytes.includes(2)) this.missing = area(this.tissue, 2);
  }

  // The coarsest level whose cells are not larger than a device pixel, or else the finest level.
  heatAt(scale, threshold) {
    let level = 0;
    while (level + 1 < this.levels.length && this.levels[level + 1].cell * scale <= 1) level += 1;
    const key = `${level} ${threshold}`;
    if (!this.cells.has(key)) {
      if (this.cells.size > 2) this.cells.clear();
      const map = this.levels[level];
      const shown = (byte) => byte > 0 && byte >= byteOf(threshold);
      const canvas = coloured(map, (byte) => (shown(byte) ? colourOf(scoreOf(byte)) : null));
      const grey = coloured(map, (byte) => (shown(byte) ? [128, 128, 128] : null));
      this.cells.set(key, { map, canvas, grey });
    }
    return this.cells.get(key);
  }

  // view is {x, y, scale}: the point in the middle, level-0 px, and device px per level-0 px.
  // dpr is the number of device px per CSS px.
  draw(context, view, dpr, options) {
    const { width, height } = context.canvas;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.setTransform(view.scale, 0, 0, view.scale, width / 2 - view.x * view.scale, height / 2 - view.y * view.scale);
    context.save();
    context.beginPath();
    context.rect(0, 0, this.size[0], this.size[1]);
    context.clip();
    context.fillStyle = "#fff";
    context.fillRect(0, 0, this.size[0], this.size[1]);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    if (this.picture) context.drawImage(this.picture, 0, 0, this.extent[0], this.extent[1]);
    this.drawHeat(context, view, options);
    if (this.missing) this.drawMissing(context, view, dpr);
    if (options.tissue && this.tissue) this.drawTissue(context, view, dpr);
    context.restore();
    if (options.truth) this.drawTruth(context, view, dpr);
    if (options.detections) this.drawDetections(context, view, dpr, options.threshold);
  }

  drawHeat(context, view, { opacity, threshold }) {
    if (!this.levels.length || opacity === 0) return;
    const { map, canvas, grey } = this.heatAt(view.scale, threshold);
    const place = [map.origin, map.origin, map.cols * map.cell, map.rows * map.cell];
    context.imageSmoothingEnabled = false;
    // The slide is grey under the heatmap, because violet nuclei would change the colours of scores.
    context.globalCompositeOperation = "saturation";
    context.globalAlpha = Math.min(1, 2 * opacity);
    context.drawImage(grey, ...place);
    context.globalCompositeOperation = "source-over";
    context.globalAlpha = opacity;
    context.drawImage(canvas, ...place);
    context.globalAlpha = 1;
  }

  drawMissing(context, view, dpr) {
    const step = 8 * dpr / view.scale;
    context.save();
    context.clip(this.missing);
    const [width, height] = this.size;
    const lines = new Path2D();
    for (let at = 0; at < width + height; at += Math.max(step, (width + height) / 4000)) {
      lines.moveTo(at, 0);
      lines.lineTo(at - height, height);
    }
    stroke(context, lines, view, 1.5 * dpr, "#444");
    context.restore();
  }

  drawTissue(context, view, dpr) {
    if (this.leftOut) {
      context.fillStyle = LEFT_OUT;
      context.fill(this.leftOut);
    }
    stroke(context, this.tissueBorder, view, 3 * dpr, "rgb(255 255 255 / 70%)");
    stroke(context, this.tissueBorder, view, 1.5 * dpr, TISSUE, [5 * dpr, 3 * dpr]);
  }

  drawTruth(context, view, dpr) {
    for (const { path, excludes } of this.truth) {
      stroke(context, path, view, 5 * dpr, "#fff");
      stroke(context, path, view, 2.5 * dpr, TRUTH, excludes ? [8 * dpr, 5 * dpr] : []);
    }
  }

  drawDetections(context, view, dpr, threshold) {
    const { width, height } = context.canvas;
    context.save();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.lineJoin = "round";
    // Detections with higher scores are drawn on top.
    for (const [score, x, y] of this.detections.toReversed()) {
      if (score < threshold) continue;
      const [left, top] = [width / 2 + (x - view.x) * view.scale, height / 2 + (y - view.y) * view.scale];
      const mark = new Path2D();
      const reach = MARK * dpr;
      mark.moveTo(left, top - reach);
      mark.lineTo(left + reach, top);
      mark.lineTo(left, top + reach);
      mark.lineTo(left - reach, top);
      mark.closePath();
      context.lineWidth = 4.5 * dpr;
      context.strokeStyle = "#fff";
      context.stroke(mark);
      context.lineWidth = 2 * dpr;
      context.strokeStyle = "#111";
      context.stroke(mark);
    }
    context.restore();
  }
}

// The area of all cells that have this value.
function area(map, value) {
  const path = new Path2D();
  map.bytes.forEach((byte, at) => {
    const [row, col] = [Math.floor(at / map.cols), at % map.cols];
    if (byte === value) path.rect(map.origin + col * map.cell, map.origin + row * map.cell, map.cell, map.cell);
  });
  return path;
}

// Draws lines of the given width, in device px, at any zoom.
function stroke(context, path, view, width, style, dash = []) {
  context.lineJoin = "round";
  context.lineWidth = width / view.scale;
  context.strokeStyle = style;
  context.setLineDash(dash.map((length) => length / view.scale));
  context.stroke(path);
  context.setLineDash([]);
}

function truthPaths({ truth, truthMask }) {
  if (truthMask) return [{ path: border(truthMask, (byte) => byte > 0), excludes: false }];
  return (truth?.outlines ?? []).map(({ points, excludes }) => {
    const path = new Path2D();
    for (let at = 0; at + 1 < points.length; at += 2) {
      if (at === 0) path.moveTo(points[0], points[1]);
      else path.lineTo(points[at], points[at + 1]);
    }
    path.closePath();
    return { path, excludes };
  });
}
