// @ts-check
/**
 * The editor of the lab in the page, on CodeMirror 6: JavaScript in the book's colours, lines that can be marked with
 * what is wrong in them, and two texts compared.
 *
 * `cargo stage` bundles it into one module that a page loads when a reader wants to edit. It stands in a shadow root:
 * only there does CodeMirror bring its style as a constructed sheet, which the pages' policy allows, and not as an
 * inline one, which it forbids. Colours come in by the custom properties of tokens.css.
 */
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import {
  HighlightStyle, StreamLanguage, bracketMatching, indentOnInput, indentUnit, syntaxHighlighting,
} from '@codemirror/language';
import { javascript as mode } from '@codemirror/legacy-modes/mode/javascript';
import { unifiedMergeView } from '@codemirror/merge';
import { Compartment, EditorSelection, EditorState, RangeSet, StateEffect, StateField, Text } from '@codemirror/state';
import {
  Decoration, EditorView, GutterMarker, WidgetType, drawSelection, gutterLineClass, highlightActiveLine,
  highlightSpecialChars, keymap, lineNumbers,
} from '@codemirror/view';
import { tags } from '@lezer/highlight';

/**
 * @typedef {import('../theme/js/try-it/field.js').Problem} Problem
 * @typedef {import('../theme/js/try-it/field.js').Options} Options
 * @typedef {import('../theme/js/try-it/field.js').Editor} Editor
 * @typedef {import('../theme/js/try-it/field.js').Compared} Compared
 */

/** The colours that code has in the book's text. */
const colours = HighlightStyle.define([
  { tag: tags.comment, color: 'var(--code-comment)', fontStyle: 'italic' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--code-string)' },
  { tag: [tags.number, tags.atom, tags.bool, tags.null], color: 'var(--code-number)' },
  { tag: [tags.keyword, tags.self], color: 'var(--code-keyword)' },
]);

const look = EditorView.theme({
  '&': { color: 'var(--ink)', backgroundColor: 'var(--raised)', fontSize: 'var(--editor-size, 0.84rem)', maxHeight: 'var(--editor-height, 34rem)' },
  '&.cm-focused': { outline: 'var(--focus)', outlineOffset: '1px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.6', overflow: 'auto' },
  '.cm-content': { padding: '0.6rem 0', caretColor: 'var(--ink)' },
  '.cm-line': { padding: '0 0.9rem 0 0.5rem' },
  '.cm-cursor, .cm-dropCursor': { borderLeftColor: 'var(--ink)', borderLeftWidth: '2px' },
  '.cm-gutters': { backgroundColor: 'var(--panel)', color: 'var(--quiet)', borderRight: '1px solid var(--line)' },
  '.cm-lineNumbers .cm-gutterElement': { minWidth: '2.6em', padding: '0 0.5em' },
  '.cm-activeLine': { backgroundColor: 'color-mix(in srgb, var(--ink) 4%, transparent)' },
  '.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--ink)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    background: 'color-mix(in srgb, var(--accent) 26%, transparent)',
  },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'transparent', outline: '1px solid var(--edge)' },
  '&.cm-focused .cm-nonmatchingBracket': { backgroundColor: 'transparent', textDecoration: 'underline wavy var(--bad)' },
  '.cm-specialChar': { color: 'var(--bad)' },
  '.wrong': { textDecoration: 'underline wavy var(--bad)', textUnderlineOffset: '0.2em' },
  '.cm-gutterElement.wrong-line': { backgroundColor: 'var(--bad)', color: 'var(--paper)', fontWeight: '700', textDecoration: 'none' },
  '.why': {
    margin: '0.1rem 0.9rem 0.3rem 0.5rem', maxWidth: '36rem', padding: '0.25rem 0.7rem', borderLeft: '3px solid var(--bad)',
    fontFamily: 'var(--sans)', fontSize: '0.88rem', lineHeight: '1.45', whiteSpace: 'pre-wrap', backgroundColor: 'var(--panel)',
  },
  // Compared texts. A sign stands beside each line, so that colour is not all there is.
  '.cm-changedLine, .cm-inlineChangedLine': { backgroundColor: 'color-mix(in srgb, var(--good) 13%, transparent) !important' },
  '.cm-changedText': { background: 'color-mix(in srgb, var(--good) 24%, transparent) !important' },
  '.cm-deletedChunk': { paddingLeft: '0', backgroundColor: 'color-mix(in srgb, var(--bad) 11%, transparent)' },
  '.cm-deletedChunk .cm-deletedText, .cm-deletedText': { background: 'color-mix(in srgb, var(--bad) 24%, transparent) !important' },
  '.cm-deletedLine, .cm-deletedChunk del': { textDecoration: 'none' },
  '&.compared .cm-line, .cm-deletedLine': { position: 'relative', paddingLeft: '1.6rem' },
  '.cm-changedLine::before, .cm-inlineChangedLine::before': { content: '"+"', position: 'absolute', left: '0.5rem', fontWeight: '700', color: 'var(--good)' },
  '.cm-deletedLine::before': { content: '"\\2212"', position: 'absolute', left: '0.5rem', fontWeight: '700', color: 'var(--bad)' },
  '.cm-collapsedLines': {
    color: 'var(--quiet)', background: 'var(--panel)', padding: '0.2rem 0.9rem', fontFamily: 'var(--sans)', fontSize: '0.86rem',
  },
  '.cm-collapsedLines::before, .cm-collapsedLines::after': { content: '"\\22ef"' },
});

/** @type {import('@codemirror/state').StateEffectType<Problem[]>} */
const marked = StateEffect.define();

/** What is wrong with a line, below it. */
class Why extends WidgetType {
  /** @param {string} words */
  constructor(words) {
    super();
    this.words = words;
  }

  /** @param {Why} other */
  eq(other) {
    return other.words === this.words;
  }

  toDOM() {
    const place = document.createElement('div');
    place.className = 'why';
    place.textContent = this.words;
    return place;
  }
}

class WrongLine extends GutterMarker {
  elementClass = 'wrong-line';
}
const wrongLine = new WrongLine();

/**
 * From where to where a problem stands in a text: a word, or else the line.
 *
 * @param {Text} doc
 * @param {Problem} problem
 */
function placeOf(doc, { line: number, column }) {
  const line = doc.line(Math.min(Math.max(number, 1), doc.lines));
  const start = line.from + Math.min(Math.max(column - 1, 0), line.length);
  const word = column > 0 ? /^(\w+|\W)/.exec(line.text.slice(start - line.from)) : null;
  const from = word ? start : line.from + (line.text.length - line.text.trimStart().length);
  const to = word ? start + word[0].length : line.to;
  return { line, from: Math.min(from, to), to };
}

const problems = StateField.define({
  /** @returns {{ places: import('@codemirror/view').DecorationSet, lines: RangeSet<GutterMarker> }} */
  create: () => ({ places: Decoration.none, lines: RangeSet.empty }),
  update(value, transaction) {
    let { places, lines } = value;
    if (transaction.docChanged) {
      places = places.map(transaction.changes);
      lines = lines.map(transaction.changes);
    }
    for (const effect of transaction.effects) {
      if (!effect.is(marked)) continue;
      const { doc } = transaction.state;
      const found = effect.value.map((problem) => ({ ...placeOf(doc, problem), words: problem.words }));
      places = Decoration.set(found.flatMap(({ line, from, to, words }) => {
        const why = Decoration.widget({ widget: new Why(words), block: true, side: 1 }).range(line.to);
        return from < to ? [Decoration.mark({ class: 'wrong' }).range(from, to), why] : [why];
      }), true);
      lines = RangeSet.of(found.map(({ line }) => wrongLine.range(line.from)), true);
    }
    return places === value.places && lines === value.lines ? value : { places, lines };
  },
  provide: (field) => [
    EditorView.decorations.from(field, ({ places }) => places),
    gutterLineClass.from(field, ({ lines }) => lines),
  ],
});

/** The line by line mode: the full grammar would make the module a quarter heavier, and it is the bench that finds errors. */
const javascript = [StreamLanguage.define({ ...mode, tokenTable: { property: tags.propertyName } }), syntaxHighlighting(colours), EditorState.tabSize.of(2), indentUnit.of('  ')];

/**
 * A place for a view, in a shadow root of its own.
 *
 * @param {HTMLElement} parent
 */
function shadow(parent) {
  const host = document.createElement('div');
  parent.append(host);
  return { host, root: host.attachShadow({ mode: 'open' }) };
}

/** @param {string} label */
const attributes = (label) => EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0', autocapitalize: 'off', spellcheck: 'false' });

/**
 * An editor.
 *
 * @param {Options} options
 * @returns {Editor}
 */
export function edit({ parent, text, label, wraps, changed, check }) {
  const { host, root } = shadow(parent);
  const wrapping = new Compartment();
  const lines = (/** @type {boolean} */ wanted) => (wanted ? EditorView.lineWrapping : []);
  const view = new EditorView({
    parent: root,
    root,
    doc: text,
    extensions: [
      keymap.of([{ key: 'Mod-Enter', run: () => (check(), true) }]),
      lineNumbers(), highlightSpecialChars(), history(), drawSelection(), highlightActiveLine(), indentOnInput(), bracketMatching(),
      // Escape, then Tab leaves the editor; CodeMirror sees to that.
      keymap.of([indentWithTab, ...historyKeymap, ...defaultKeymap]),
      javascript, look, problems,
      wrapping.of(lines(wraps)),
      attributes(label),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) changed();
      }),
    ],
  });
  // The page has keys of its own.
  host.addEventListener('keydown', (event) => event.stopPropagation());
  return {
    text: () => view.state.doc.toString(),
    replace: (other) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: other }, effects: marked.of([]) }),
    mark(places) {
      view.dispatch({ effects: marked.of(places) });
      // The editor scrolls to the first; the page stays where it is.
      const [first] = places;
      if (first) view.scrollDOM.scrollTop = view.lineBlockAt(placeOf(view.state.doc, first).from).top - view.scrollDOM.clientHeight / 3;
    },
    select(from, to) {
      const { doc } = view.state;
      const line = (/** @type {number} */ number) => doc.line(Math.min(Math.max(number, 1), doc.lines));
      const start = line(from);
      const indented = start.from + (start.text.length - start.text.trimStart().length);
      const range = to ? EditorSelection.range(indented, line(to).to) : EditorSelection.cursor(indented);
      view.dispatch({ selection: range, effects: EditorView.scrollIntoView(range, { y: 'center' }) });
      view.focus();
    },
    wrap: (wanted) => view.dispatch({ effects: wrapping.reconfigure(lines(wanted)) }),
    focus: () => view.focus(),
    remove() {
      view.destroy();
      host.remove();
    },
  };
}

/**
 * Shows what is different in `theirs`, line by line: `-` is yours, `+` is theirs.
 *
 * @param {Compared} options
 * @returns {{ remove(): void }}
 */
export function compare({ parent, yours, theirs, label }) {
  const { host, root } = shadow(parent);
  const view = new EditorView({
    parent: root,
    root,
    doc: theirs,
    extensions: [
      javascript, look, lineNumbers(), highlightSpecialChars(),
      EditorState.readOnly.of(true), EditorView.editable.of(false),
      EditorView.lineWrapping,
      EditorView.editorAttributes.of({ class: 'compared' }),
      attributes(label),
      unifiedMergeView({ original: Text.of(yours.split('\n')), mergeControls: false, gutter: false, highlightChanges: false, collapseUnchanged: { margin: 2, minSize: 5 } }),
    ],
  });
  host.addEventListener('keydown', (event) => event.stopPropagation());
  return {
    remove() {
      view.destroy();
      host.remove();
    },
  };
}
