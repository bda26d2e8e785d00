// The view of one slide: panning, zooming, and the sliders.

const byId = (id) => document.getElementById(id);
const STEP = 1.25;

class View {
  constructor() {
    this.canvas = byId("canvas");
    this.context = this.canvas.getContext("2d");
    this.drawing = null;
    this.place = { x: 0, y: 0, scale: 1 };
    this.pointers = new Map();
    byId("opacity").value = Math.round(100 * SETUP.opacity);
    for (const id of ["opacity", "threshold", "show-truth", "show-detections", "show-tissue"]) {
      byId(id).addEventListener("input", () => this.redraw());
    }
    byId("zoom-in").addEventListener("click", () => this.zoom(STEP * STEP));
    byId("zoom-out").addEventListener("click", () => this.zoom(1 / STEP / STEP));
    byId("zoom-reset").addEventListener("click", () => this.fit());
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    this.canvas.addEventListener("wheel", (event) => this.onWheel(event), { passive: false });
    this.canvas.addEventListener("pointerdown", (event) => this.onDown(event));
    this.canvas.addEventListener("pointermove", (event) => this.onMove(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.canvas.addEventListener(end, (event) => this.pointers.delete(event.pointerId));
    }
    new ResizeObserver(() => this.resize()).observe(this.canvas.parentElement);
    this.drawLegend();
  }

  get dpr() { return window.devicePixelRatio || 1; }

  // The scale at which the whole slide is visible.
  get whole() {
    const [width, height] = this.drawing.size;
    return Math.min(this.canvas.width / width, this.canvas.height / height) * 0.96;
  }

  show(drawing) {
    this.drawing = drawing;
    this.fit();
  }

  fit() {
    if (!this.drawing) return this.redraw();
    const [width, height] = this.drawing.size;
    this.place = { x: width / 2, y: height / 2, scale: this.whole };
    return this.redraw();
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas.parentElement;
    const whole = this.drawing && this.place.scale === this.whole;
    this.canvas.width = Math.max(1, Math.round(clientWidth * this.dpr));
    this.canvas.height = Math.max(1, Math.round(clientHeight * this.dpr));
    if (whole) this.fit();
    else this.redraw();
  }

  // Zooms by a factor. The point at (left, top), in device px from the middle, stays in place.
  zoom(times, left = 0, top = 0) {
    if (!this.drawing) return;
    const { x, y, scale } = this.place;
    const most = Math.max(4 * this.dpr, this.whole);
    const next = Math.min(most, Math.max(this.whole / 4, scale * times));
    this.place = { x: x + left / scale - left / next, y: y + top / scale - top / next, scale: next };
    this.hold();
    this.redraw();
  }

  // Moves the view by device px.
  pan(left, top) {
    if (!this.drawing) return;
    this.place.x += left / this.place.scale;
    this.place.y += top / this.place.scale;
    this.hold();
    this.redraw();
  }

  // Keeps the middle of the view on the slide.
  hold() {
    const [width, height] = this.drawing.size;
    this.place.x = Math.min(width, Math.max(0, this.place.x));
    this.place.y = Math.min(height, Math.max(0, this.place.y));
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = this.canvas.width / 10;
    const actions = {
      ArrowLeft: () => this.pan(-step, 0),
      ArrowRight: () => this.pan(step, 0),
      ArrowUp: () => this.pan(0, -step),
      ArrowDown: () => this.pan(0, step),
      "+": () => this.zoom(STEP),
      "=": () => this.zoom(STEP),
      "-": () => this.zoom(1 / STEP),
      0: () => this.fit(),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
    this.readOut(this.place.x, this.place.y);
  }

  onWheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 16 : 1;
    const [left, top] = this.fromMiddle(event);
    this.zoom(Math.exp(-event.deltaY * lines / 400), left, top);
  }

  onDown(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.fromMiddle(event));
  }

  onMove(event) {
    const now = this.fromMiddle(event);
    const before = this.pointers.get(event.pointerId);
    if (before) {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
      if (other) {
        const apart = (a, b) => Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1]));
        this.zoom(apart(now, other) / apart(before, other), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
      } else {
        this.pan(before[0] - now[0], before[1] - now[1]);
      }
      this.pointers.set(event.pointerId, now);
    }
    const { x, y, scale } = this.place;
    this.readOut(x + now[0] / scale, y + now[1] / scale);
  }

  // Position of a pointer event, in device px from the middle of the canvas.
  fromMiddle(event) {
    const box = this.canvas.getBoundingClientRect();
    const { dpr } = this;
    return [(event.clientX - box.left) * dpr - this.canvas.width / 2, (event.clientY - box.top) * dpr - this.canvas.height / 2];
  }

  readOut(x, y) {
    if (!this.drawing) return;
    const map = this.drawing.levels[0];
    const byte = map ? byteAt(map, x, y) : 0;
    const score = byte ? `score ${scoreOf(byte).toFixed(2)}` : "no score";
    byId("readout").textContent = `x ${Math.floor(x)}, y ${Math.floor(y)} px: ${score}`;
  }

  get options() {
    return {
      opacity: byId("opacity").value / 100,
      threshold: byId("threshold").value / 100,
      truth: byId("show-truth").checked,
      detections: byId("show-detections").checked,
      tissue: byId("show-tissue").checked,
    };
  }

  redraw() {
    byId("opacity-text").textContent = `${byId("opacity").value} %`;
    byId("threshold-text").textContent = (byId("threshold").value / 100).toFixed(2);
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (this.drawing) this.drawing.draw(this.context, this.place, this.dpr, this.options);
      else this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
      this.drawScale();
    });
  }

  // Draws a scale bar of a round length, if the slide's resolution is known.
  drawScale() {
    const mpp = this.drawing?.mpp;
    byId("scale").hidden = !mpp;
    if (!mpp) return;
    const umPerPx = mpp / (this.place.scale / this.dpr);
    const most = 120 * umPerPx;
    const power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].map((n) => n * power).find((n) => n <= most);
    byId("scale-bar").style.width = `${length / umPerPx}px`;
    byId("scale-text").textContent = length >= 1000 ? `${length / 1000} mm` : `${length} µm`;
  }

  drawLegend() {
    const context = byId("legend").getContext("2d");
    for (let step = 0; step < 256; step += 1) {
      context.fillStyle = `rgb(${colourOf(step / 255).join(" ")})`;
      context.fillRect(step, 0, 1, 1);
    }
  }
}
