// The page: buttons, messages, and what happens in which order.

import { Capture } from "./capture.js";
import { Stream } from "./stream.js";
import { TranscriptView } from "./transcript.js";
import { transcribe } from "./upload.js";
import { FORMATS } from "./writers.js";

const $ = (id) => document.getElementById(id);
const player = $("player");
const view = new TranscriptView($("transcript"), $("announcer"), (seconds) => {
  player.currentTime = seconds;
  player.play();
});

let capture = null; // while the microphone is open
let stream = null; // until the last result has come
let upload = null; // while a file is sent and recognised
let name = "captions";
let duration = 0;

const storage = {
  get token() {
    return sessionStorage.getItem("token") ?? "";
  },
  set token(value) {
    sessionStorage.setItem("token", value);
  },
};

function say(text) {
  if ($("status").textContent !== text) $("status").textContent = text;
}

function complain(text) {
  $("problem").textContent = text;
  $("problem").hidden = !text;
}

function reset() {
  complain("");
  view.clear();
  duration = 0;
  if (player.src) URL.revokeObjectURL(player.src);
  player.pause();
  player.removeAttribute("src");
  player.load(); // only this makes it forget the sound
  for (const id of ["player-row", "save", "empty"]) $(id).hidden = true;
  $("transcript").hidden = false;
}

function show(result) {
  const { scrollHeight } = document.documentElement;
  const follows = innerHeight + scrollY >= scrollHeight - 120;
  view.show(result);
  $("save").hidden = view.isEmpty;
  if (follows) scrollTo({ top: document.documentElement.scrollHeight });
}

function offerPlayback(sound) {
  player.src = URL.createObjectURL(sound);
  $("player-row").hidden = false;
  view.playable = true;
}

// Recording

async function start() {
  if (upload) cancelUpload();
  $("record").disabled = true;
  const opened = new Capture(hear, () => stop("The microphone was unplugged. What it heard is below."));
  try {
    await opened.open();
  } catch (error) {
    complain(error.message);
    return;
  } finally {
    $("record").disabled = false;
  }
  if (upload) cancelUpload(); // one that was begun while the browser asked
  reset();
  capture = opened;
  name = "captions";
  say("Connecting");
  stream = new Stream(capture.rate, storage.token, {
    onResult: show,
    onOpen: () => {
      complain("");
      say(capture ? "Listening" : "Finishing");
    },
    onBroken: broken,
    onDone: done,
    onRefused: async (message) => {
      await stop();
      done();
      complain(`${message[0].toUpperCase()}${message.slice(1)}.`);
    },
  });
  recording(true);
}

function recording(isOn) {
  document.body.classList.toggle("recording", isOn);
  $("record").setAttribute("aria-pressed", isOn);
  $("record-label").textContent = isOn ? "Stop" : "Record";
  $("open").disabled = isOn;
  $("meter").hidden = $("clock").hidden = !isOn;
}

function hear(samples, levelDb) {
  stream?.push(samples);
  const share = Math.max(0, Math.min(1, 1 + levelDb / 60));
  $("meter-fill").style.transform = `scaleX(${share.toFixed(3)})`;
  $("meter-fill").classList.toggle("loud", levelDb > -6);
  $("meter").setAttribute("aria-valuenow", Math.round(Math.max(-60, levelDb)));
  if (capture) {
    duration = capture.numSamples / capture.rate;
    const seconds = Math.floor(duration);
    $("clock").textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
}

async function stop(message = "") {
  if (!capture) return;
  const ended = capture;
  await ended.stop();
  capture = null;
  recording(false);
  complain(message);
  duration = ended.numSamples / ended.rate;
  if (ended.numSamples) offerPlayback(ended.recording());
  if (stream) {
    say("Finishing");
    stream.finish();
  }
}

function done() {
  stream = null;
  view.dropPartial();
  view.playable = view.isPlayable; // the last words are there now
  say(view.isEmpty ? "Nothing was recognised" : "Done");
}

async function broken(failures) {
  if (await needsToken()) {
    stream?.abandon();
    stream = null;
    stop();
    return;
  }
  if (!stream) return;
  say("Reconnecting");
  if (capture) {
    complain("The server cannot be reached. You are still being recorded; trying again.");
  } else if (failures > 5) {
    stream.abandon();
    done();
    complain("The server is gone, so the last words are missing. Save what is here.");
  }
}

// Files

async function open(file) {
  if (!file || capture || stream) return;
  if (upload) cancelUpload();
  reset();
  name = file.name.replace(/\.[^.]*$/, "") || "transcript";
  offerPlayback(file);
  $("progress-row").hidden = false;
  const label = { sending: "Sending", working: "Recognising" };
  const own = transcribe(file, storage.token, (stage, share) => {
    if (upload !== own) return; // cancelled
    $("progress-label").textContent = label[stage];
    say(label[stage]);
    if (share === null) $("progress").removeAttribute("value");
    else $("progress").value = share;
  });
  upload = own;
  try {
    const transcript = await own.result;
    if (upload !== own) return; // cancelled when it was there already
    duration = transcript.duration;
    for (const segment of transcript.segments) show({ type: "final", ...segment });
    view.playable = true;
    say(view.isEmpty ? "No speech was recognised" : "Done");
  } catch (error) {
    if (upload !== own) return; // cancelled
    say("");
    if (error.status === 401) askForToken();
    else complain(error.message);
  } finally {
    if (upload === own) {
      upload = null;
      $("progress-row").hidden = true;
    }
  }
}

function cancelUpload() {
  const own = upload;
  upload = null;
  own.cancel();
  $("progress-row").hidden = true;
  say("Cancelled");
}

// Saving

function save(format) {
  const content = FORMATS[format]({ duration: Math.round(duration * 1000) / 1000, segments: view.segments });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "text/plain" }));
  link.download = `${name}.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  menu(false);
  say(`Saved as ${link.download}`);
}

function menu(isOpen) {
  $("save-menu").hidden = !isOpen;
  $("save-button").setAttribute("aria-expanded", isOpen);
  if (isOpen) $("save-menu").querySelector("button").focus();
}

function menuKey(event) {
  const items = [...$("save-menu").querySelectorAll("button")];
  const index = items.indexOf(document.activeElement);
  const moves = { ArrowDown: index + 1, ArrowUp: index - 1 + items.length, Home: 0, End: items.length - 1 };
  if (event.key in moves) {
    event.preventDefault();
    items[moves[event.key] % items.length].focus();
  } else if (event.key === "Escape") {
    menu(false);
    $("save-button").focus();
  }
}

// The token

async function needsToken() {
  const headers = storage.token ? { Authorization: `Bearer ${storage.token}` } : {};
  const answer = await fetch("/v1/models", { headers }).catch(() => null);
  if (answer?.status !== 401) return false;
  askForToken();
  return true;
}

function askForToken() {
  complain(storage.token ? "The server does not know this token." : "");
  $("token-form").hidden = false;
  $("token").focus();
}

function takeToken() {
  const found = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!found) return;
  storage.token = found;
  history.replaceState(null, "", location.pathname);
}

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  storage.token = $("token").value.trim();
  $("token-form").hidden = true;
  needsToken();
});
$("record").addEventListener("click", () => (capture ? stop() : stream || start()));
$("open").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", ({ target }) => {
  open(target.files[0]);
  target.value = "";
});
$("cancel").addEventListener("click", cancelUpload);
$("save-button").addEventListener("click", () => menu($("save-menu").hidden));
$("save-menu").addEventListener("click", ({ target }) => {
  const item = target.closest("[data-format]");
  if (item) save(item.dataset.format);
});
$("save-menu").addEventListener("keydown", menuKey);
$("save").addEventListener("focusout", ({ relatedTarget }) => {
  if (!$("save").contains(relatedTarget)) menu(false);
});

addEventListener("dragover", (event) => {
  event.preventDefault();
  $("drop").hidden = Boolean(capture || stream) || !event.dataTransfer.types.includes("Files");
});
addEventListener("dragleave", ({ relatedTarget }) => {
  if (!relatedTarget) $("drop").hidden = true;
});
addEventListener("drop", (event) => {
  event.preventDefault();
  $("drop").hidden = true;
  open(event.dataTransfer.files[0]);
});
addEventListener("beforeunload", (event) => {
  if (capture) event.preventDefault();
});

function follow() {
  if (!player.paused) requestAnimationFrame(follow);
  view.highlight(player.paused && player.currentTime === 0 ? null : player.currentTime);
}
player.addEventListener("play", follow);
player.addEventListener("seeked", follow);
player.addEventListener("ended", () => view.highlight(null));

takeToken();
needsToken();
