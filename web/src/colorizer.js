// The colorizer for pages and programs in a browser; what it computes, a worker computes.
//
//   const colorizer = await load("weights/colour.onnx.gz");
//   const chroma = await colorizer.predict(imageData);
//   const painted = await colorizer.paint(imageData, chroma, 1.0);
//
// A picture is an ImageData, or a file of one, a Blob; chroma {width, height, data}, Lab a and b.

// What is larger is not decoded: browsers end a page that takes too much memory.
export const MOST_MEGAPIXELS = 64;

/**
 * Start a worker and load a network in it.
 *
 * `weights` is the address of the network's file, plain or compressed by gzip; `wasm` that of ONNX
 * Runtime's WebAssembly; `worker` that of worker.js, and `workerType` how it starts; `threads` how
 * many it has, where the page is isolated.
 */
export async function load(weights, options = {}) {
  const here = import.meta.url;
  const { wasm = "ort.wasm.gz", worker = "worker.js", workerType = "module" } = options;
  const threads = options.threads ?? Math.min(4, navigator.hardwareConcurrency ?? 1);
  const colorizer = new Colorizer(new Worker(new URL(worker, here), { type: workerType }));
  const addresses = [new URL(weights, here).href, new URL(wasm, here).href];
  await colorizer.ask("start", [...addresses, globalThis.crossOriginIsolated ? threads : 1]);
  return colorizer;
}

class Colorizer {
  #worker;
  #asked = new Map();
  #keys = new WeakMap();
  #count = 0;

  constructor(worker) {
    this.#worker = worker;
    worker.onmessage = ({ data: { number, answer, failure, share } }) => {
      const { resolve, reject, tell } = this.#asked.get(number);
      if (share !== undefined) return tell?.(share);
      this.#asked.delete(number);
      if (failure) reject(new Error(failure));
      else resolve(answer);
    };
    worker.onerror = ({ message }) =>
      this.#asked.forEach(({ reject }) => reject(new Error(message || "no worker")));
  }

  /**
   * Return a picture at the network's size: ImageData.
   *
   * A gray one that was `restored` has its tones corrected: faded ones mislead the network.
   */
  shrink = (picture, restored = false) => this.ask("shrink", [picture, restored]);

  /** Return a picture of at most so many pixels in length: {image, whole: [width, height]}. */
  show = (picture, longest) => this.ask("show", [picture, longest]);

  /**
   * Return the colours that hints say of a picture at the network's size.
   *
   * `hints` is a picture, transparent but for the colours that are known. Known colours are {width,
   * height, data}, Float32Array: Lab a and b over 110 and a mask, 1 where a colour is known.
   */
  known = (hints, small) => this.ask("known", [hints, small]);

  /**
   * Predict the chroma of a picture.
   *
   * `known` are known colours, if there are any; `automatic`, which saves half of the time then, is
   * the chroma that was predicted without them.
   */
  predict = (picture, known = null, automatic = null) =>
    this.ask("predict", [picture, known, automatic]);

  /** Paint a picture with chroma times `strength`, at its own size and luminance: ImageData. */
  paint = (picture, chroma, strength = 1) => this.ask("paint", [picture, chroma, strength]);

  /** Do the same into a file of `type`, image/jpeg or image/png, marked as colorized: Blob. */
  write = (picture, chroma, strength, type, settings = {}) =>
    this.ask("write", [picture, chroma, strength, type, settings]);

  /**
   * Take grain away and bring faded tones back: a gray PNG, Blob; `scale` times as wide and high.
   *
   * A scale is 1, 2 or 4; `weights` are the addresses of the networks that do it, one after the
   * other. `tell(share)` is called as it goes on; `signal`, an AbortSignal, stops it.
   */
  enlarge = (picture, scale, weights, { tell, signal } = {}) => {
    const addresses = weights.map((address) => new URL(address, import.meta.url).href);
    return this.ask("enlarge", [picture, scale, addresses], tell, signal);
  };

  /** End the worker. */
  close = () => this.#worker.terminate();

  /** Ask the worker for a verb of its own. */
  ask(verb, given, tell, signal) {
    const number = this.#count++;
    signal?.addEventListener("abort", () => this.#worker.postMessage({ stop: number }));
    const sent = given.map((each) => (each instanceof Blob ? this.#named(each) : each));
    return new Promise((resolve, reject) => {
      this.#asked.set(number, { resolve, reject, tell });
      this.#worker.postMessage({ number, verb, given: sent });
    });
  }

  /** Give a file a key, by which the worker knows it again: each message brings another copy. */
  #named(file) {
    if (!this.#keys.has(file)) this.#keys.set(file, this.#count++);
    return { file, key: this.#keys.get(file) };
  }
}
