// The microphone: blocks of 16-bit samples, and the recording to play back afterwards.

const REASONS = {
  NotAllowedError: "The microphone is not allowed for this page.\nAllow it in the browser's address bar, then press record again.",
  NotFoundError: "No microphone was found.\nPlug one in, then press record again. You can also open a recording.",
  NotReadableError: "The microphone is in use by another program.\nClose that program, then press record again.",
};
const MERGED_BLOCKS = 100; // so many become a Blob, which the browser may keep outside of memory

export class Capture {
  /** `onBlock(samples, levelDb)` is called ten times a second; `onLost()` if the device goes. */
  constructor(onBlock, onLost) {
    this.onBlock = onBlock;
    this.onLost = onLost;
    this.parts = [];
    this.recent = [];
    this.numSamples = 0;
  }

  /** Throws an Error whose message can be shown. */
  async open() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("The browser lends the microphone to secure pages only.\nOpen this page as http://localhost or over https.");
    }
    try {
      this.media = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: false },
      });
      this.context = new AudioContext();
      await this.context.audioWorklet.addModule("/page/capture-worklet.js");
    } catch (error) {
      this.release();
      throw new Error(REASONS[error.name] ?? `The microphone cannot be used (${error.message}).`);
    }
    this.node = new AudioWorkletNode(this.context, "capture", { numberOfOutputs: 0 });
    this.node.port.onmessage = ({ data }) => (data ? this.take(data) : this.flushed?.());
    this.media.getAudioTracks()[0].onended = () => this.onLost();
    this.context.createMediaStreamSource(this.media).connect(this.node);
    await this.context.resume();
  }

  get rate() {
    return this.context.sampleRate;
  }

  take({ samples, power }) {
    this.recent.push(samples);
    this.numSamples += samples.length;
    if (this.recent.length === MERGED_BLOCKS) this.merge();
    this.onBlock(samples, 10 * Math.log10(power + 1e-10));
  }

  merge() {
    this.parts.push(new Blob(this.recent));
    this.recent = [];
  }

  /** Ends the recording; the last block has been given out when this resolves. */
  async stop() {
    const flushed = new Promise((resolve) => (this.flushed = resolve));
    const late = new Promise((resolve) => setTimeout(resolve, 500));
    this.node.port.postMessage("flush");
    await Promise.race([flushed, late]);
    this.release();
  }

  release() {
    this.media?.getTracks().forEach((track) => {
      track.onended = null;
      track.stop();
    });
    this.context?.close();
  }

  /** All that was recorded, as a wav file: https://www.mmsp.ece.mcgill.ca/Documents/AudioFormats/WAVE */
  recording() {
    this.merge();
    const header = new DataView(new ArrayBuffer(44));
    const text = (at, letters) => [...letters].forEach((c, i) => header.setUint8(at + i, c.charCodeAt(0)));
    const numBytes = 2 * this.numSamples;
    text(0, "RIFF"), header.setUint32(4, 36 + numBytes, true), text(8, "WAVEfmt ");
    header.setUint32(16, 16, true), header.setUint16(20, 1, true), header.setUint16(22, 1, true);
    header.setUint32(24, this.rate, true), header.setUint32(28, 2 * this.rate, true);
    header.setUint16(32, 2, true), header.setUint16(34, 16, true);
    text(36, "data"), header.setUint32(40, numBytes, true);
    return new Blob([header, ...this.parts], { type: "audio/wav" });
  }
}
