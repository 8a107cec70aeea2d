"use strict";
// The page of `asr explain`: its values, the player, words and keys. Loaded last.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = id => document.getElementById(id);
const panelOf = name => document.querySelector(`[data-panel="${name}"]`);
const numbers = (text, Kind) =>
  new Kind(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);

const timeline = new Timeline(data.duration);
const state = { word: data.initial.word, method: data.initial.method, theme: null, tables: null };
const soundDuration = data.num_frames * data.frame_s;
const stepDuration = data.num_steps * data.step_s;
const maps = {
  mel: new HeatMap(data.mel.uri, "ink", soundDuration),
  posteriors: new HeatMap(data.posteriors.uri, "ink", stepDuration),
  phones: data.phones && new HeatMap(data.phones.uri, "ink", stepDuration),
};
const entropy = numbers(data.entropy, Float32Array);
const wave = numbers(data.waveform.peaks, Int8Array);
const escapeHtml = text => text.replace(/[&<>]/g, c => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
const stepAt = time => Math.min(Math.max(Math.floor(time / data.step_s), 0), data.num_steps - 1);

// ---- the chosen word -----------------------------------------------------------------------

async function showWord() {
  document.querySelectorAll(".transcript button").forEach((button, number) =>
    button.setAttribute("aria-pressed", String(number === state.word)));
  document.querySelectorAll("[data-method]").forEach(button =>
    button.setAttribute("aria-pressed", String(button.dataset.method === method())));
  const word = data.words[state.word], found = attribution();
  const caption = byId("saliency-caption");
  if (!word) {
    caption.textContent = "No word was recognised, so there is none to explain.";
    return timeline.redraw();
  }
  const kind = data.evidence;
  caption.textContent = `“${word.text}” by its ${kind} ${word.explained}: their mean log-probability, `
    + `each where it is highest, is ${found.score.toFixed(2)}. Warm is what speaks for these ${kind}, `
    + "cold what speaks against them, compared with an average sound.";
  const gradient = "The gradient times the input: what the network would notice first if the "
    + "sound were a little different.";
  const integrated = found && "Integrated gradients add the effects up on the way from an average "
    + `sound to this one. They sum to ${found.sum.toFixed(2)}; the mean log-probability of the ${kind} rose by `
    + `${(found.score - found.baseline).toFixed(2)} (with endlessly many points both are the same).`;
  const missing = state.method === method() ? "" : " Integrated gradients were not computed for "
    + `this word: asr explain --word ${state.word + 1} does.`;
  byId("method-caption").textContent = method() === "gradient" ? gradient + missing : integrated;
  if (found && !found.map) {
    found.map = new HeatMap(found.uri, "overlay", found.duration, found.start);
    await found.map.load();
  }
  timeline.redraw();
}

function chooseWord(number, mayMove = true) {
  if (!data.words.length) return;
  state.word = (number + data.words.length) % data.words.length;
  const { start, end } = data.words[state.word];
  if (mayMove && (start < timeline.start || end > timeline.end)) {
    const half = (timeline.end - timeline.start) / 2;
    timeline.view((start + end) / 2 - half, (start + end) / 2 + half);
  }
  if (mayMove) timeline.seek(start);
  showWord();
}

// ---- readout, player, keys -----------------------------------------------------------------

function probabilities(map, labels, step, most = 3) {
  if (!map.values) return "";
  const floor = Math.log10(data.posteriors.floor);
  return labels.map((label, row) => [map.at(row, step), label])
    .sort((a, b) => b[0] - a[0]).slice(0, most).filter(([value]) => value > 0)
    .map(([value, label]) => `<b>${escapeHtml(label)}</b> ${(10 ** (floor * (1 - value))).toFixed(2)}`)
    .join("  ");
}

// One line, always in sight: what lies under the pointer, or at the cursor.
function read(time, extra) {
  const step = stepAt(time);
  byId("clock").textContent = `${(timeline.cursor + data.start_s).toFixed(2)} s`;
  const parts = [`${(time + data.start_s).toFixed(2)} s, step ${step}`,
                 probabilities(maps.posteriors, data.labels, step),
                 `${entropy[step].toFixed(2)} bits`];
  byId("readout").innerHTML = (extra ? [`<b>${escapeHtml(extra)}</b>`, ...parts] : parts).join(" · ");
  showEquation(time);
}

const audio = byId("audio");
let stopAt = null;

function follow() {
  if (audio.paused) return;
  if (stopAt !== null && audio.currentTime >= stopAt) audio.pause();
  timeline.seek(audio.currentTime, true);
  requestAnimationFrame(follow);
}

function toggle() {
  if (!audio.paused) return audio.pause();
  stopAt = null;
  if (timeline.cursor > data.duration - 0.05) timeline.seek(0);
  audio.play();
}

function playWord() {
  const word = data.words[state.word];
  if (!word) return;
  timeline.seek(word.start);
  stopAt = word.end;
  audio.play();
}

function listenToPlayer() {
  timeline.onSeek = time => { audio.currentTime = time; };
  timeline.onRead = read;
  audio.addEventListener("play", () => { showPlaying(true); requestAnimationFrame(follow); });
  for (const name of ["pause", "ended"]) audio.addEventListener(name, () => showPlaying(false));
  byId("play").addEventListener("click", toggle);
  byId("play-word").addEventListener("click", playWord);
  byId("previous").addEventListener("click", () => chooseWord(state.word - 1));
  byId("next").addEventListener("click", () => chooseWord(state.word + 1));
  byId("in").addEventListener("click", () => timeline.zoom(0.6));
  byId("out").addEventListener("click", () => timeline.zoom(1 / 0.6));
  byId("fit").addEventListener("click", () => timeline.view(0, data.duration));
}

function showPlaying(isPlaying) {
  byId("play").textContent = isPlaying ? "Pause" : "Play";
  byId("play").setAttribute("aria-pressed", String(isPlaying));
}

const keys = {
  " ": toggle, p: playWord,
  "+": () => timeline.zoom(0.6), "=": () => timeline.zoom(0.6), "-": () => timeline.zoom(1 / 0.6),
  0: () => timeline.view(0, data.duration),
  "[": () => chooseWord(state.word - 1), "]": () => chooseWord(state.word + 1),
  ArrowLeft: event => timeline.seek(timeline.cursor - (event.shiftKey ? 1 : data.step_s)),
  ArrowRight: event => timeline.seek(timeline.cursor + (event.shiftKey ? 1 : data.step_s)),
};

function listenToKeys() {
  document.addEventListener("keydown", event => {
    const tag = event.target.tagName, isForm = ["INPUT", "SELECT"].includes(tag);
    const isPress = event.key === " " && ["BUTTON", "SUMMARY"].includes(tag);
    if (isForm || isPress || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act(event);
  });
}

function listenToWords() {
  document.querySelectorAll(".transcript button").forEach((button, number) =>
    button.addEventListener("click", () => chooseWord(number)));
  document.querySelectorAll("[data-method]").forEach(button =>
    button.addEventListener("click", () => { state.method = button.dataset.method; showWord(); }));
  document.querySelectorAll("[data-from]").forEach(button =>
    button.addEventListener("click", () => {
      const [from, to] = [Number(button.dataset.from), Number(button.dataset.to)];
      timeline.view(from - 0.5, to + 0.5);
      timeline.seek(from);
    }));
}

// ---- putting it together -------------------------------------------------------------------

function addPanels() {
  const hz = (time, part) => {
    const row = Math.floor(part * maps.mel.rows), value = maps.mel.at(row, maps.mel.column(time));
    const level = data.mel.low + value * (data.mel.high - data.mel.low);
    return `${data.mel.hz[row]} Hz, ${level.toFixed(0)} dB`;
  };
  const wordAt = time => data.words.findIndex(word => time >= word.start && time < word.end);
  const pickWord = time => { if (wordAt(time) >= 0) chooseWord(wordAt(time), false); };
  timeline.add(panelOf("overview"), {
    height: 34, isWhole: true, label: "The whole recording and the part that is in view",
    draw: (ctx, box) => {
      drawWave(ctx, box, 17, 15);
      ctx.fillStyle = css("--paper");
      ctx.globalAlpha = 0.75;
      ctx.fillRect(box.left, 0, box.x(timeline.start) - box.left, 34);
      ctx.fillRect(box.x(timeline.end), 0, box.width, 34);
      ctx.globalAlpha = 1;
      ctx.strokeStyle = css("--accent");
      ctx.strokeRect(box.x(timeline.start) + 0.5, 0.5, (timeline.end - timeline.start) * box.scale - 1, 33);
    } });
  timeline.add(panelOf("axis"), {
    height: 16, label: "Time", draw: (ctx, box) => timeAxis(ctx, box, 8) });
  timeline.add(panelOf("wave"), {
    height: 80, label: "Waveform",
    draw: (ctx, box) => drawWave(ctx, box, 40, 38) });
  timeline.add(panelOf("mel"), { height: 190, label: "Mel spectrogram", draw: drawMel, read: hz });
  timeline.add(panelOf("words"), {
    height: data.right ? 122 : 60, label: "Words and letters in time", draw: drawWords,
    pick: pickWord, read: time => data.words[wordAt(time)]?.text ?? "" });
  timeline.add(panelOf("posteriors"), {
    height: 13 * data.labels.length, label: "Probability of every letter at every step",
    draw: (ctx, box) =>
      drawTokens(ctx, box, maps.posteriors, data.labels, data.path, data.right?.path) });
  timeline.add(panelOf("entropy"), {
    height: 64, label: "Entropy in bits at every step",
    draw: (ctx, box) => {
      const most = data.max_entropy;
      gutterText(ctx, box, 6, most.toFixed(1));
      gutterText(ctx, box, 58, "0");
      drawCurve(ctx, box, entropy, 0, most, 2, 60, css("--c3"));
    } });
  if (maps.phones) timeline.add(panelOf("phones"), {
    height: 10 * data.phones.labels.length, label: "Probability of every phone at every step",
    draw: (ctx, box) => drawTokens(ctx, box, maps.phones, data.phones.labels, data.phones.path, data.phones.right),
    read: time => "phones " + probabilities(maps.phones, data.phones.labels, stepAt(time), 2)
      .replace(/<\/?b>/g, "") });
  if (panelOf("gap")) timeline.add(panelOf("gap"), {
    height: 100, label: "Log-probability of the chosen path minus the right one", draw: drawGap });
  timeline.add(panelOf("saliency"), {
    height: 200, label: "What speaks for and against the chosen word", draw: drawSaliency,
    pick: pickWord, read: hz });
}

async function start() {
  await Promise.all(Object.values(maps).map(map => map?.load()));
  addPanels();
  startInside();
  listenToPlayer();
  listenToKeys();
  listenToWords();
  byId("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    useTheme();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", useTheme);
  useTheme();
  await showWord();
  const word = data.words[state.word];
  if (word) timeline.cursor = word.start;
  // Closer than this words cannot be told apart.
  const longest = document.body.clientWidth / (timeline.isNarrow ? 85 : 110);
  if (longest < data.duration) timeline.view(timeline.cursor - longest / 2, timeline.cursor + longest / 2);
  read(timeline.cursor, "");
  document.body.dataset.ready = "true";
}

start().catch(error => { document.body.dataset.failed = String(error.stack || error); });
