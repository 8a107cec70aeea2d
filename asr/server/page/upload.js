// A file to the transcription endpoint. XMLHttpRequest, because fetch does not tell how much of a
// body has been sent. The answer comes as events; comments among them tell the progress.

/** `onProgress(stage, share)`: stage is sending or working, share 0 to 1 or null if unknown. */
export function transcribe(file, token, onProgress) {
  const request = new XMLHttpRequest();
  const result = new Promise((resolve, reject) => {
    const fail = (message, status = 0) => reject(Object.assign(new Error(message), { status }));
    request.open("POST", "/v1/audio/transcriptions");
    if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
    lengthOf(file).then((seconds) => {
      request.onprogress = () => {
        const done = lastProgress(request.responseText);
        if (done !== null) onProgress("working", seconds ? Math.min(1, done / seconds) : null);
      };
    });
    request.upload.onprogress = ({ loaded, total }) => onProgress("sending", total ? loaded / total : null);
    request.upload.onload = () => onProgress("working", null);
    request.onerror = () => fail("The server cannot be reached.\nCheck that it is running, and open the file again.");
    request.onabort = () => fail("Cancelled.");
    request.onload = () => {
      try {
        resolve(read(request));
      } catch (error) {
        fail(error.message, request.status);
      }
    };
    request.send(form(file));
  });
  result.catch(() => {}); // whoever cancels does not wait
  return { result, cancel: () => request.abort() };
}

function form(file) {
  const fields = new FormData();
  fields.append("model", "asr");
  fields.append("stream", "true");
  fields.append("file", file);
  return fields;
}

function lastProgress(text) {
  const found = [...text.matchAll(/^: progress ([\d.]+)$/gm)].at(-1);
  return found ? Number(found[1]) : null;
}

function read(request) {
  if (request.status !== 200) {
    throw new Error(messageOf(request.responseText) ?? `The server answered ${request.status}.`);
  }
  for (const line of request.responseText.split("\n")) {
    if (!line.startsWith("data: ")) continue;
    const event = JSON.parse(line.slice(6));
    if (event.error) throw new Error(sentence(event.error.message));
    if (event.type === "transcript.text.done") return { duration: event.duration, segments: grouped(event) };
  }
  throw new Error("The connection broke before the transcript was complete.\nOpen the file again.");
}

function messageOf(text) {
  try {
    return sentence(JSON.parse(text).error.message);
  } catch {
    return null;
  }
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

/** Every segment with its words; both are in the order of time. */
function grouped({ segments, words }) {
  let next = 0;
  return segments.map(({ text, start, end }) => {
    const num = text.split(" ").length;
    next += num;
    return { text, start, end, words: words.slice(next - num, next) };
  });
}

/** Seconds, where the browser can tell, else 0. */
function lengthOf(file) {
  return new Promise((resolve) => {
    const sound = new Audio();
    const end = (seconds) => {
      URL.revokeObjectURL(sound.src);
      resolve(Number.isFinite(seconds) ? seconds : 0);
    };
    sound.onloadedmetadata = () => end(sound.duration);
    sound.onerror = () => end(0);
    sound.src = URL.createObjectURL(file);
  });
}
