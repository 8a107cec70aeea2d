"use strict";
// The utterances of the page's data, a few rows at a time. No row exists before it is near the
// screen, so that ten thousand utterances open as fast as ten.
(() => {
  const BATCH = 40;
  const data = JSON.parse(document.getElementById("data").textContent);
  const [list, count, more] = ["rows", "count", "more"].map((id) => document.getElementById(id));
  const [search, order, system] = ["search", "order", "system"].map((id) => document.getElementById(id));
  const utterances = data.utterances.map(unpack);
  let shown = [];
  let next = 0;

  function unpack([id, speaker, duration, snr, audio, reference, results]) {
    const systems = results.map((result) => result && score(reference, ...result));
    const texts = results.map((result) => (result ? result[0] : ""));
    const haystack = [id, speaker, reference, ...texts].join("\n").toLowerCase();
    return { id, speaker, duration, snr, audio, reference, texts, systems, haystack };
  }

  function score(reference, hypothesis, operations) {
    const number = (letter) => operations.split(letter).length - 1;
    const [s, d, i] = ["S", "D", "I"].map(number);
    const errors = s + d + i;
    const words = operations.length - i;
    const wer = words ? errors / words : errors ? Infinity : 0;
    return { operations, s, d, i, errors, words, wer };
  }

  // An utterance that a system could not do has no score; it comes last.
  const of = (one) => one.systems[Number(system.value)] || { errors: -1, wer: -1 };
  const failed = (one) => (one.systems[Number(system.value)] ? 0 : 1);
  const gain = (one) => Math.min(...one.systems.map((s) => (s ? s.errors : Infinity))) - of(one).errors;
  const KEYS = {
    errors: (a, b) => of(b).errors - of(a).errors || of(b).wer - of(a).wer,
    wer: (a, b) => (of(a).wer === of(b).wer ? of(b).errors - of(a).errors : of(b).wer > of(a).wer ? 1 : -1),
    best: (a, b) =>
      failed(a) - failed(b) ||
      (of(a).wer === of(b).wer ? b.duration - a.duration : of(a).wer > of(b).wer ? 1 : -1),
    behind: (a, b) => gain(a) - gain(b),
    longest: (a, b) => b.duration - a.duration,
    noisiest: (a, b) => (a.snr ?? Infinity) - (b.snr ?? Infinity) || 0,
    name: (a, b) => (a.id < b.id ? -1 : 1),
  };

  function columns(one, index) {
    const [reference, hypothesis] = [one.reference, one.texts[index]].map((t) => t.split(" ")[Symbol.iterator]());
    return [...one.systems[index].operations].map((operation) => [
      operation,
      operation === "I" ? "" : reference.next().value,
      operation === "D" ? "" : hypothesis.next().value,
    ]);
  }

  // "was>were": a substitution; "was>": a deletion; ">were": an insertion; else any text.
  function filter(text) {
    const wanted = text.trim().toLowerCase();
    const pair = /^(\S*)\s*(?:>|\u2192)\s*(\S*)$/.exec(wanted);
    if (!pair || wanted.length < 2) return (one) => one.haystack.includes(wanted);
    const index = Number(system.value);
    return (one) =>
      one.systems[index] &&
      columns(one, index).some(([o, r, h]) => o !== "=" && r.toLowerCase() === pair[1] && h.toLowerCase() === pair[2]);
  }

  function remember() {
    const state = new URLSearchParams({ q: search.value, sort: order.value, system: system.value });
    try { history.replaceState(null, "", "#" + state); } catch { /* a page in a frame may not */ }
  }

  function update() {
    shown = utterances.filter(filter(search.value)).sort(KEYS[order.value]);
    count.textContent = `${shown.length.toLocaleString("en")} of ${utterances.length.toLocaleString("en")} utterances`;
    list.replaceChildren();
    next = 0;
    append();
  }

  function append() {
    list.append(...shown.slice(next, next + BATCH).map(row));
    next = Math.min(next + BATCH, shown.length);
    more.hidden = next >= shown.length;
  }

  function make(tag, name, text) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  const percent = (value) => (Number.isFinite(value) ? `${(100 * value).toFixed(0)}\u00a0%` : "\u221e");

  function row(one) {
    const item = make("li");
    const score = one.systems[Number(system.value)];
    const head = make("div", "head");
    head.append(make("b", "", score ? percent(score.wer) : "failed"));
    if (score) {
      const kinds = [[score.s, "substituted"], [score.d, "deleted"], [score.i, "inserted"]];
      const said = kinds.filter(([n]) => n).map(([n, kind]) => `${n} ${kind}`).join(", ");
      head.append(make("span", "", `${said || "no errors"} in ${score.words} words`));
    }
    head.append(make("span", "name", one.speaker ? `${one.id} \u00b7 ${one.speaker}` : one.id));
    head.append(make("span", "", `${one.duration.toFixed(1)}\u00a0s`));
    if (one.snr !== null) head.append(make("span", "", `${one.snr.toFixed(0)}\u00a0dB`));
    const play = make("button", "last", "\u25b6 Play");
    play.type = "button";
    play.setAttribute("aria-label", `Play ${one.id}`);
    play.onclick = () => listen(play, item, one);
    head.append(play);
    item.append(head);
    one.systems.forEach((_, index) => item.append(...aligned(one, index)));
    return item;
  }

  function aligned(one, index) {
    const parts = [];
    const result = one.systems[index];
    if (data.systems.length > 1) {
      parts.push(make("div", "who", `${data.systems[index]} \u00b7 ${result ? percent(result.wer) : "failed"}`));
    }
    if (!result) return parts;
    const spoken = make("p", "hidden", `Said: ${one.reference || "nothing"}. Recognised: ${one.texts[index] || "nothing"}.`);
    const box = make("div", "aligned");
    box.setAttribute("aria-hidden", "true");
    const names = { "=": "h", S: "s", D: "d", I: "n" };
    for (const [operation, reference, hypothesis] of columns(one, index)) {
      const column = make("span", names[operation]);
      for (const word of [reference, hypothesis]) column.append(make("i", word ? "" : "gap", word || "\u00b7"));
      box.append(column);
    }
    parts.push(spoken, box);
    return parts;
  }

  function listen(button, item, one) {
    document.querySelectorAll("audio").forEach((player) => player.pause());
    const player = make("audio");
    player.controls = true;
    player.src = one.audio;
    player.onerror = () => player.replaceWith(make("p", "note", `This recording cannot be played here: ${decodeURI(one.audio)}`));
    button.hidden = true;
    item.append(player);
    player.play().catch(() => {});
    player.focus();
  }

  function restore() {
    const state = new URLSearchParams(location.hash.slice(1));
    if (state.has("q")) search.value = state.get("q");
    if (state.get("sort") in KEYS) order.value = state.get("sort");
    if (data.systems[Number(state.get("system"))]) system.value = state.get("system") || "0";
  }

  function change() {
    remember();
    update();
  }

  let waiting;
  search.oninput = () => {
    clearTimeout(waiting);
    waiting = setTimeout(change, 150);
  };
  order.onchange = system.onchange = change;
  more.onclick = append;
  document.querySelectorAll("button.word").forEach((button) => {
    button.onclick = () => {
      search.value = button.dataset.filter;
      change();
      document.getElementById("utterances").scrollIntoView();
    };
  });
  new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && next && append(), {
    rootMargin: "1200px",
  }).observe(more);
  restore();
  update();
  // For whoever measures: milliseconds from the request to the first rows.
  document.documentElement.dataset.ready = Math.round(performance.now());
})();
