"use strict";
// The page of `asr explain`: colours, and how each panel of sound and text is drawn.

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function useTheme() {
  state.theme = isDark() ? "dark" : "light";
  const tables = colourTables(data.colours, state.theme);
  // What lies over a picture is transparent where it says nothing.
  const ends = [tables.signed[0], tables.signed[255]];
  tables.overlay = tables.signed.map((_, value) => {
    const size = Math.abs(value / 127.5 - 1), end = ends[value < 127.5 ? 0 : 1];
    return [...end.slice(0, 3), size < 0.02 ? 0 : Math.round(255 * size ** 0.8)];
  });
  state.tables = tables;
  timeline.redraw();
}

function gutterText(ctx, box, y, text) {
  ctx.fillStyle = css("--soft");
  ctx.textAlign = "right";
  ctx.fillText(text, box.left - 6, y);
}

function timeAxis(ctx, box, y) {
  const steps = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
  const step = steps.find(s => s * box.scale >= 56) || 10;
  ctx.fillStyle = css("--soft");
  ctx.textAlign = "center";
  for (let n = Math.ceil(box.start / step); n * step <= box.end; n++) {
    const x = box.x(n * step), text = `${(n * step + data.start_s).toFixed(step < 0.1 ? 2 : 1)} s`;
    if (x > box.left + 12 && x < box.width - 14) ctx.fillText(text, x, y);
  }
}

function drawWave(ctx, box, middle, size) {
  ctx.fillStyle = css("--c0");
  const perSecond = data.waveform.per_s, count = wave.length / 2;
  for (let x = box.left; x < box.width; x++) {
    const first = Math.floor(box.time(x) * perSecond);
    const last = Math.max(Math.ceil(box.time(x + 1) * perSecond), first + 1);
    let low = 127, high = -127;
    for (let i = Math.max(first, 0); i < Math.min(last, count); i++) {
      low = Math.min(low, wave[2 * i]);
      high = Math.max(high, wave[2 * i + 1]);
    }
    if (high < low) continue;
    ctx.fillRect(x, middle - high / 127 * size, 1, Math.max((high - low) / 127 * size, 1));
  }
}

function drawWords(ctx, box) {
  drawText(ctx, box, data.words, 0, "text");
  if (data.right) drawText(ctx, box, data.right.words, 62, "right");
}

function drawText(ctx, box, words, top, name) {
  gutterText(ctx, box, top + 14, name);
  for (const [number, word] of words.entries()) {
    const x = box.x(word.start), width = (word.end - word.start) * box.scale;
    if (x + width < box.left || x > box.width) continue;
    ctx.save();
    ctx.beginPath();
    ctx.rect(Math.max(x, box.left), top, Math.min(width, box.width - x), 54);
    ctx.clip();
    const isChosen = name === "text" && number === state.word;
    ctx.fillStyle = isChosen ? css("--mark") : css("--card");
    ctx.fillRect(x + 1, top + 2, width - 2, 26);
    ctx.fillStyle = css("--text");
    ctx.textAlign = "center";
    ctx.font = `${word.isWrong ? "600 " : ""}13px system-ui, sans-serif`;
    if (word.isWrong) ctx.fillStyle = css(name === "text" ? "--c4" : "--good");
    const isWide = ctx.measureText(word.text).width < width;
    ctx.textAlign = isWide ? "center" : "left";
    ctx.fillText(word.text, isWide ? x + width / 2 : x + 2, top + 14);
    if (word.confidence !== undefined) {
      const c = word.confidence;
      ctx.fillStyle = css(c >= 0.8 ? "--c2" : c >= 0.5 ? "--c1" : "--c4");
      ctx.fillRect(x + 1, top + 26, (width - 2) * c, 3);
    }
    ctx.restore();
    drawLetters(ctx, box, word, top + 30);
  }
}

function drawLetters(ctx, box, word, top) {
  ctx.font = "11px system-ui, sans-serif";
  ctx.textAlign = "center";
  for (const [letter, start, end] of word.letters) {
    const x = box.x(start), width = (end - start) * box.scale;
    if (x < box.left - 1 || x > box.width) continue;
    ctx.fillStyle = css("--rule");
    ctx.fillRect(x + 0.5, top + 2, Math.max(width - 1, 1), 3);
    if (box.scale * data.step_s < 4.5) continue;
    ctx.fillStyle = css("--text");
    ctx.fillText(letter, x + width / 2, top + 14);
  }
}

function drawTokens(ctx, box, map, labels, path, rightPath) {
  map.draw(ctx, box, state.tables);
  const height = box.height / labels.length;
  const every = height < 8 ? 2 : 1;
  for (const [row, label] of labels.entries()) {
    if (row % every === 0) gutterText(ctx, box, (row + 0.5) * height, label);
  }
  if (rightPath) drawPath(ctx, box, rightPath, height, css("--good"), path);
  if (path) drawPath(ctx, box, path, height, css("--c1"));
}

function drawPath(ctx, box, path, height, colour, except = []) {
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.lineWidth = 1.8;
  const width = data.step_s * box.scale;
  for (let step = stepAt(box.start); step <= stepAt(box.end); step++) {
    const x = box.x(step * data.step_s), row = path[step];
    if (x < box.left - 1 || row === except[step]) continue;
    if (row === 0) ctx.fillRect(x, height / 2 - 1, Math.max(width - 1, 1), 2);
    else ctx.strokeRect(x + 0.5, row * height + 0.5, width - 1, height - 1);
  }
}

function drawCurve(ctx, box, values, low, high, top, height, colour, thickness = 1.6) {
  ctx.strokeStyle = colour;
  ctx.lineWidth = thickness;
  ctx.save();
  ctx.beginPath();
  ctx.rect(box.left, 0, box.width - box.left, box.height);
  ctx.clip();
  ctx.beginPath();
  const step = stepDuration / values.length;
  const first = Math.max(Math.floor(box.start / step) - 1, 0);
  const last = Math.min(Math.ceil(box.end / step) + 1, values.length - 1);
  for (let i = first; i <= last; i++) {
    const y = top + height * (1 - (values[i] - low) / (high - low));
    ctx.lineTo(box.x((i + 0.5) * step), y);
  }
  ctx.stroke();
  ctx.restore();
}

function drawGap(ctx, box) {
  const gap = data.right.gap, values = numbers(gap.values, Float32Array), middle = box.height / 2;
  gutterText(ctx, box, 9, "chosen");
  gutterText(ctx, box, box.height - 9, "right");
  ctx.fillStyle = css("--mark");
  for (const [start, end] of data.right.regions) {
    const x = Math.max(box.x(start), box.left);
    ctx.fillRect(x, 0, Math.max(box.x(end) - x - 1.5, 2), box.height);
  }
  for (let step = stepAt(box.start); step <= stepAt(box.end); step++) {
    const x = box.x(step * data.step_s), size = values[step] / gap.limit * (middle - 2);
    if (x < box.left - 1) continue;
    ctx.fillStyle = css(size > 0 ? "--c4" : "--good");
    const width = Math.max(data.step_s * box.scale - 0.5, 1);
    ctx.fillRect(x, Math.min(middle, middle - size), width, Math.abs(size));
  }
  ctx.fillStyle = css("--soft");
  ctx.fillRect(box.left, middle, box.width - box.left, 1);
}

function drawMel(ctx, box) {
  maps.mel.draw(ctx, box, state.tables, 0, box.height);
  for (const [row, label] of data.mel.ticks) gutterText(ctx, box, row * box.height, label);
}

// What is there: integrated gradients are computed only for the words that were asked for.
function method() {
  return state.method === "integrated" && data.integrated[state.word] ? "integrated" : "gradient";
}

function attribution() {
  return (method() === "gradient" ? data.gradients : data.integrated)[state.word];
}

function drawSaliency(ctx, box) {
  ctx.globalAlpha = 0.3;
  maps.mel.draw(ctx, box, state.tables);
  ctx.globalAlpha = 1;
  for (const [row, label] of data.mel.ticks) gutterText(ctx, box, row * box.height, label);
  const found = attribution(), word = data.words[state.word];
  if (found) found.map?.draw(ctx, box, state.tables, 0, box.height, true);
  if (!word) return;
  ctx.fillStyle = css("--text");
  for (const time of [word.start, word.end]) {
    const x = box.x(time);
    if (x >= box.left) for (let y = 0; y < box.height; y += 6) ctx.fillRect(x, y, 1, 3);
  }
  ctx.font = "600 13px system-ui, sans-serif";
  ctx.textAlign = "center";
  const x = box.x((word.start + word.end) / 2);
  if (x > box.left) ctx.fillText(word.text, x, 10);
}
