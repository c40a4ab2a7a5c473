// The elements that one can play with. They are defined here; what brings them to life is loaded when the first one
// comes near. Until then, and without it, what stands inside them is there to be read.
(() => {
  'use strict';
  // Where the module lies, without the ending; a book that was built without it does not say.
  const { widgets, playground } = document.documentElement.dataset;
  if (!widgets) return;
  const at = (/** @type {string} */ ending) => new URL(`${widgets}.${ending}`, document.baseURI).href;

  /**
   * A widget in the page, until `free`. `answer` gives it what it has asked for: a name that says what it is, and a text.
   * @typedef {{ free(): void, answer(name: string, answer: string): void }} Attached
   *
   * What wasm-bindgen makes of book/widgets.
   * @typedef {object} Module
   * @property {(options: { module_or_path: string }) => Promise<unknown>} default loads the WebAssembly
   * @property {(host: HTMLElement, asked: (name: string, json: string) => void) => Attached} attach brings an element to
   *   life; `asked` is called with what it wants of the page
   *
   * As far as the map needs it: see book/playground/playground.js.
   * @typedef {{ cost(lab: string, workload: object): Promise<object>, end(): void }} Playground
   * @typedef {{ loaded: number, total: number }} Progress
   * @typedef {object} Bench
   * @property {{ open(options: { onProgress(progress: Progress): void }): Promise<Playground> }} Playground
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
    /** @type {Attached | undefined} */
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
        if (!this.isConnected || this.#attached) return;
        this.#attached = module.attach(this, (name, json) => this.asked(name, JSON.parse(json)));
        this.attached();
      } catch (error) {
        // It stays what it was: text. The next one tries again.
        loading = undefined;
        console.warn(this.localName, error);
      }
    }

    /** Called when it has come to life. */
    attached() {}

    /** Called with what the widget wants of the page. @param {string} _name @param {any} _what */
    asked(_name, _what) {}

    /** Answers the widget, if it is still there. @param {string} name @param {string} answer */
    answer(name, answer) {
      this.#attached?.answer(name, answer);
    }
  }

  /** The map: it loads the bench when somebody wants to play, and asks for one technique after another. */
  class RtMap extends Playable {
    /** @type {Playground | undefined} */
    #playground;

    disconnectedCallback() {
      super.disconnectedCallback();
      this.#end();
    }

    attached() {
      if (playground) return;
      this.answer('absent', 'This copy of the book was built without the bench, so there is nothing to play here: the tables were measured with it.');
    }

    /** @param {string} name @param {{ lab: string }} what */
    async asked(name, { lab, ...workload }) {
      try {
        if (name === 'open') {
          this.#end();
          await this.#open();
          this.answer('ready', '');
        } else if (this.#playground) {
          this.answer('cost', JSON.stringify(await this.#playground.cost(lab, workload)));
        }
      } catch (error) {
        // What comes of an ended bench after the element has left the page reaches nobody.
        this.answer('failed', error instanceof Error ? error.message : String(error));
      }
    }

    async #open() {
      /** @type {Bench} */
      const bench = await import(new URL(`${playground}playground.js`, document.baseURI).href).catch((error) => {
        throw new Error('The bench did not load. Is the connection up?', { cause: error });
      });
      const onProgress = (/** @type {Progress} */ progress) => this.answer('progress', JSON.stringify(progress));
      const opened = await bench.Playground.open({ onProgress });
      if (this.isConnected) this.#playground = opened;
      else opened.end();
    }

    #end() {
      this.#playground?.end();
      this.#playground = undefined;
    }
  }

  /**
   * A question. What is predicted is announced by an event `predicted` that bubbles; its `detail` holds the question's
   * `id`, the number of the `answer` (from 0), `sureness` (0 to 2), and whether it is `right`. Who collects votes listens.
   */
  class RtPredict extends Playable {
    /** @param {string} name @param {{ answer: number, sureness: number, right: boolean } | null} predicted */
    asked(name, predicted) {
      if (name !== 'predicted') return;
      for (const [at, details] of this.querySelectorAll('details').entries()) {
        details.open = predicted !== null;
        details.toggleAttribute('data-chosen', at === predicted?.answer);
      }
      if (!predicted) return;
      const id = this.closest('[id]')?.id;
      this.dispatchEvent(new CustomEvent('predicted', { bubbles: true, detail: { id, ...predicted } }));
    }
  }

  for (const name of ['rt-choose', 'sse-bytes', 'wire-player', 'ws-frame']) {
    customElements.define(name, class extends Playable {});
  }
  customElements.define('rt-map', RtMap);
  customElements.define('rt-predict', RtPredict);
})();

// The lab in the page. It is made of scripts of its own (book/theme/js/try-it), and needs no module of the others.
(() => {
  'use strict';
  const { tryIt } = document.documentElement.dataset;
  if (!tryIt) return;

  /** @returns {Promise<{ attach(host: HTMLElement): { free(): void } }>} */
  const load = () => import(new URL(`${tryIt}try-it.js`, document.baseURI).href);

  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting && target instanceof TryIt) target.begin();
    }
  }, { rootMargin: '50% 0px' });

  class TryIt extends HTMLElement {
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
        const { attach } = await load();
        if (this.isConnected) this.#attached ??= attach(this);
      } catch (error) {
        // It stays what it was: text.
        console.warn(this.localName, error);
      }
    }
  }

  customElements.define('try-it', TryIt);
})();
