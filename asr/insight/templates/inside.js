"use strict";
// The page of `asr explain`: gates and states of one layer and direction, and one unit of it.

const inside = { cell: null, unit: 0, event: null, panels: [] };
const LINES = { i: "--c1", f: "--c2", o: "--c3", r: "--c1", z: "--c2",
                c: "--c0", h: "--text", g: "--c5", n: "--c5" };
const GATES = ["i", "f", "o", "r", "z"];

function startInside() {
  const layer = byId("layer"), direction = byId("direction"), event = byId("event");
  layer.value = String(data.initial.layer);
  direction.value = data.initial.direction;
  for (const name of Object.keys(data.signals)) event.add(new Option(name));
  inside.event = Object.keys(data.signals)[0];
  layer.addEventListener("change", showCell);
  direction.addEventListener("change", showCell);
  event.addEventListener("change", () => chooseEvent(event.value));
  byId("unit").addEventListener("input", input => chooseUnit(Number(input.target.value)));
  timeline.add(panelOf("event"), { height: 22, label: "When the event is", draw: drawEvent });
  timeline.add(panelOf("trace"), {
    height: 190, label: "Gates and state of one unit over time", draw: drawTrace });
  showCell();
}

async function showCell() {
  const layer = Number(byId("layer").value), direction = byId("direction").value;
  const cell = data.cells.find(c => c.layer === layer && c.direction === direction);
  inside.cell = cell;
  cell.rowOf ??= Object.fromEntries(cell.order.map((unit, row) => [unit, row]));
  byId("unit").max = cell.order.length - 1;
  await Promise.all(Object.entries(cell.quantities).map(([name, quantity]) => {
    quantity.map ??= new HeatMap(quantity.uri, GATES.includes(name) ? "ink" : "signed",
                                 stepDuration);
    return quantity.map.load();
  }));
  if (inside.cell !== cell) return; // another one was chosen meanwhile
  for (const panel of inside.panels) timeline.remove(panel);
  byId("gate-panels").replaceChildren();
  inside.panels = Object.entries(cell.quantities).map(([name, quantity]) =>
    addQuantity(name, quantity));
  showUnits();
  chooseUnit(bestUnit(cell) ?? Math.min(inside.unit, cell.order.length - 1));
}

function addQuantity(name, quantity) {
  const caption = document.createElement("p"), element = document.createElement("div");
  const [title, meaning] = data.quantities[name], strong = document.createElement("b");
  caption.className = "caption";
  strong.textContent = `${title[0].toUpperCase()}${title.slice(1)}`;
  caption.append(strong, `: ${meaning}`);
  element.className = "panel";
  byId("gate-panels").append(caption, element);
  const unitAt = part => inside.cell.order[Math.floor(part * inside.cell.order.length)];
  return timeline.add(element, {
    height: Math.min(Math.max(inside.cell.order.length / 2, 40), 160), label: `${title} of every unit over time`,
    draw: (ctx, box) => drawQuantity(ctx, box, quantity),
    pick: (time, part) => chooseUnit(unitAt(part)),
    read: (time, part) => {
      const unit = unitAt(part), value = valueOf(name, unit, quantity.map.column(time));
      return `unit ${unit}, ${title} ${value.toFixed(2)}`;
    } });
}

function drawQuantity(ctx, box, quantity) {
  quantity.map.draw(ctx, box, state.tables);
  const row = inside.cell.rowOf[inside.unit], rows = inside.cell.order.length;
  const y = (row + 0.5) / rows * box.height;
  gutterText(ctx, box, Math.min(Math.max(y, 6), box.height - 6), box.isNarrow ? inside.unit : `unit ${inside.unit}`);
  ctx.strokeStyle = css("--c4");
  ctx.lineWidth = 1;
  const half = Math.max(box.height / rows / 2 + 1, 2.5);
  ctx.globalAlpha = 0.8;
  ctx.strokeRect(box.left + 0.5, y - half, box.width - box.left - 1, 2 * half);
  ctx.globalAlpha = 1;
}

function valueOf(name, unit, column) {
  const { map, low, high, isSpread } = inside.cell.quantities[name];
  const value = low + map.at(inside.cell.rowOf[unit], column) * (high - low);
  return isSpread ? Math.sinh(value) : value;
}

function curveOf(name, unit) {
  const columns = inside.cell.quantities[name].map.columns;
  return Float32Array.from({ length: columns }, (_, column) => valueOf(name, unit, column));
}

// The output is not stored where the state is: h = o tanh(c).
function curves() {
  const found = {};
  for (const name of Object.keys(inside.cell.quantities)) found[name] = curveOf(name, inside.unit);
  if (found.c && !found.h) found.h = found.c.map((c, t) => found.o[t] * Math.tanh(c));
  return found;
}

// ---- one unit ------------------------------------------------------------------------------

function chooseUnit(unit) {
  if (!(unit in inside.cell.rowOf)) return;
  inside.unit = unit;
  if (byId("unit").value !== String(unit)) byId("unit").value = unit;
  inside.curves = curves();
  byId("unit-name").textContent = `${unit} of layer ${inside.cell.layer}, ${inside.cell.direction}`;
  markUnits();
  showEquation(timeline.cursor);
  timeline.redraw();
}

function chooseEvent(name) {
  inside.event = name;
  byId("event").value = name;
  byId("event-name").textContent = name;
  timeline.redraw();
}

function drawEvent(ctx, box) {
  const signal = data.signals[inside.event];
  if (!signal) return;
  ctx.fillStyle = css("--rule");
  ctx.fillRect(box.left, 10, box.width - box.left, 2);
  ctx.fillStyle = css("--c3");
  for (let step = stepAt(box.start); step <= stepAt(box.end); step++) {
    const x = Math.max(box.x(step * data.step_s), box.left), end = box.x((step + 1) * data.step_s);
    if (signal[step] === "1") ctx.fillRect(x, 4, end - x + 0.5, 14);
  }
}

function drawTrace(ctx, box) {
  const found = inside.curves;
  if (!found) return;
  const gates = Object.keys(found).filter(name => GATES.includes(name));
  const states = Object.keys(found).filter(name => !GATES.includes(name));
  const split = gates.length ? 82 : 0;
  if (gates.length) {
    gutterText(ctx, box, 8, box.isNarrow ? "1" : "open 1");
    gutterText(ctx, box, split - 6, box.isNarrow ? "0" : "shut 0");
    for (const name of gates) drawCurve(ctx, box, found[name], 0, 1, 4, split - 8, css(LINES[name]));
  }
  const most = Math.max(1, ...states.flatMap(name => [...found[name]].map(Math.abs)));
  const top = split + 8, height = box.height - top - 4;
  // Large states and outputs below 1 are only seen together on a scale that bends.
  const bend = most > 3 ? Math.asinh : value => value;
  const place = value => top + height / 2 * (1 - bend(value) / bend(most));
  ctx.fillStyle = css("--rule");
  for (const value of most > 1.5 ? [most, 1, 0, -1, -most] : [1, 0, -1]) {
    const y = Math.min(Math.max(place(value), top + 4), top + height - 4);
    gutterText(ctx, box, y, value.toFixed(Math.abs(value) > 1 && most < 10 ? 1 : 0));
    ctx.fillStyle = css("--rule");
    ctx.fillRect(box.left, place(value), box.width - box.left, 1);
  }
  for (const name of ["g", "n", "h", "c"]) {
    if (!found[name]) continue;
    const thickness = name === "c" ? 2.4 : 1.3;
    const values = found[name].map(bend), limit = bend(most);
    drawCurve(ctx, box, values, -limit, limit, top, height, css(LINES[name]), thickness);
  }
}

function showEquation(time) {
  const found = inside.curves;
  if (!found) return;
  const any = Object.values(found)[0];
  const t = Math.min(Math.max(Math.floor(time / stepDuration * any.length), 0), any.length - 1);
  const before = inside.cell.direction === "forward" ? t - 1 : t + 1;
  const number = value => (value < 0 ? `−${(-value).toFixed(2)}` : value.toFixed(2));
  const at = (name, where = t) => number(found[name][where] ?? 0);
  let text = `h = <b>${found.h && at("h")}</b>`;
  if (found.c) {
    const state = found.f[t] * (found.c[before] ?? 0) + found.i[t] * found.g[t];
    text = `c = f · c<sub>before</sub> + i · g = ${at("f")} · ${at("c", before)} + ${at("i")} · `
      + `${at("g")} ≈ <b>${number(state)}</b>, &nbsp; h = o · tanh c = ${at("o")} · tanh `
      + `${number(state)} ≈ <b>${number(found.o[t] * Math.tanh(state))}</b>`;
  } else if (found.z) {
    text = `h = z · h<sub>before</sub> + (1 − z) · n = ${at("z")} · ${at("h", before)} + `
      + `${number(1 - found.z[t])} · ${at("n")} ≈ <b>${at("h")}</b>`;
  }
  byId("equation").innerHTML = `At ${(time + data.start_s).toFixed(2)} s: ${text}`;
}

// ---- units with a meaning ------------------------------------------------------------------

function bestUnit(cell) {
  const all = Object.entries(cell.units).flatMap(([event, found]) =>
    Object.entries(found).map(([name, [unit, r]]) => [Math.abs(r), unit, event]));
  if (!all.length) { chooseEvent(inside.event); return null; }
  const [, unit, event] = all.sort((a, b) => b[0] - a[0])[0];
  chooseEvent(event);
  return unit;
}

function showUnits() {
  const names = Object.keys(inside.cell.quantities), table = byId("units");
  const head = document.createElement("tr");
  for (const text of ["", ...names.map(name => data.quantities[name][0])]) {
    const cell = document.createElement("th");
    cell.textContent = text;
    head.append(cell);
  }
  table.replaceChildren(head);
  for (const event of Object.keys(data.signals)) {
    const row = document.createElement("tr"), title = document.createElement("td");
    title.textContent = event;
    row.append(title, ...names.map(name => unitCell(event, name)));
    table.append(row);
  }
}

function unitCell(event, name) {
  const cell = document.createElement("td"), found = inside.cell.units[event]?.[name];
  if (!found) {
    cell.textContent = "·";
    cell.className = "soft";
    return cell;
  }
  const [unit, r, chance] = found, button = document.createElement("button");
  button.type = "button";
  button.textContent = `${unit} (${r > 0 ? "+" : "−"}${Math.abs(r).toFixed(2)})`;
  button.title = `unit ${unit}, correlation ${r.toFixed(2)}, chance level ${chance.toFixed(2)}`;
  Object.assign(button.dataset, { unit, event });
  button.addEventListener("click", () => { chooseEvent(event); chooseUnit(unit); });
  cell.append(button);
  return cell;
}

function markUnits() {
  const legend = Object.keys(inside.curves).map(name =>
    `<b style="color:var(${LINES[name]})">${data.quantities[name][0]}</b>`);
  byId("trace-caption").innerHTML = `Gates above, from shut to open; below them ${
    legend.length > 1 ? "what they work on. Lines: " : ""}${legend.join(", ")}.`;
  document.querySelectorAll("[data-unit]").forEach(button => {
    const isChosen = Number(button.dataset.unit) === inside.unit
      && button.dataset.event === inside.event;
    button.setAttribute("aria-pressed", String(isChosen));
  });
}
