// Runs on the audio thread: blocks of 100 ms as 16-bit samples, with their level.

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Int16Array(Math.round(sampleRate / 10));
    this.filled = 0;
    this.power = 0;
    this.port.onmessage = () => {
      this.send(); // the rest, shorter than a block
      this.port.postMessage(null);
    };
  }

  process([channels]) {
    if (!channels.length) return true;
    for (let i = 0; i < channels[0].length; i++) {
      let sample = 0;
      for (const channel of channels) sample += channel[i] / channels.length;
      this.power += sample * sample;
      this.block[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
      if (this.filled === this.block.length) this.send();
    }
    return true;
  }

  send() {
    if (!this.filled) return;
    const samples = this.block.slice(0, this.filled);
    const power = this.power / this.filled;
    this.port.postMessage({ samples, power }, [samples.buffer]);
    this.filled = this.power = 0;
  }
}

registerProcessor("capture", Capture);
