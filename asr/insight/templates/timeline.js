"use strict";
// One time axis for many panels: zooming, moving, the cursor, and what lies under the pointer.

const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

class Timeline {
  constructor(duration) {
    this.duration = duration;
    this.start = 0;
    this.end = duration;
    this.cursor = 0;
    this.hover = null;
    this.panels = [];
    this.onSeek = () => {};
    this.onRead = () => {};
    this.onView = () => {};
    this.visible = new IntersectionObserver(entries => {
      for (const entry of entries) entry.target.panel.isVisible = entry.isIntersecting;
      this.redraw();
    }, { rootMargin: "200px" });
    new ResizeObserver(() => this.redraw()).observe(document.body);
  }

  // A panel draws itself by draw(ctx, box) and may say what is at (time, fraction from the top).
  add(element, { height, draw, read = null, pick = null, label = "", isWhole = false }) {
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", label);
    canvas.style.height = `${height}px`;
    const cursor = document.createElement("div"), hover = document.createElement("div");
    cursor.className = "cursor";
    hover.className = "hover";
    element.replaceChildren(canvas, cursor, hover);
    const panel = { element, canvas, cursor, hover, height, draw, read, pick, isWhole,
                    isVisible: true };
    canvas.panel = panel;
    this.panels.push(panel);
    this.visible.observe(canvas);
    this.listen(panel);
    this.redraw();
    return panel;
  }

  remove(panel) {
    this.visible.unobserve(panel.canvas);
    this.panels = this.panels.filter(other => other !== panel);
    panel.element.remove();
  }

  get isNarrow() { return window.innerWidth < 600; }

  // Where a panel draws: its width, the place of a time, and the part of time in view.
  box(panel) {
    const width = panel.canvas.clientWidth, left = this.isNarrow ? 44 : 58;
    const start = panel.isWhole ? 0 : this.start;
    const end = panel.isWhole ? this.duration : this.end;
    const scale = (width - left) / (end - start);
    return { left, width, height: panel.height, start, end, scale, isNarrow: this.isNarrow,
             x: time => left + (time - start) * scale,
             time: x => start + (x - left) / scale };
  }

  view(start, end) {
    const least = Math.min(0.3, this.duration);
    let length = Math.min(Math.max(end - start, least), this.duration);
    start = Math.min(Math.max((start + end - length) / 2, 0), this.duration - length);
    this.start = start;
    this.end = start + length;
    this.onView();
    this.redraw();
  }

  zoom(factor, around = null) {
    const middle = around ?? (this.cursor >= this.start && this.cursor <= this.end
      ? this.cursor : (this.start + this.end) / 2);
    this.view(middle - (middle - this.start) * factor, middle + (this.end - middle) * factor);
  }

  move(seconds) {
    const length = this.end - this.start;
    const start = Math.min(Math.max(this.start + seconds, 0), this.duration - length);
    this.view(start, start + length);
  }

  seek(time, isPlaying = false) {
    this.cursor = Math.min(Math.max(time, 0), this.duration);
    if (this.cursor < this.start || this.cursor > this.end) {
      const length = this.end - this.start;
      this.view(this.cursor - length * 0.1, this.cursor + length * 0.9);
    }
    if (!isPlaying) this.onSeek(this.cursor);
    this.place();
    this.onRead(this.cursor, "");
  }

  redraw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = null;
      for (const panel of this.panels) if (panel.isVisible) this.paint(panel);
      this.place();
    });
  }

  paint(panel) {
    const ratio = window.devicePixelRatio || 1, box = this.box(panel);
    if (!box.width) return;
    panel.canvas.width = Math.round(box.width * ratio);
    panel.canvas.height = Math.round(panel.height * ratio);
    const ctx = panel.canvas.getContext("2d");
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.font = "11px system-ui, sans-serif";
    ctx.textBaseline = "middle";
    panel.draw(ctx, box);
  }

  place() {
    for (const panel of this.panels) {
      const box = this.box(panel);
      for (const [line, time] of [[panel.cursor, this.cursor], [panel.hover, this.hover]]) {
        const isShown = time !== null && time >= box.start && time <= box.end;
        line.style.display = isShown ? "block" : "none";
        if (isShown) line.style.transform = `translateX(${box.x(time)}px)`;
      }
    }
  }

  listen(panel) {
    const canvas = panel.canvas, fingers = new Map();
    let pressed = null, spread = null;
    const at = event => {
      const rect = canvas.getBoundingClientRect();
      const time = this.box(panel).time(event.clientX - rect.left);
      return { time: Math.min(Math.max(time, 0), this.duration),
               part: Math.min(Math.max((event.clientY - rect.top) / rect.height, 0), 0.9999) };
    };
    canvas.addEventListener("pointerdown", event => {
      fingers.set(event.pointerId, event.clientX);
      pressed = { x: event.clientX, last: event.clientX, hasMoved: false };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", event => {
      const place = at(event);
      if (event.pointerType === "mouse") {
        this.hover = place.time;
        this.place();
        this.onRead(place.time, panel.read ? panel.read(place.time, place.part) : "");
      }
      if (!fingers.has(event.pointerId)) return;
      fingers.set(event.pointerId, event.clientX);
      if (fingers.size === 2) {
        const [a, b] = [...fingers.values()], now = Math.max(Math.abs(a - b), 10);
        if (spread) this.zoom(spread / now, place.time);
        spread = now;
        pressed = null;
      } else if (pressed) {
        if (Math.abs(event.clientX - pressed.x) > 4) pressed.hasMoved = true;
        const moved = (event.clientX - pressed.last) / this.box(panel).scale;
        if (pressed.hasMoved) this.move(panel.isWhole ? moved : -moved);
        pressed.last = event.clientX;
      }
    });
    const release = event => {
      fingers.delete(event.pointerId);
      spread = null;
      if (pressed && !pressed.hasMoved && event.type === "pointerup") {
        const place = at(event);
        this.seek(place.time);
        if (panel.pick) panel.pick(place.time, place.part);
        if (panel.isWhole) {
          const half = (this.end - this.start) / 2;
          this.view(place.time - half, place.time + half);
        }
        this.onRead(place.time, panel.read ? panel.read(place.time, place.part) : "");
      }
      pressed = null;
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => {
      this.hover = null;
      this.place();
      this.onRead(this.cursor, "");
    });
    canvas.addEventListener("wheel", event => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        this.zoom(Math.exp(event.deltaY * 0.004), at(event).time);
      } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        this.move(event.deltaX / this.box(panel).scale);
      }
    }, { passive: false });
  }
}

// A heat map: a grey PNG whose columns lie evenly over a stretch of time.
class HeatMap {
  constructor(uri, kind, duration, start = 0) {
    Object.assign(this, { uri, kind, duration, start, picture: null, theme: null });
  }

  async load() {
    if (this.values) return this;
    const image = new Image();
    image.src = this.uri;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const ctx = canvas.getContext("2d", { willReadFrequently: true });
    ctx.drawImage(image, 0, 0);
    const pixels = ctx.getImageData(0, 0, canvas.width, canvas.height).data;
    [this.columns, this.rows] = [canvas.width, canvas.height];
    this.values = new Uint8Array(this.columns * this.rows);
    for (let i = 0; i < this.values.length; i++) this.values[i] = pixels[4 * i];
    return this;
  }

  column(time) {
    const column = Math.floor((time - this.start) / this.duration * this.columns);
    return Math.min(Math.max(column, 0), this.columns - 1);
  }

  // From 0 to 1.
  at(row, column) { return this.values[row * this.columns + column] / 255; }

  colour(tables) {
    if (this.theme === tables.theme) return this.picture;
    const table = tables[this.kind], pixels = new ImageData(this.columns, this.rows);
    for (let i = 0; i < this.values.length; i++) pixels.data.set(table[this.values[i]], 4 * i);
    this.picture = document.createElement("canvas");
    [this.picture.width, this.picture.height] = [this.columns, this.rows];
    this.picture.getContext("2d").putImageData(pixels, 0, 0);
    this.theme = tables.theme;
    return this.picture;
  }

  draw(ctx, box, tables, top = 0, height = box.height, isSmooth = false) {
    if (!this.values) return;
    const picture = this.colour(tables);
    const ratio = window.devicePixelRatio || 1;
    const perSecond = this.columns / this.duration;
    const first = Math.max(0, Math.floor((box.start - this.start) * perSecond));
    const last = Math.min(this.columns, Math.ceil((box.end - this.start) * perSecond));
    if (last <= first) return;
    const x0 = box.x(this.start + first / perSecond), x1 = box.x(this.start + last / perSecond);
    ctx.save();
    ctx.beginPath();
    ctx.rect(box.left, top, box.width - box.left, height);
    ctx.clip();
    const isShrunk = this.rows > height * ratio || last - first > (x1 - x0) * ratio;
    ctx.imageSmoothingEnabled = isShrunk || isSmooth;
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(picture, first, 0, last - first, this.rows, x0, top, x1 - x0, height);
    ctx.restore();
  }
}

// The colours of every value 0 to 255, as red, green, blue and opacity.
function colourTables(maps, theme) {
  const tables = { theme };
  for (const [kind, stops] of Object.entries(maps[theme])) {
    const colours = stops.map(s => [1, 3, 5].map(i => parseInt(s.slice(i, i + 2), 16)));
    tables[kind] = Array.from({ length: 256 }, (_, value) => {
      const place = value / 255 * (colours.length - 1);
      const low = Math.min(Math.floor(place), colours.length - 2), part = place - low;
      const mix = c => Math.round(colours[low][c] * (1 - part) + colours[low + 1][c] * part);
      return [mix(0), mix(1), mix(2), 255];
    });
  }
  return tables;
}
