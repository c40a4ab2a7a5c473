// The elements that one can play with. They are defined here; what brings them to life is loaded when the first one
// comes near. Until then, and without it, what stands inside them is there to be read.
(() => {
  'use strict';
  // Where their modules lie, the first without its ending; a book that was built without one does not say.
  const { widgets, playground, tryIt } = document.documentElement.dataset;
  const from = (/** @type {string} */ place) => new URL(place, document.baseURI).href;

  /**
   * What lives in an element, until `free`.
   * @typedef {{ free(): void }} Attached
   *
   * A widget in the page. `answer` gives it what it has asked for: a name that says what it is, and a text.
   * @typedef {Attached & { answer(name: string, answer: string): void }} Widget
   *
   * What wasm-bindgen makes of book/widgets.
   * @typedef {object} Module
   * @property {(options: { module_or_path: string }) => Promise<unknown>} default loads the WebAssembly
   * @property {(host: HTMLElement, asked: (name: string, json: string) => void) => Widget} attach brings an element to
   *   life; `asked` is called with what it wants of the page
   *
   * As far as the map needs it: see book/playground/playground.js.
   * @typedef {{ cost(lab: string, workload: object): Promise<object>, end(): void }} Playground
   * @typedef {{ loaded: number, total: number }} Progress
   * @typedef {object} Bench
   * @property {{ open(options: { onProgress(progress: Progress): void }): Promise<Playground> }} Playground
   */

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
        const attach = await this.load();
        if (this.isConnected) this.#attached ??= attach();
      } catch (error) {
        // It stays what it was: text.
        console.warn(this.localName, error);
      }
    }

    /**
     * Fetches what brings it to life, and gives the call that does.
     * @returns {Promise<() => Attached>}
     */
    async load() {
      throw new Error(`Nothing is known that brings <${this.localName}> to life.`);
    }
  }

  /** The lab in the page: scripts of its own (book/theme/js/try-it). */
  class TryIt extends Playable {
    async load() {
      /** @type {{ attach(host: HTMLElement): Attached }} */
      const { attach } = await import(from(`${tryIt}try-it.js`));
      return () => attach(this);
    }
  }

  /** @type {Promise<Module> | undefined} */
  let loading;
  const load = () => loading ??= (async () => {
    /** @type {Module} */
    const module = await import(from(`${widgets}.js`));
    await module.default({ module_or_path: from(`${widgets}.wasm`) });
    return module;
  })().catch((error) => {
    // The next one tries again.
    loading = undefined;
    throw error;
  });

  /** An element of book/widgets. */
  class WidgetElement extends Playable {
    /** @type {Widget | undefined} */
    #widget;

    async load() {
      const module = await load();
      return () => {
        const widget = module.attach(this, (name, json) => this.asked(name, JSON.parse(json)));
        this.#widget = widget;
        this.attached();
        return widget;
      };
    }

    disconnectedCallback() {
      super.disconnectedCallback();
      this.#widget = undefined;
    }

    /** Called when it has come to life. */
    attached() {}

    /** Called with what the widget wants of the page. @param {string} _name @param {any} _what */
    asked(_name, _what) {}

    /** Answers the widget, if it is still there. @param {string} name @param {string} answer */
    answer(name, answer) {
      this.#widget?.answer(name, answer);
    }
  }

  /** The map: it loads the bench when somebody wants to play, and asks for one technique after another. */
  class RtMap extends WidgetElement {
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
      const bench = await import(from(`${playground}playground.js`)).catch((error) => {
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
  class RtPredict extends WidgetElement {
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

  if (widgets) {
    for (const name of ['rt-choose', 'sse-bytes', 'wire-player', 'ws-frame']) {
      customElements.define(name, class extends WidgetElement {});
    }
    customElements.define('rt-map', RtMap);
    customElements.define('rt-predict', RtPredict);
  }
  if (tryIt) customElements.define('try-it', TryIt);
})();
