// A transcript as a file. The same bytes as asr.writers writes, made here, so that it can be saved
// when the server is gone. A transcript is {duration, segments: [{start, end, text, words}]}.

const LINE_LENGTH = 42;
const MOST_LINES = 2;
const LONGEST_CUE_MS = 7000;

const milliseconds = (seconds) => Math.round(seconds * 1000);

function timestamp(time, mark) {
  const pad = (value, width = 2) => String(value).padStart(width, "0");
  const seconds = Math.floor(time / 1000);
  const minutes = Math.floor(seconds / 60);
  return `${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)}:${pad(seconds % 60)}${mark}${pad(time % 1000, 3)}`;
}

function wrap(words) {
  const lines = [];
  for (const { word } of words) {
    const last = lines.at(-1);
    if (last !== undefined && [...last, ..." ", ...word].length <= LINE_LENGTH) lines[lines.length - 1] += ` ${word}`;
    else lines.push(word);
  }
  return lines;
}

function cueOf(words) {
  const start = milliseconds(words[0].start);
  return { start, end: Math.max(milliseconds(words.at(-1).end), start + 1), lines: wrap(words) };
}

function fits(words) {
  const cue = cueOf(words);
  return cue.lines.length <= MOST_LINES && cue.end - cue.start <= LONGEST_CUE_MS;
}

function cuesOf(transcript) {
  const cues = [];
  for (const segment of transcript.segments) {
    let taken = [];
    for (const word of segment.words) {
      if (taken.length && !fits([...taken, word])) {
        cues.push(cueOf(taken));
        taken = [];
      }
      taken.push(word);
    }
    if (taken.length) cues.push(cueOf(taken));
  }
  return cues;
}

const block = ({ start, end, lines }, mark) =>
  `${timestamp(start, mark)} --> ${timestamp(end, mark)}\n${lines.map((line) => `${line}\n`).join("")}`;

const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

export const FORMATS = {
  txt: (transcript) => transcript.segments.map(({ text }) => `${text}\n`).join(""),
  srt: (transcript) => cuesOf(transcript).map((cue, i) => `${i + 1}\n${block(cue, ",")}`).join("\n"),
  vtt: (transcript) =>
    ["WEBVTT\n", ...cuesOf(transcript).map((cue) => block({ ...cue, lines: cue.lines.map(escape) }, "."))].join("\n"),
  json: ({ duration, segments }) => {
    const content = {
      text: segments.map(({ text }) => text).join(" "),
      duration,
      segments: segments.map(({ text, start, end, words }) => ({
        text, start, end,
        words: words.map(({ word, start, end, confidence }) => ({ text: word, start, end, confidence })),
      })),
    };
    return `${JSON.stringify(content, null, 2)}\n`;
  },
};
