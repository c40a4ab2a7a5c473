// What a page does beyond being read: the list of chapters, the theme, search, copying code. Everything is there
// without it, except what needs a script by nature, which is hidden until this runs.
(() => {
  'use strict';
  const root = document.documentElement;

  /**
   * What every page has by its template (index.hbs), as the kind of element it is there.
   * @template {Element} T
   * @param {string} selector
   * @param {new () => T} kind
   * @param {ParentNode} within
   */
  function find(selector, kind, within = document) {
    const element = within.querySelector(selector);
    if (!(element instanceof kind)) throw new Error(`the page's template has no ${selector}`);
    return element;
  }

  /** Keeps a choice for the next page; null forgets it. @param {string} key @param {string | null} value */
  function keep(key, value) {
    try {
      if (value === null) localStorage.removeItem(key);
      else localStorage.setItem(key, value);
    } catch {
      // A browser that keeps nothing still shows the choice on this page.
    }
  }

  function contentsList() {
    const toggle = find('#contents-toggle', HTMLButtonElement);
    const contents = find('#contents', HTMLElement);
    const wide = matchMedia('(min-width: 64rem)');
    const show = (/** @type {boolean} */ open) => {
      root.dataset.contents = open ? 'open' : 'closed';
      toggle.setAttribute('aria-expanded', String(open));
    };
    show(root.dataset.contents === 'open');
    toggle.hidden = false;
    toggle.addEventListener('click', () => {
      const open = root.dataset.contents !== 'open';
      show(open);
      if (wide.matches) keep('contents', open ? null : 'closed');
    });
    // On a narrow page the list lies over the text, and goes when one is done with it.
    contents.addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && !wide.matches) {
        show(false);
        toggle.focus();
      }
    });
    contents.addEventListener('focusout', ({ relatedTarget: next }) => {
      if (next instanceof Node && !wide.matches && next !== toggle && !contents.contains(next)) show(false);
    });
    wide.addEventListener('change', () => show(wide.matches));
  }

  /** A plain `mdbook build` does not mark the current page by itself. */
  function currentPage() {
    if (document.querySelector('#contents [aria-current]')) return;
    const here = location.pathname.replace(/\/$/, '/index.html');
    /** @type {NodeListOf<HTMLAnchorElement>} */
    const links = document.querySelectorAll('#contents .chapter a');
    for (const link of links) {
      if (new URL(link.href).pathname === here) link.setAttribute('aria-current', 'page');
    }
  }

  /** The theme: light, dark, or as the system has it. */
  function themeChoice() {
    const themes = find('#themes', HTMLElement);
    // The colour of the browser's own bars: as the page says it per scheme, or the chosen theme's.
    /** @type {HTMLMetaElement[]} */
    const bars = [...document.querySelectorAll('meta[name="theme-color"]')].filter((meta) => meta instanceof HTMLMetaElement);
    const colours = bars.map((bar) => ({ bar, own: bar.content }));
    const colourOf = (/** @type {string} */ theme) => colours.find(({ bar }) => bar.media.includes(theme))?.own;
    const choose = (/** @type {string} */ choice) => {
      if (choice === 'system') delete root.dataset.theme;
      else root.dataset.theme = choice;
      for (const button of themes.querySelectorAll('button')) {
        button.setAttribute('aria-pressed', String(button.value === choice));
      }
      for (const { bar, own } of colours) bar.content = colourOf(choice) ?? own;
    };
    choose(root.dataset.theme ?? 'system');
    themes.hidden = false;
    themes.addEventListener('click', ({ target }) => {
      const button = target instanceof Element && target.closest('button');
      if (!button) return;
      choose(button.value);
      keep('theme', button.value === 'system' ? null : button.value);
    });
  }

  /** What scrolls on its own can be reached by keyboard, and only while it scrolls. */
  function scrollingBoxes() {
    const sizes = new ResizeObserver((entries) => {
      for (const { target } of entries) {
        if (target.scrollWidth > target.clientWidth + 1) target.setAttribute('tabindex', '0');
        else target.removeAttribute('tabindex');
      }
    });
    for (const box of document.querySelectorAll('main pre, main .table-wrapper, main .drawing')) sizes.observe(box);
  }

  /** What there is to copy in a block of code: at a prompt only what one types. @param {HTMLElement} block */
  function copied(block) {
    const code = find('code:not(figcaption code)', HTMLElement, block);
    const typed = [...code.querySelectorAll('.i')].map((line) => line.textContent);
    return block.dataset.language === 'console' && typed.length ? typed.join('\n') : code.textContent ?? '';
  }

  function copyButtons() {
    if (!navigator.clipboard) return;
    const { copy = '', copied: done = '', notCopied: failed = '' } = document.body.dataset;
    /** @type {NodeListOf<HTMLElement>} */
    const blocks = document.querySelectorAll('figure.code');
    for (const block of blocks) {
      const button = document.createElement('button');
      button.type = 'button';
      button.className = 'copy';
      button.textContent = copy;
      button.addEventListener('click', async () => {
        const text = copied(block);
        try {
          await navigator.clipboard.writeText(text);
          button.textContent = done;
        } catch {
          button.textContent = failed;
        }
        setTimeout(() => { button.textContent = copy; }, 2000);
      });
      block.append(button);
    }
  }

  /**
   * What mdBook's searchindex.js leaves on the window, as far as it is used here; `index` is elasticlunr's to read.
   * @typedef {object} Prepared
   * @property {unknown} index
   * @property {Record<string, string>} doc_urls by reference
   * @property {object} search_options
   * @property {{ limit_results: number }} results_options
   *
   * @typedef {{ title: string, breadcrumbs: string, body: string }} Section
   * @typedef {{ ref: string, doc: Section }} Found
   * @typedef {{ search(words: string, how: object): Found[] }} Index
   * @typedef {{ search?: Partial<Prepared>, elasticlunr: { Index: { load(index: unknown): Index } } }} Loaded
   */

  /** Runs one more script. @param {string} src @returns {Promise<unknown>} */
  function script(src) {
    return new Promise((resolve, reject) => {
      const element = document.createElement('script');
      element.src = src;
      element.onload = resolve;
      element.onerror = () => reject(new Error(`${src} did not load`));
      document.head.append(element);
    });
  }

  /** Loads mdBook's index and elasticlunr, and gives what searches them. @param {DOMStringMap} from */
  async function loadIndex({ engine = '', index: data = '' }) {
    const page = /** @type {Window & Loaded} */ (/** @type {unknown} */ (window));
    page.search ??= {};
    await Promise.all([script(engine), script(data)]);
    const prepared = /** @type {Prepared} */ (page.search);
    const index = page.elasticlunr.Index.load(prepared.index);
    // The pages lie beside the index; the page for a wrong address may be anywhere.
    const pages = new URL(data, document.baseURI);
    return (/** @type {string} */ asked) => index
      .search(asked, prepared.search_options)
      .slice(0, prepared.results_options.limit_results)
      .map(({ ref, doc }) => ({ doc, href: new URL(prepared.doc_urls[ref] ?? '', pages).href }));
  }

  /** The part of a text around the first of the words. @param {string} text @param {string[]} terms */
  function excerpt(text, terms) {
    const lower = text.toLowerCase();
    const places = terms.map((term) => lower.indexOf(term)).filter((at) => at >= 0);
    const at = Math.max(0, Math.min(...places, text.length) - 50);
    const start = places.length && at > 0 ? text.indexOf(' ', at) + 1 : 0;
    return `${start > 0 ? '… ' : ''}${text.slice(start, start + 150)}${text.length > start + 150 ? ' …' : ''}`;
  }

  /** One result. @param {string} href @param {Section} section @param {string[]} terms */
  function result(href, section, terms) {
    const item = document.createElement('li');
    const link = document.createElement('a');
    link.href = href;
    const title = document.createElement('b');
    title.textContent = section.title;
    const where = document.createElement('small');
    where.textContent = section.breadcrumbs;
    const text = document.createElement('span');
    text.textContent = excerpt(section.body, terms);
    link.append(title, ' ', where, ' ', text);
    item.append(link);
    return item;
  }

  /** Answers what is typed into the dialog; gives what loads the index beforehand. @param {HTMLDialogElement} dialog */
  function answering(dialog) {
    const input = find('input', HTMLInputElement, dialog);
    const results = find('#search-results', HTMLElement, dialog);
    const status = find('#search-status', HTMLElement, dialog);
    const { found: count = '', none = '', failed = '' } = dialog.dataset;
    /** @type {ReturnType<typeof loadIndex> | undefined} */
    let ready;
    const load = () => ready ??= loadIndex(dialog.dataset);
    input.addEventListener('input', async () => {
      const asked = input.value.trim();
      if (!asked) {
        results.replaceChildren();
        status.textContent = '';
        return;
      }
      let search;
      try {
        search = await load();
      } catch {
        ready = undefined;
        status.textContent = failed;
        return;
      }
      if (input.value.trim() !== asked) return;
      const found = search(asked);
      const terms = asked.toLowerCase().split(/\s+/);
      results.replaceChildren(...found.map(({ href, doc }) => result(href, doc, terms)));
      status.textContent = found.length ? `${found.length} ${count}` : none;
    });
    results.addEventListener('click', () => dialog.close());
    find('form', HTMLFormElement, dialog).addEventListener('submit', (event) => {
      event.preventDefault();
      results.querySelector('a')?.click();
    });
    return () => {
      input.select();
      load().catch(() => { ready = undefined; });
    };
  }

  /** Search: mdBook's index and elasticlunr, loaded when first asked for. @param {HTMLDialogElement} dialog */
  function search(dialog) {
    const prepare = answering(dialog);
    const open = () => {
      dialog.showModal();
      prepare();
    };
    const opener = find('#search-open', HTMLButtonElement);
    opener.hidden = false;
    opener.addEventListener('click', open);
    dialog.addEventListener('click', (event) => {
      if (event.target === dialog) dialog.close();
    });
    document.addEventListener('keydown', (event) => {
      const { target } = event;
      const typing = target instanceof Element && target.closest('input, textarea, select, [contenteditable]');
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
      event.preventDefault();
      open();
    });
  }

  /** Answers are printed with their questions, also by a browser that cannot show a fold's inside by style alone. */
  function unfoldedInPrint() {
    if (CSS.supports('selector(::details-content)')) return;
    /** @type {HTMLDetailsElement[]} */
    let opened = [];
    addEventListener('beforeprint', () => {
      opened = [...document.querySelectorAll('details')].filter((fold) => !fold.open);
      for (const fold of opened) fold.open = true;
    });
    addEventListener('afterprint', () => {
      for (const fold of opened) fold.open = false;
    });
  }

  /** What was read can be read again without a network, where a web host serves the book (theme/offline). */
  async function keptForLater() {
    const { offline } = root.dataset;
    const workers = navigator.serviceWorker;
    if (!offline || !workers) return;
    try {
      const isFirst = !workers.controller;
      await workers.register(new URL(offline, document.baseURI));
      const { active } = await workers.ready;
      if (!isFirst || !active) return;
      // It saw nothing of this page's loading, so it is told.
      active.postMessage([location.href.replace(location.hash, '')]);
      const loaded = new PerformanceObserver((list) => active.postMessage(list.getEntries().map(({ name }) => name)));
      loaded.observe({ type: 'resource', buffered: true });
    } catch {
      // A private window, or a browser that keeps nothing: the book is there while the network is.
    }
  }

  contentsList();
  currentPage();
  themeChoice();
  scrollingBoxes();
  copyButtons();
  unfoldedInPrint();
  // A book built without search has no dialog, and an old browser cannot open it.
  const dialog = /** @type {HTMLDialogElement | null} */ (document.querySelector('#search'));
  if (dialog?.showModal) search(dialog);
  // After everything that the page itself needs.
  addEventListener('load', () => { keptForLater(); });
})();
