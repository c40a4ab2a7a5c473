// @ts-check
/**
 * The TODOs of a lab's client: what each asks, how it stands, what is next.
 */
import { button, el, words } from './dom.js';

/** @typedef {import('../../../playground/bench.js').ListedCheck} ListedCheck */
/** @typedef {import('../../../playground/bench.js').Graded} Graded */

const WORDS = { passed: 'passes', failed: 'fails', not_started: 'not started', waits: 'waits', unknown: 'not checked yet', asking: 'being checked …' };
const SIGNS = { passed: '✓', failed: '✗', not_started: '○', waits: '○', unknown: '·', asking: '…' };

/** @typedef {keyof typeof WORDS} Standing */

export class Tasks {
  #lab;
  #checks;
  /** @type {Map<string, { item: HTMLElement, sign: HTMLElement, state: HTMLElement }>} */
  #rows = new Map();
  /** @type {Map<string, Standing>} */
  #standing = new Map();
  /** The list. */
  element;

  /**
   * @param {string} lab `lab3`
   * @param {ListedCheck[]} checks
   * @param {(todo: number) => void} go shows the TODO's code
   */
  constructor(lab, checks, go) {
    this.#lab = lab;
    this.#checks = checks;
    const items = checks.map((check) => {
      const [sign, state] = [el('span', { class: 'sign', 'aria-hidden': 'true' }), el('span', { class: 'state' })];
      const title = check.todo === null ? 'Both halves' : `TODO ${check.todo}`;
      const { todo } = check;
      const where = todo === null ? 'Contract' : 'Contract, hints';
      const item = el('li', {},
        sign,
        el('p', {}, el('b', {}, title), ' ', state, el('span', { class: 'contract' }, ...words(check.contract))),
        el('span', { class: 'try-links' },
          todo !== null && button('Code', () => go(todo), { 'aria-label': `Code of ${title}` }),
          el('a', { href: `#${check.section}`, 'aria-label': `${where} of ${title}` }, where)));
      this.#rows.set(check.name, { item, sign, state });
      this.#standing.set(check.name, 'unknown');
      return item;
    });
    this.element = el('ol', { class: 'try-tasks' }, ...items);
    this.#show();
  }

  /** Whether everything passes. */
  get isDone() {
    return this.#checks.every(({ name }) => this.#standing.get(name) === 'passed');
  }

  /** How far it is, in one line. */
  get tally() {
    const done = this.#checks.filter(({ name }) => this.#standing.get(name) === 'passed').length;
    const next = this.#next();
    const rest = next ? ` · next: TODO ${next.todo} in ${next.file}` : ' · the client passes';
    return `${this.#lab}, the client's half: ${done} of ${this.#checks.length} done${rest}`;
  }

  /** The one to do next, once something has been checked. */
  #next() {
    return this.#checks.find(({ name }) => this.#standing.get(name) !== 'passed');
  }

  /** @param {string} name @param {Standing} standing */
  stand(name, standing) {
    this.#standing.set(name, standing);
    this.#show();
  }

  /** Whether anything has been checked. */
  get isChecked() {
    return [...this.#standing.values()].some((standing) => standing !== 'unknown' && standing !== 'asking');
  }

  #show() {
    const next = this.isChecked ? this.#next() : undefined;
    for (const { name } of this.#checks) {
      const row = this.#rows.get(name);
      const standing = this.#standing.get(name) ?? 'unknown';
      if (!row) continue;
      const isNext = name === next?.name;
      row.item.dataset.verdict = standing;
      row.item.toggleAttribute('data-next', isNext);
      row.sign.textContent = SIGNS[standing];
      row.state.textContent = isNext && standing !== 'asking' ? `${WORDS[standing]} · next` : WORDS[standing];
    }
  }
}
