// @ts-check
/**
 * Asks the page's module everything that the native bench was asked, and
 * compares the answers: verdicts, words, transcripts, runs.
 *
 *     node book/playground/compare.mjs playground.wasm [native.json]
 *     node book/playground/compare.mjs --in chromium playground.wasm [native.json]
 *
 * The first asks in Node, the second in a browser (Chromium or Firefox), in
 * the Worker and through the scripts that the book's pages use.
 *
 * `native.json` is what `cargo run -p playground --example native-verdicts`
 * prints; without it, that is run. The last line is `N passed, N failed`.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

import { Lasting } from './bench.js';
import { compare } from './compare.js';

/** @typedef {import('./compare.js').Native} Native */
/** @typedef {Awaited<ReturnType<typeof compare>>} Counts */

const here = fileURLToPath(new URL('.', import.meta.url));
/** How often a browser opens the bench, to see how long that takes. */
const OPENED = 7;
/** A browser that says nothing for so long, in milliseconds, says nothing any more. */
const PATIENCE = 5 * 60_000;

async function main() {
  const { values, positionals } = parseArgs({ options: { in: { type: 'string' } }, allowPositionals: true });
  const [path, answers, ...more] = positionals;
  if (!path || more.length > 0) {
    console.error('usage: node book/playground/compare.mjs [--in BROWSER] playground.wasm [native.json]');
    process.exit(2);
  }
  const bytes = readFileSync(path);
  const brotli = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
  console.log(`module          ${size(bytes)} · gzip -9 ${size(gzipSync(bytes, { level: 9 }))} · brotli ${size(brotli)}`);
  const expected = native(answers);
  const { passed, failed, traps } = values.in ? await inBrowser(values.in, bytes, expected) : await inNode(bytes, expected);
  console.log(`\n${traps} instances came to an end.\n\n${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
}

/**
 * @param {string | undefined} path
 * @returns {string}
 */
function native(path) {
  if (path) return readFileSync(path, 'utf8');
  const cargo = ['run', '--quiet', '--package', 'playground', '--example', 'native-verdicts'];
  const ran = spawnSync('cargo', cargo, { cwd: here, stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 30 });
  if (ran.status !== 0) throw new Error(`cargo ${cargo.join(' ')} failed.`);
  return ran.stdout.toString();
}

/**
 * @param {Buffer} bytes
 * @param {string} expected
 */
async function inNode(bytes, expected) {
  let began = performance.now();
  const module = await WebAssembly.compile(/** @type {BufferSource} */ (bytes));
  const compiled = performance.now() - began;
  const bench = new Lasting(module);
  began = performance.now();
  await bench.ready();
  console.log(`compiled in     ${compiled.toFixed(0)} ms, started in ${(performance.now() - began).toFixed(1)} ms`);
  /** @param {import('./bench.js').Asked['call']} call */
  const asks = (call) => (/** @type {any[]} */ ...values) => /** @type {Promise<any>} */ (bench.ask({ call, values }));
  const asked = {
    list: asks('list'),
    check: asks('check'),
    play: asks('play'),
    open: asks('open'),
    step: asks('step'),
    command: asks('command'),
    close: asks('close'),
    cost: asks('cost'),
  };
  return compare(asked, JSON.parse(expected), (line) => console.log(line));
}

/**
 * Has a browser open `compare-page.js` and passes on what it says.
 *
 * @param {string} browser its command
 * @param {Buffer} bytes
 * @param {string} expected
 * @returns {Promise<Counts>}
 */
async function inBrowser(browser, bytes, expected) {
  /** What is not a script of this folder. @type {Record<string, [string, string | Buffer]>} */
  const files = {
    '/': ['text/html', '<!doctype html><title>The comparison</title><script type="module" src="compare-page.js"></script>'],
    '/favicon.ico': ['image/x-icon', ''],
    '/native.json': ['application/json', expected],
    '/playground.wasm': ['application/wasm', bytes],
    '/weight.js': ['text/javascript', `export const weight = ${bytes.length};`],
  };
  const profile = mkdtempSync(join(tmpdir(), 'compare-'));
  /** @type {number[]} */
  const opened = [];
  /** @type {import('node:child_process').ChildProcess | undefined} */
  let running;
  /** @type {NodeJS.Timeout | undefined} */
  let watch;
  const server = createServer();
  try {
    return await new Promise((resolve, reject) => {
      const heard = () => {
        clearTimeout(watch);
        watch = setTimeout(() => reject(new Error(`${browser} has said nothing for five minutes.`)), PATIENCE);
      };
      server.on('request', async (request, response) => {
        heard();
        const { pathname } = new URL(request.url ?? '/', 'http://localhost');
        if (request.method === 'POST') {
          let body = '';
          for await (const chunk of request.setEncoding('utf8')) body += chunk;
          response.writeHead(204).end();
          const value = JSON.parse(body);
          if (pathname === '/line') console.log(value);
          if (pathname === '/opened') opened.push(value);
          if (pathname === '/end') 'error' in value ? reject(new Error(value.error)) : resolve(value);
          return;
        }
        const [type, content] = files[pathname] ?? script(pathname) ?? [];
        // No copy is kept: each page fetches anew.
        response.writeHead(type ? 200 : 404, { 'content-type': type ?? 'text/plain', 'cache-control': 'no-store' });
        response.end(content);
      });
      server.listen(0, '127.0.0.1', () => {
        const address = /** @type {import('node:net').AddressInfo} */ (server.address());
        const url = `http://127.0.0.1:${address.port}/?${OPENED}`;
        const flags = /firefox/.test(browser)
          ? ['--headless', '--no-remote', '--profile', profile, url]
          : ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', `--user-data-dir=${profile}`, url];
        heard();
        running = spawn(browser, flags, { stdio: 'ignore' });
        running.on('error', (error) => reject(new Error(`${browser} cannot be started: ${error.message}.`)));
        running.on('exit', () => reject(new Error(`${browser} ended before the comparison did.`)));
      });
    });
  } finally {
    clearTimeout(watch);
    running?.removeAllListeners('exit').kill();
    server.close();
    server.closeAllConnections();
    if (running && running.exitCode === null) await new Promise((ended) => running?.once('exit', ended));
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    opened.sort((a, b) => a - b);
    const [least, middle, most] = [opened[0], opened[opened.length >> 1], opened.at(-1)].map((ms) => ms?.toFixed(0));
    console.log(`\nfetched, compiled and ready ${opened.length} times: in ${least} to ${most} ms, ${middle} in the middle`);
  }
}

/**
 * A script of this folder, and nothing else.
 *
 * @param {string} pathname
 * @returns {[string, Buffer] | undefined}
 */
function script(pathname) {
  return /^\/[\w-]+\.js$/.test(pathname) ? ['text/javascript', readFileSync(join(here, pathname))] : undefined;
}

/** @param {Buffer} bytes */
const size = ({ length }) => (length < 1 << 20 ? `${length} bytes` : `${(length / (1 << 20)).toFixed(2)} MiB`);

await main();
