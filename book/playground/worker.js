// @ts-check
/**
 * The bench's own thread. `playground.js` is the other side: it sends the
 * compiled module first, then one question at a time.
 */
import { Lasting, Refused } from './bench.js';

/** @typedef {import('./bench.js').Asked} Asked */
/**
 * @typedef {{ module: WebAssembly.Module } | Asked} Question the module comes first
 * @typedef {{ answer: unknown } | { refused: string } | { trap: string }} Answer
 */

/** @type {Lasting | undefined} */
let bench;

addEventListener('message', async (/** @type {MessageEvent<Question>} */ { data }) => {
  postMessage(await answer(data));
});

/**
 * @param {Question} question
 * @returns {Promise<Answer>}
 */
async function answer(question) {
  try {
    if ('module' in question) {
      bench = new Lasting(question.module);
      return { answer: await bench.ready() };
    }
    if (!bench) throw new Error('The bench was asked before it had its module.');
    return { answer: await bench.ask(question) };
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    return error instanceof Refused ? { refused: words } : { trap: words };
  }
}
