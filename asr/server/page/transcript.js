// The words on the page: firm ones and, in grey, those that may still change; each leads to its
// place in the recording.

const minutes = (seconds) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

export class TranscriptView {
  /** `onSeek(seconds)` is called where a word was chosen. */
  constructor(element, announcer, onSeek) {
    this.element = element;
    this.announcer = announcer;
    this.onSeek = onSeek;
    this.clear();
    element.addEventListener("click", ({ target }) => this.choose(target.closest(".word")));
    element.addEventListener("keydown", (event) => this.key(event));
  }

  clear() {
    this.segments = [];
    this.words = []; // {start, end, node}, in the order of time
    this.partial = this.current = null;
    this.element.replaceChildren();
    this.announcer.replaceChildren();
    this.playable = false;
  }

  set playable(value) {
    this.isPlayable = value;
    this.element.classList.toggle("unplayable", !value);
    for (const { node } of this.words) node.removeAttribute("tabindex");
    if (value && this.words.length) this.words[0].node.tabIndex = 0;
  }

  get isEmpty() {
    return !this.segments.length;
  }

  /** A paragraph of words; a final one stays, the next result replaces a partial one. */
  show({ type, text, start, end, words }) {
    this.partial?.remove();
    this.partial = null;
    if (!words.length) return;
    const paragraph = document.createElement("p");
    const time = document.createElement("time");
    time.textContent = minutes(start);
    paragraph.append(time);
    const nodes = words.map((word) => this.node(word));
    nodes.forEach((node, i) => paragraph.append(...(i ? [" ", node] : [node])));
    this.element.append(paragraph);
    if (type === "partial") {
      paragraph.className = "partial";
      this.partial = paragraph;
    } else {
      this.segments.push({ text, start, end, words });
      this.words.push(...words.map((word, i) => ({ ...word, node: nodes[i] })));
      this.announce(text);
    }
  }

  dropPartial() {
    this.show({ type: "partial", words: [] });
  }

  node({ word, start, confidence }) {
    const node = document.createElement("span");
    node.className = "word";
    node.textContent = word;
    node.title = `${minutes(start)}, ${Math.round(confidence * 100)} % sure`;
    return node;
  }

  /** For screen readers: whole sentences once they are final, and never more than the last few. */
  announce(text) {
    const line = document.createElement("p");
    line.textContent = text;
    this.announcer.append(line);
    while (this.announcer.children.length > 5) this.announcer.firstChild.remove();
  }

  /** The word at this time of playback stands out. */
  highlight(seconds) {
    const word = seconds === null ? undefined : this.words[this.indexAt(seconds)];
    const node = word && seconds < word.end + 0.3 ? word.node : null;
    if (node === this.current) return;
    this.current?.classList.remove("now");
    node?.classList.add("now");
    if (node && (node.getBoundingClientRect().top < 0 || node.getBoundingClientRect().bottom > innerHeight - 160)) {
      node.scrollIntoView({ block: "center", behavior: "smooth" });
    }
    this.current = node;
  }

  /** The last word that has begun. */
  indexAt(seconds) {
    let low = 0, high = this.words.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.words[middle].start <= seconds) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  choose(node) {
    const word = this.isPlayable && this.words.find((one) => one.node === node);
    if (!word) return;
    this.focus(word.node);
    this.onSeek(word.start);
  }

  focus(node) {
    for (const one of this.element.querySelectorAll("[tabindex]")) one.removeAttribute("tabindex");
    node.tabIndex = 0;
    node.focus();
  }

  key(event) {
    const index = this.words.findIndex(({ node }) => node === event.target);
    if (index < 0) return;
    const next = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: this.words.length - 1 }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      if (this.words[next]) this.focus(this.words[next].node);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.choose(event.target);
    }
  }
}
