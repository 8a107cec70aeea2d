// The WebSocket of docs/server.md. When the connection breaks, what has not become final is kept
// and sent again on the next one; times go on from where they were.

const KEPT_S = 28; // the server lets a stream run 30 s ahead of the clock
const WAITS_MS = [500, 1000, 2000, 4000];
const BUSY = 1013;
const REFUSED = [1003, 1008, 1009, BUSY];

export class Stream {
  /**
   * Handlers: onResult({type, text, start, end, words}), onOpen(), onBroken(), onDone(),
   * onRefused(message). Times are seconds from the first sample that was pushed.
   */
  constructor(rate, token, handlers) {
    this.rate = rate;
    this.token = token;
    this.handlers = handlers;
    this.kept = []; // {start, samples}; start in samples
    this.pushed = 0;
    this.final = 0; // seconds
    this.failures = 0;
    this.wasReady = false;
    this.connect();
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const address = `${scheme}//${location.host}/v1/live?format=pcm_s16le&sample_rate=${this.rate}`;
    const protocols = this.token ? ["asr.live", `bearer.${this.token}`] : ["asr.live"];
    this.isReady = false;
    this.socket = new WebSocket(address, protocols);
    this.socket.onmessage = ({ data }) => this.receive(JSON.parse(data));
    this.socket.onclose = ({ code, reason }) => this.closed(code, reason);
  }

  push(samples) {
    this.kept.push({ start: this.pushed, samples });
    this.pushed += samples.length;
    this.forget();
    if (this.isReady) this.socket.send(samples);
  }

  finish() {
    this.isFinishing = true;
    if (this.isReady) this.socket.send('{"type": "finish"}');
  }

  abandon() {
    this.isOver = true;
    clearTimeout(this.timer);
    this.socket.close();
  }

  /** Drops what is final, and what is too old to be sent again. */
  forget() {
    const first = Math.max((this.final - 0.5) * this.rate, this.pushed - KEPT_S * this.rate);
    let num = 0;
    while (num < this.kept.length && this.kept[num].start + this.kept[num].samples.length <= first) num++;
    this.kept.splice(0, num);
  }

  receive(message) {
    if (message.type === "ready") this.ready();
    else if (message.type === "done") this.end(() => this.handlers.onDone());
    else if (message.type === "partial" || message.type === "final") this.result(message);
  }

  ready() {
    this.isReady = this.wasReady = true;
    this.failures = 0;
    this.skipUntil = this.final;
    this.offset = (this.kept[0]?.start ?? this.pushed) / this.rate;
    for (const { samples } of this.kept) this.socket.send(samples);
    if (this.isFinishing) this.socket.send('{"type": "finish"}');
    this.handlers.onOpen();
  }

  result(message) {
    const moved = (time) => Math.round((time + this.offset) * 1000) / 1000;
    let words = message.words.map((word) => ({ ...word, start: moved(word.start), end: moved(word.end) }));
    // After a break, words of before it are heard twice.
    words = words.filter((word) => (word.start + word.end) / 2 >= this.skipUntil);
    if (message.type === "final") this.final = moved(message.end);
    if (!words.length && message.type === "final") return;
    const text = words.map((word) => word.word).join(" ");
    this.handlers.onResult({ type: message.type, text, words, start: words[0]?.start, end: words.at(-1)?.end });
  }

  closed(code, reason) {
    if (this.isOver) return;
    // After a break, the place that is taken may be this stream's own: the server frees it in a while.
    if (REFUSED.includes(code) && !(code === BUSY && this.wasReady)) {
      this.end(() => this.handlers.onRefused(reason || "The server ended the stream."));
      return;
    }
    this.isReady = false;
    const wait = WAITS_MS[Math.min(this.failures++, WAITS_MS.length - 1)];
    this.handlers.onBroken(this.failures);
    if (!this.isOver) this.timer = setTimeout(() => this.connect(), wait);
  }

  end(then) {
    this.isOver = true;
    then();
  }
}
