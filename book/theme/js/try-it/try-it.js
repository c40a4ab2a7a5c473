// @ts-check
/**
 * `<try-it lab="3">`: the client's half of a lab, in the page.
 *
 * What stands inside is there without script: how to do it in a clone, and the lab's untouched `client.js`. That code is
 * what the reader begins with. The bench and the editor are loaded when the reader opens the lab, not before.
 */
import { button, el, grouped } from './dom.js';
import { fields } from './field.js';
import { Keep, LONGEST } from './keep.js';
import { Run } from './run.js';
import { Tasks } from './tasks.js';
import { placeIn, sceneOf, verdict } from './verdict.js';

/**
 * @typedef {import('../../../playground/playground.js').Playground} Playground
 * @typedef {import('../../../playground/bench.js').Listed} Listed
 * @typedef {import('../../../playground/bench.js').Graded} Graded
 * @typedef {import('./field.js').Problem} Problem
 * @typedef {import('./field.js').Module} Module
 */

/** After the last key, in milliseconds. */
const KEEP_AFTER = 400;

/**
 * Brings an element to life.
 *
 * @param {HTMLElement} host
 */
export function attach(host) {
  const door = new Door(host);
  return { free: () => door.remove() };
}

/** What stands where the lab can be opened, and then the lab. */
class Door {
  #host;
  #number;
  #start;
  #keep;
  /** @type {Lab | undefined} */
  #lab;
  #status = el('p', { class: 'try-status', role: 'status' });
  #progress = el('progress', { hidden: true, 'aria-label': 'Loading the bench' });
  #open = button('', () => this.#enter(), { class: 'primary' });
  #element = el('div', { class: 'widget try-it' });

  /** @param {HTMLElement} host */
  constructor(host) {
    this.#host = host;
    this.#number = Number(host.getAttribute('lab'));
    // The build leaves out the last line's end.
    this.#start = `${host.querySelector('figure.code pre code')?.textContent ?? ''}\n`;
    this.#keep = new Keep(this.#name);
    const { playground } = document.documentElement.dataset;
    if (!playground) {
      this.#element.append(el('p', { class: 'hint' },
        `This copy of the book was built without the bench (it takes clang), so nothing runs here. In a clone, `,
        el('code', {}, `cargo test -p ${this.#name}`), ' grades this half as well.'));
    } else {
      this.#open.textContent = this.#keep.text === null ? 'Open the editor' : 'Go on with your client.js';
      this.#element.append(
        el('h3', { class: 'try-title', tabindex: -1 }, 'Write the client here'),
        el('p', {}, 'The program behind ', el('code', {}, `cargo test -p ${this.#name}`),
          ' runs in this page as well: it grades your client, and lets you run it in weather you order. Nothing to install.'),
        el('div', { class: 'row' }, this.#open, this.#progress), this.#status);
    }
    host.prepend(this.#element);
    host.setAttribute('data-ready', '');
  }

  get #name() {
    return `lab${this.#number}`;
  }

  /** Loads everything and opens the lab. */
  async #enter() {
    if (this.#open.getAttribute('aria-disabled') === 'true') return;
    this.#open.setAttribute('aria-disabled', 'true');
    this.#progress.hidden = false;
    this.#status.textContent = 'Loading the bench …';
    /** @type {Playground | undefined} */
    let bench;
    try {
      const address = new URL('playground.js', new URL(document.documentElement.dataset.playground ?? '', document.baseURI));
      const [{ Playground }, field] = await Promise.all([imported(address), fields()]);
      bench = await Playground.open({ onProgress: ({ loaded, total }) => this.#advance(loaded, total) });
      const listed = (await bench.list()).find(({ name }) => name === this.#name);
      if (!listed) throw new Error(`The bench in this copy of the book does not know ${this.#name}.`);
      if (!this.#host.isConnected) throw new Error('The lab was left.');
      const lab = new Lab({ bench, listed, field, keep: this.#keep, start: this.#start });
      this.#lab = lab;
      this.#element.replaceWith(lab.element);
      lab.enter();
    } catch (error) {
      bench?.end();
      this.#progress.hidden = true;
      this.#open.removeAttribute('aria-disabled');
      this.#open.textContent = 'Try again';
      this.#status.textContent = `${sentence(error)} In a clone, cargo test -p ${this.#name} grades this half as well.`;
    }
  }

  /** @param {number} loaded @param {number} total */
  #advance(loaded, total) {
    if (total > 0) {
      this.#progress.max = total;
      this.#progress.value = Math.min(loaded, total);
    }
    if (loaded >= total && total > 0) this.#status.textContent = 'Starting it …';
  }

  remove() {
    this.#lab?.remove();
    this.#element.remove();
    this.#host.removeAttribute('data-ready');
  }
}

/**
 * The bench's script. That it cannot be had is told in a sentence.
 *
 * @param {URL} address
 * @returns {Promise<typeof import('../../../playground/playground.js')>}
 */
async function imported(address) {
  try {
    return await import(address.href);
  } catch (error) {
    throw new Error(navigator.onLine
      ? 'The bench could not be loaded: the server does not give it. Reload the page, or try again in a moment.'
      : 'The bench could not be loaded: this device is offline.', { cause: error });
  }
}

/** @param {unknown} error */
const sentence = (error) => (error instanceof Error ? error.message : String(error));

/** A lab that is open. */
class Lab {
  #bench;
  #listed;
  #field;
  #keep;
  #start;
  #leaving = new AbortController();
  /** @type {import('./field.js').Editor} */
  #editor;
  #tasks;
  #run;
  /** What was graded last, and what came between. */
  #graded = '';
  #trouble = '';
  #isChecking = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #keeping;
  /** @type {{ remove(): void } | undefined} */
  #compared;

  #title = el('h3', { class: 'try-title', tabindex: -1 });
  #status = el('p', { class: 'try-status', role: 'status' });
  #kept = el('p', { class: 'hint' });
  #verdicts = el('div', { class: 'try-verdicts' });
  #check = button('Check', () => this.check(), { class: 'primary', 'aria-keyshortcuts': 'Control+Enter Meta+Enter' });
  #runs = button('Run', () => this.#toggleRun(), { 'aria-expanded': 'false' });
  #reset = button('Reset', () => this.#askReset());
  #undo = button('Bring my text back', () => this.#undoReset(), { hidden: true });
  #asks = el('div', { class: 'try-ask', role: 'group', 'aria-label': 'Reset', hidden: true });
  #compare = button('Show the solution anyway', () => this.#showSolution());
  #solution = el('section', { class: 'try-solution', 'aria-label': 'The solution', hidden: true });
  element;

  /**
   * @param {object} options
   * @param {Playground} options.bench
   * @param {Listed} options.listed
   * @param {{ module: Module, why: string }} options.field
   * @param {Keep} options.keep
   * @param {string} options.start the untouched client
   */
  constructor({ bench, listed, field, keep, start }) {
    this.#bench = bench;
    this.#listed = listed;
    this.#field = field.module;
    this.#keep = keep;
    this.#start = start;
    this.#title.textContent = `Lab ${listed.number}: the client`;
    this.#tasks = new Tasks(listed.name, listed.checks, (todo) => this.#goTo(todo));
    this.#run = new Run({
      bench,
      lab: listed.name,
      text: () => this.#sources()['client.js'],
      failed: (problem) => { if (problem) this.#editor.mark([problem]); },
    });
    const place = el('div', { class: 'try-editor' });
    this.element = el('section', { class: 'widget try-it open', 'aria-label': `Lab ${listed.number} in this page` },
      this.#title, this.#where(), this.#tasks.element, place,
      el('p', { class: 'hint' }, field.why || 'Tab indents; Escape, then Tab leaves the editor. Ctrl-Enter checks.'),
      el('div', { class: 'row try-buttons' }, this.#check, this.#runs,
        button('Download client.js', () => this.#download()), this.#reset, this.#undo, this.#compare),
      this.#asks, this.#status, this.#kept, this.#verdicts, this.#solution, this.#run.element);
    const narrow = matchMedia('(width < 40rem)');
    this.#editor = this.#field.edit({
      parent: place,
      text: keep.text ?? start,
      label: `web/client.js of lab ${listed.number}`,
      wraps: narrow.matches,
      changed: () => this.#changed(),
      check: () => this.check(),
    });
    narrow.addEventListener('change', () => this.#editor.wrap(narrow.matches), { signal: this.#leaving.signal });
    this.#undo.hidden = keep.before === null;
    this.#run.element.addEventListener('closed', () => {
      this.#runs.setAttribute('aria-expanded', 'false');
      this.#runs.focus();
    });
    window.addEventListener('pagehide', () => this.#keepNow(), { signal: this.#leaving.signal });
    keep.watch((text) => {
      if (text !== this.#editor.text()) this.#say('Another tab has changed this lab. What you write here takes its place; reload to see the other.');
    }, this.#leaving.signal);
    this.#tellKept(true);
  }

  /** Where this runs, and what runs elsewhere. */
  #where() {
    const words = el('p', { class: 'hint' },
      'Everything runs in your browser, in virtual time: the solution’s server, a network, and your client. ');
    if (document.documentElement.hasAttribute('data-stage')) {
      words.append('Live, in real time, is ', el('a', { href: `/live/${this.#listed.name}/` }, 'the lab on this stage'), ', with the solution’s client.');
    }
    return words;
  }

  /** Called when it has come into the page. */
  enter() {
    this.#title.focus();
  }

  remove() {
    this.#keepNow();
    this.#leaving.abort();
    this.#run.end();
    this.#compared?.remove();
    this.#editor.remove();
    this.#bench.end();
    this.element.remove();
  }

  /** The client's files. A half of a character, which a text field may hold, is nothing that travels. */
  #sources() {
    return { 'client.js': this.#editor.text().replace(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, '\uFFFD') };
  }

  /** Whether the text is of a size that can be graded; says so if it is not. */
  #isTooLong() {
    const { length } = this.#editor.text();
    if (length <= LONGEST) return false;
    this.#say(`This text has ${grouped(length)} characters, and up to ${grouped(LONGEST)} are graded: a client needs a few thousand.`);
    return true;
  }

  #changed() {
    this.#tellStale();
    clearTimeout(this.#keeping);
    this.#keeping = setTimeout(() => this.#keepNow(), KEEP_AFTER);
  }

  /** How far the client is, and whether that was before a change. */
  #tellStale() {
    if (!this.#tasks.isChecked && !this.#trouble) return;
    const isStale = this.#graded !== this.#editor.text();
    this.element.toggleAttribute('data-stale', isStale);
    const tally = `${this.#tasks.tally}${isStale ? ' (before your last change)' : ''}`;
    const words = this.#trouble ? `${this.#trouble} ${tally}` : tally;
    if (this.#status.textContent !== words) this.#say(words);
  }

  #keepNow() {
    clearTimeout(this.#keeping);
    const text = this.#editor.text();
    if (this.#keep.isAvailable) this.#tellKept(this.#keep.keep(text === this.#start ? null : text));
  }

  /** @param {boolean} isKept */
  #tellKept(isKept) {
    const words = !this.#keep.isAvailable
      ? 'This browser keeps nothing for this page (a private window?): download client.js before you leave.'
      : isKept ? 'Your text is kept in this browser.' : 'This browser has no room to keep this text: download client.js before you leave.';
    if (this.#kept.textContent !== words) this.#kept.textContent = words;
  }

  /** @param {string} words */
  #say(words) {
    this.#status.textContent = words;
  }

  /** Shows the code of a TODO: selects what stands for it, or goes there. @param {number} todo */
  #goTo(todo) {
    const lines = this.#editor.text().split('\n');
    const find = (/** @type {RegExp} */ what) => lines.findIndex((line) => what.test(line)) + 1;
    // What stands for it in the untouched file says its number: `throw new Error('TODO 5')`.
    const open = find(new RegExp(`['"\`]TODO ${todo}['"\`]`));
    const anchor = find(new RegExp(`ANCHOR: todo_${todo}\\b`));
    const comment = find(new RegExp(`TODO ${todo}\\b`));
    if (open) this.#editor.select(open, open);
    else if (anchor || comment) this.#editor.select(anchor ? anchor + 1 : comment, 0);
    else this.#say(`Nothing in client.js says TODO ${todo} any more.`);
  }

  /** Grades every TODO of the client. */
  async check() {
    if (this.#isChecking || this.#isTooLong()) return;
    this.#isChecking = true;
    this.#check.setAttribute('aria-disabled', 'true');
    this.#run.pause();
    this.#say('Checking …');
    const text = this.#editor.text();
    const sources = this.#sources();
    /** @type {Graded[]} */
    const told = [];
    let trouble = '';
    for (const { name } of this.#listed.checks) {
      this.#tasks.stand(name, 'asking');
      try {
        const graded = await this.#bench.check(this.#listed.name, name, sources);
        told.push(graded);
        this.#tasks.stand(name, graded.verdict);
      } catch (error) {
        this.#tasks.stand(name, 'unknown');
        trouble = sentence(error);
        // The next check has an instance of its own; who was stopped would be stopped again.
        if (error instanceof Error && error.name === 'Stopped') break;
      }
    }
    this.#graded = text;
    this.#isChecking = false;
    this.#check.removeAttribute('aria-disabled');
    if (this.#leaving.signal.aborted) return;
    this.#trouble = trouble;
    this.#tellStale();
    this.#show(told);
    if (this.#tasks.isDone) this.#compare.textContent = 'Compare with the solution';
  }

  /** @param {Graded[]} told */
  #show(told) {
    // One wrong character fails every check, in the same place and words.
    const problems = new Map(told.map(placeIn).filter((place) => place !== null).map((place) => [`${place.line}:${place.words}`, place]));
    this.#editor.mark([...problems.values()].sort((one, other) => one.line - other.line));
    const failed = told.filter(({ lines }) => lines.length > 0);
    const first = failed.find(({ verdict: word }) => word === 'failed');
    const blocks = failed.map((graded) => {
      const block = verdict(graded, graded === first, (line) => this.#editor.select(line, 0));
      let isDrawn = false;
      const draw = async () => {
        if (!block.open || isDrawn) return;
        isDrawn = true;
        // Where it cannot be drawn, the words are there.
        const scene = await sceneOf(this.#bench, graded, `${this.#listed.name}-${graded.name}`).catch(() => null);
        if (scene && block.isConnected) block.append(scene);
      };
      block.addEventListener('toggle', draw);
      return block;
    });
    this.#verdicts.replaceChildren(...blocks);
  }

  async #toggleRun() {
    if (this.#run.isOpen) {
      this.#run.end();
      return;
    }
    if (this.#isTooLong()) return;
    this.#runs.setAttribute('aria-expanded', 'true');
    await this.#run.start();
  }

  #download() {
    const address = URL.createObjectURL(new Blob([this.#editor.text()], { type: 'text/javascript' }));
    el('a', { href: address, download: 'client.js' }).click();
    // The download has begun by then.
    setTimeout(() => URL.revokeObjectURL(address), 60_000);
    this.#say(`In the clone its place is ${this.#listed.folder}/web/client.js.`);
  }

  #askReset() {
    const close = () => {
      this.#asks.hidden = true;
      this.#reset.focus();
    };
    const yes = button('Yes, begin anew', () => {
      const text = this.#editor.text();
      this.#keep.keepBefore(text);
      this.#before = text;
      this.#editor.replace(this.#start);
      this.#undo.hidden = false;
      close();
      this.#verdicts.replaceChildren();
      this.#say('The untouched client.js is back. Your text can be brought back once.');
    }, { class: 'bad' });
    this.#asks.replaceChildren(el('p', {}, 'Put the untouched client.js in place of your text?'), yes, button('No, keep mine', close));
    this.#asks.hidden = false;
    yes.focus();
  }

  /** What stood there before the reset, where the browser keeps nothing. */
  #before = '';

  #undoReset() {
    const text = this.#keep.before ?? this.#before;
    this.#editor.replace(text);
    this.#keep.keepBefore(null);
    this.#before = '';
    this.#undo.hidden = true;
    this.#reset.focus();
    this.#say('Your text is back.');
  }

  async #showSolution() {
    this.#compared?.remove();
    let theirs;
    try {
      theirs = await this.#bench.solution(this.#listed.name);
    } catch (error) {
      this.#say(sentence(error));
      return;
    }
    const title = el('h4', { tabindex: -1 }, 'Your client.js and the solution’s');
    const place = el('div');
    this.#solution.replaceChildren(
      el('div', { class: 'try-run-bar' }, title, button('Close', () => {
        this.#compared?.remove();
        this.#compared = undefined;
        this.#solution.hidden = true;
        this.#compare.focus();
      })),
      el('p', { class: 'hint' }, 'A minus marks your lines, a plus the solution’s. It is one right answer of many: what passes is right.'),
      place);
    this.#solution.hidden = false;
    this.#compared = this.#field.compare({ parent: place, yours: this.#editor.text(), theirs, label: 'The solution’s client.js, compared with yours' });
    title.focus();
  }
}
