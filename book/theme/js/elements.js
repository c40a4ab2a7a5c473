// The elements that one can play with. They are defined here; what brings them to life is loaded when the first one
// comes near. Until then, and without it, what stands inside them is there to be read.
(() => {
  'use strict';
  // Where the module lies, without the ending; a book that was built without it does not say.
  const { widgets } = document.documentElement.dataset;
  if (!widgets) return;
  const at = (/** @type {string} */ ending) => new URL(`${widgets}.${ending}`, document.baseURI).href;

  /**
   * What wasm-bindgen makes of book/widgets.
   * @typedef {object} Module
   * @property {(options: { module_or_path: string }) => Promise<unknown>} default loads the WebAssembly
   * @property {(host: HTMLElement) => { free(): void }} attach brings an element to life, until `free`
   */

  /** @type {Promise<Module> | undefined} */
  let loading;
  const load = () => loading ??= (async () => {
    /** @type {Module} */
    const module = await import(at('js'));
    await module.default({ module_or_path: at('wasm') });
    return module;
  })();

  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting && target instanceof Playable) target.begin();
    }
  }, { rootMargin: '50% 0px' });

  class Playable extends HTMLElement {
    /** @type {{ free(): void } | undefined} */
    #attached;

    connectedCallback() {
      near.observe(this);
    }

    disconnectedCallback() {
      near.unobserve(this);
      this.#attached?.free();
      this.#attached = undefined;
    }

    async begin() {
      near.unobserve(this);
      try {
        const module = await load();
        if (this.isConnected) this.#attached ??= module.attach(this);
      } catch (error) {
        // It stays what it was: text. The next one tries again.
        loading = undefined;
        console.warn(this.localName, error);
      }
    }
  }

  for (const name of ['rt-choose', 'sse-bytes', 'wire-player', 'ws-frame']) {
    customElements.define(name, class extends Playable {});
  }
})();
