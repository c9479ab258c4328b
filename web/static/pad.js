/* The signature pad: szimek's drawing on a canvas, and what a drawing has to be before it can be sent. */

const FEWEST_POINTS = 8;
const SHORTEST = 0.5; // of the pad's height; the desk holds drawings to the same measure

export class Pad {
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.drawing = new window.SignaturePad(canvas, { minWidth: 1.6, maxWidth: 4.2, penColor: "#13233a", throttle: 0 });
    // Chromium takes a stroke that ends quickly for a fling and swallows the click of the next tap (« Valider »).
    // Claiming the touch keeps it from looking for gestures here; a passive listener could not.
    canvas.addEventListener("touchstart", (event) => event.preventDefault(), { passive: false });
    this.drawing.addEventListener("beginStroke", changed);
    this.drawing.addEventListener("endStroke", changed);
    this.resizing = new ResizeObserver(() => this.fit());
    this.resizing.observe(canvas);
    this.fit();
  }

  /** Give the canvas as many dots as the screen has under it, and draw anew what was drawn. */
  fit() {
    const { width, height } = this.canvas.getBoundingClientRect();
    if (!width || (width === this.width && height === this.height)) return;
    [this.width, this.height] = [width, height];
    const ratio = Math.max(window.devicePixelRatio || 1, 1);
    const drawn = this.drawing.toData();
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.canvas.getContext("2d").scale(ratio, ratio);
    this.drawing.clear();
    if (drawn.length) this.drawing.fromData(drawn);
  }

  get empty() { return this.drawing.isEmpty(); }

  clear() { this.drawing.clear(); }

  /** Points only: how fast and how hard somebody writes is nobody's business. */
  strokes() {
    return this.drawing.toData().map((stroke) => stroke.points.map(({ x, y }) => [Math.round(x), Math.round(y)]));
  }

  get plausible() {
    const strokes = this.strokes();
    const points = strokes.reduce((sum, stroke) => sum + stroke.length, 0);
    return points >= FEWEST_POINTS && strokes.reduce((sum, stroke) => sum + length(stroke), 0) >= SHORTEST * this.height;
  }

  close() {
    this.resizing.disconnect();
    this.drawing.off();
  }
}

function length(stroke) {
  return stroke.slice(1).reduce((sum, [x, y], i) => sum + Math.hypot(x - stroke[i][0], y - stroke[i][1]), 0);
}
