// @ts-check
/**
 * The reader's client against the solution's server, in virtual time: it goes on as long as somebody looks, and its
 * transcript is drawn as it grows.
 */
import { button, drawn, el, grouped } from './dom.js';
import { moments } from './verdict.js';

/**
 * @typedef {import('../../../playground/playground.js').Playground} Playground
 * @typedef {import('../../../playground/bench.js').Step} Step
 * @typedef {import('../../../playground/bench.js').Outcome} Outcome
 * @typedef {import('./field.js').Problem} Problem
 */

/** How many moments stay in sight, and how many lines of the console. */
const SHOWN = 40;
const LINES = 50;
/** A page that was asleep does not make up for it: milliseconds. */
const LONGEST_FRAME = 250;
/** Between two drawings, in milliseconds: more could not be followed anyway. */
const BETWEEN_DRAWINGS = 120;
/** One step waits so long for something to happen, in virtual milliseconds, and looks so often. */
const LONGEST_WAIT = 60_000;
const LOOK = 25;
/** The market moves alike in each run, so that a weather can be tried again. */
const SEED = 1;

const SPEEDS = [['0.25', '¼×'], ['1', '1×'], ['4', '4×'], ['16', '16×'], ['60', '60×']];
const LATENCIES = [5, 50, 250, 1_000, 5_000];

/**
 * A weather with two sides: the command that begins it, the one that ends it, the words on its button, and what it is.
 * @typedef {[begins: string, ends: string, words: string, title: string]} Toggle
 */
/** @type {Toggle[]} */
const LINE = [['hold', 'heal', 'Hold', 'bytes wait in the line'], ['refuse', 'accept', 'Refuse', 'new connections are refused']];
/** @type {Toggle} */
const MARKET = ['close market', 'open market', 'Close the market', 'no price moves any more'];
/** What means something to a lab's client or server besides the line itself. @type {Record<string, Toggle[]>} */
const OF_LAB = {
  lab3: [MARKET, ['hide', 'show', 'Hide the tab', 'the page is in the background'], ['leave', 'return', 'Leave the page', 'until it is restored by the Back button']],
  lab4: [MARKET],
  lab5: [MARKET],
};

export class Run {
  #bench;
  #lab;
  #text;
  #failed;
  #isOpen = false;
  #isPlaying = false;
  #speed = 1;
  /** Virtual milliseconds that are due and not asked for yet. */
  #due = 0;
  #isAsking = false;
  /** @type {Promise<void>} */
  #steps = Promise.resolve();
  /** @type {number | undefined} */
  #before;
  /** @type {string[]} */
  #moments = [];
  #leftOut = 0;
  /** @type {string[]} */
  #console = [];
  #toldFailure = '';
  #isDrawn = true;
  #isDrawing = false;
  #drawnAt = 0;

  #play = button('Pause', () => this.#isPlaying ? this.pause() : this.#go());
  #clock = el('output', { class: 'clock', 'aria-live': 'off' });
  #status = el('p', { class: 'try-status', role: 'status' });
  #scene = el('div', { class: 'try-run-scene', tabindex: 0, role: 'region', 'aria-label': 'The run, drawn' });
  #words = el('details', { class: 'in-words', toggle: () => this.#draw(true) }, el('summary', {}, 'The same in words'));
  #output = el('pre', { class: 'try-console', hidden: true, tabindex: 0, role: 'region', 'aria-label': 'Console' });
  #weather = el('div', { class: 'try-weather', role: 'group', 'aria-label': 'Weather' });
  element;

  /**
   * @param {object} options
   * @param {Playground} options.bench
   * @param {string} options.lab `lab3`
   * @param {() => string} options.text the client as it is now
   * @param {(problem: Problem | null, words: string) => void} options.failed called when the client failed
   */
  constructor({ bench, lab, text, failed }) {
    this.#bench = bench;
    this.#lab = lab;
    this.#text = text;
    this.#failed = failed;
    const speed = el('select', { 'aria-label': 'Speed', change: () => { this.#speed = Number(speed.value); } },
      ...SPEEDS.map(([value, words]) => el('option', { value, selected: value === '1' }, words)));
    this.element = el('section', { class: 'try-run', 'aria-label': 'The run', hidden: true },
      el('div', { class: 'try-run-bar' },
        el('h4', { tabindex: -1 }, 'Run'), this.#clock,
        this.#play, button('Step', () => this.#step()), speed, button('Begin anew', () => this.start()), button('Close', () => this.end())),
      this.#weather, this.#status, this.#scene, this.#words, this.#output);
  }

  get isOpen() {
    return this.#isOpen;
  }

  /** Opens a run of the client as it is now. */
  async start() {
    this.pause();
    this.element.hidden = false;
    [this.#moments, this.#leftOut, this.#console, this.#toldFailure, this.#due] = [[], 0, [], '', 0];
    this.#scene.replaceChildren();
    this.#output.hidden = true;
    this.#weather.replaceChildren(...this.#buttons());
    this.#say('');
    this.#isOpen = true;
    const step = await this.#ask(() => this.#bench.open(this.#lab, SEED, { 'client.js': this.#text() }));
    if (step && this.#isOpen && !this.#toldFailure) this.#go();
  }

  /** Ends the run and folds it away. */
  end() {
    if (!this.#isOpen) return;
    this.pause();
    this.#isOpen = false;
    this.element.hidden = true;
    this.#bench.close().catch(() => {});
    this.element.dispatchEvent(new Event('closed'));
  }

  pause() {
    if (this.#isPlaying) this.#say('Paused.');
    this.#isPlaying = false;
    this.#before = undefined;
    this.#play.textContent = 'Go on';
  }

  #go() {
    if (!this.#isOpen) return;
    this.#isPlaying = true;
    this.#play.textContent = 'Pause';
    this.#say('Running.');
    requestAnimationFrame((now) => this.#frame(now));
  }

  /** @param {number} now */
  #frame(now) {
    if (!this.#isPlaying || !this.element.isConnected) return;
    const passed = Math.min(now - (this.#before ?? now), LONGEST_FRAME);
    this.#before = now;
    this.#due = Math.min(this.#due + passed * this.#speed, LONGEST_FRAME * this.#speed);
    if (!this.#isAsking && this.#due > 0) {
      const due = this.#due;
      this.#due = 0;
      this.#ask(() => this.#bench.step(due));
    }
    requestAnimationFrame((next) => this.#frame(next));
  }

  /** Lets time pass until something happens; who presses twice gets two steps. */
  #step() {
    this.pause();
    this.#steps = this.#steps.then(() => this.#stepOnce());
  }

  async #stepOnce() {
    const began = this.#moments.length + this.#leftOut;
    for (let waited = 0; waited < LONGEST_WAIT; waited += LOOK) {
      const step = await this.#ask(() => this.#bench.step(LOOK));
      if (!step || !this.#isOpen || this.#isPlaying || step.failure || this.#moments.length + this.#leftOut > began) break;
    }
    if (this.#isOpen && this.#moments.length + this.#leftOut === began) {
      this.#say(`Nothing happened for ${grouped(LONGEST_WAIT)} ms.`);
    }
  }

  /** Orders a weather. @param {string} command */
  #order(command) {
    return this.#ask(() => this.#bench.command(command));
  }

  #buttons() {
    const toggle = (/** @type {Toggle} */ [begins, ends, words, title]) => {
      const made = button(words, async () => {
        const isOn = made.getAttribute('aria-pressed') === 'true';
        if (await this.#order(isOn ? ends : begins)) made.setAttribute('aria-pressed', String(!isOn));
      }, { 'aria-pressed': 'false', title });
      return made;
    };
    const latency = el('select', { change: () => this.#order(`latency ${latency.value}`) },
      ...LATENCIES.map((ms) => el('option', { value: ms }, `${grouped(ms)} ms`)));
    return [
      el('b', {}, 'Weather'),
      button('Cut', () => this.#order('cut'), { class: 'bad', title: 'every open connection is cut' }),
      ...LINE.map(toggle),
      el('label', {}, 'Latency ', latency),
      button('Restart', () => this.#order('restart'), { title: 'the server goes, and comes back' }),
      ...(OF_LAB[this.#lab] ?? []).map(toggle),
      button('Stop', () => this.#order('stop'), { title: 'the user has seen enough' }),
    ];
  }

  /**
   * Asks the bench and shows its answer; gives nothing where there is none.
   *
   * @param {() => Promise<Step>} question
   */
  async #ask(question) {
    if (!this.#isOpen) return undefined;
    this.#isAsking = true;
    try {
      const step = await question();
      if (this.#isOpen) this.#take(step);
      return step;
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      if (this.#isOpen) {
        this.pause();
        this.#say(words === 'No run is open.' ? 'This run is over: begin anew.' : `${words} This run is over: begin anew.`);
      }
      return undefined;
    } finally {
      this.#isAsking = false;
    }
  }

  /** @param {Step} step */
  #take({ now, transcript, console: lines, failure }) {
    this.#clock.textContent = `${grouped(now)} ms`;
    const news = moments(transcript);
    if (news.length > 0) {
      const all = this.#moments.concat(news);
      this.#leftOut += Math.max(0, all.length - SHOWN);
      this.#moments = all.slice(-SHOWN);
      this.#isDrawn = false;
    }
    if (lines.length > 0) {
      this.#console = this.#console.concat(lines).slice(-LINES);
      this.#output.textContent = this.#console.join('\n');
      this.#output.hidden = false;
      this.#output.scrollTop = this.#output.scrollHeight;
    }
    if (failure) this.#fail(failure);
    this.#draw(false);
  }

  /** @param {Outcome} failure */
  #fail(failure) {
    const words = failure.kind === 'not_started'
      ? `The client came upon TODO ${failure.todo}, which is not started.`
      : failure.kind === 'well' ? '' : failure.words;
    if (words === this.#toldFailure) return;
    this.#toldFailure = words;
    const isOver = failure.kind !== 'page' || failure.fatal;
    if (isOver) this.pause();
    this.#say(isOver ? `${words} This run is over.` : words);
    this.#status.classList.add('bad');
    const isPlaced = failure.kind === 'page' && failure.file === 'client.js' && failure.line > 0;
    this.#failed(isPlaced ? { line: failure.line, column: failure.column, words: words.replace(/^client\.js(:\d+)*:\s*/, '') } : null, words);
  }

  /** Draws what is not drawn yet. @param {boolean} anew */
  async #draw(anew) {
    if ((this.#isDrawn && !anew) || this.#isDrawing || this.#moments.length === 0) return;
    const wait = this.#drawnAt + BETWEEN_DRAWINGS - performance.now();
    this.#isDrawing = true;
    try {
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      if (!this.#isOpen) return;
      this.#isDrawn = true;
      const picture = await this.#bench.picture(this.#moments.join('\n'), `${this.#lab}-run`, 'The run so far');
      if (!this.#isOpen) return;
      const scene = this.#scene;
      const isAtEnd = scene.scrollHeight - scene.scrollTop - scene.clientHeight < 40;
      const left = this.#leftOut > 0 ? el('p', { class: 'hint' }, `The first ${this.#leftOut === 1 ? 'moment is' : `${grouped(this.#leftOut)} moments are`} left out.`) : '';
      scene.replaceChildren(left, drawn('drawing', picture.svg));
      // Whoever has scrolled back is left there.
      if (isAtEnd) scene.scrollTop = scene.scrollHeight;
      if (this.#words.open) this.#words.replaceChildren(this.#words.children[0], drawn('', picture.list));
    } catch {
      // The bench has ended meanwhile; the step that found it says so.
    } finally {
      this.#drawnAt = performance.now();
      this.#isDrawing = false;
    }
    if (!this.#isDrawn && this.#isOpen) this.#draw(false);
  }

  /** @param {string} words */
  #say(words) {
    this.#status.classList.remove('bad');
    this.#status.textContent = words;
  }
}
