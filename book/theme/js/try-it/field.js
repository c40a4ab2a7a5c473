// @ts-check
/**
 * Where the reader writes: the editor that the build has bundled, or a plain text field where there is none.
 */
import { el } from './dom.js';

/**
 * @typedef {{ line: number, column: number, words: string }} Problem lines and columns counted from 1; a column of 0 is not known
 *
 * @typedef {object} Options
 * @property {HTMLElement} parent where it is put, at the end
 * @property {string} text
 * @property {string} label its name, for those who hear the page
 * @property {boolean} wraps whether long lines are broken
 * @property {() => void} changed called when the text has changed
 * @property {() => void} check called for Ctrl-Enter
 *
 * @typedef {object} Editor
 * @property {() => string} text the text as it is now
 * @property {(text: string) => void} replace puts another text in its place, which can be undone
 * @property {(problems: Problem[]) => void} mark marks these places, and no others, and scrolls to the first
 * @property {(from: number, to: number) => void} select selects lines (with 0 as the last, goes to the first), shows them and takes the focus
 * @property {(wraps: boolean) => void} wrap breaks long lines, or not
 * @property {() => void} focus
 * @property {() => void} remove
 *
 * @typedef {object} Compared two texts to be compared
 * @property {HTMLElement} parent where it is put, at the end
 * @property {string} yours
 * @property {string} theirs
 * @property {string} label
 *
 * @typedef {{ edit(options: Options): Editor, compare(options: Compared): { remove(): void } }} Module what book/editor
 *   exports
 */

/**
 * The module that makes editors, and if there is none a sentence that says why.
 *
 * @returns {Promise<{ module: Module, why: string }>}
 */
export async function fields() {
  const { editor } = document.documentElement.dataset;
  if (!editor) {
    return { module: plain, why: 'This copy of the book was built without Node, so this is a plain text field: no colours, and Tab leaves it.' };
  }
  try {
    return { module: await import(new URL(editor, document.baseURI).href), why: '' };
  } catch {
    return { module: plain, why: 'The editor did not load, so this is a plain text field: no colours, and Tab leaves it.' };
  }
}

/** @type {Module} */
const plain = {
  edit({ parent, text, label, wraps, changed, check }) {
    const area = el('textarea', { class: 'try-field', 'aria-label': label, spellcheck: 'false', autocapitalize: 'off', autocomplete: 'off', rows: 24 });
    const wrap = (/** @type {boolean} */ wanted) => { area.wrap = wanted ? 'soft' : 'off'; };
    const notes = el('ul', { class: 'try-problems' });
    area.value = text;
    wrap(wraps);
    area.addEventListener('input', changed);
    area.addEventListener('keydown', (event) => {
      event.stopPropagation();
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        check();
      }
    });
    parent.append(area, notes);
    return {
      text: () => area.value,
      replace(other) {
        area.value = other;
        notes.replaceChildren();
        changed();
      },
      mark(problems) {
        notes.replaceChildren(...problems.map(({ line, words }) => el('li', {}, el('b', {}, `Line ${line}:`), ` ${words}`)));
      },
      select(from, to) {
        const lines = area.value.split('\n');
        const before = (/** @type {number} */ line) => lines.slice(0, line - 1).reduce((sum, { length }) => sum + length + 1, 0);
        const first = lines[from - 1] ?? '';
        area.focus();
        const start = before(from) + (first.length - first.trimStart().length);
        area.setSelectionRange(start, to ? before(to) + (lines[to - 1] ?? '').length : start);
        // A field scrolls by its lines, all of one height.
        area.scrollTop = Math.max(0, (area.scrollHeight / lines.length) * (from - 6));
      },
      wrap,
      focus: () => area.focus(),
      remove() {
        area.remove();
        notes.remove();
      },
    };
  },
  compare({ parent, theirs, label }) {
    const place = el('figure', { class: 'code', 'data-language': 'js' }, el('figcaption', {}, label), el('pre', { tabindex: 0 }, el('code', {}, theirs)));
    parent.append(place);
    return { remove: () => place.remove() };
  },
};
