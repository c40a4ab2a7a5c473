// What the parts of the static site weigh, as they travel (brotli; 1 KB is 1,000 bytes).
//
//     node .ci/weights.mjs SITE
//
// SITE is what `cargo stage build --out SITE` wrote. Ends with an error when a part is over its limit, or missing.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { files } from './serve.mjs';

const [site] = process.argv.slice(2);
if (!site) {
  console.error('usage: node .ci/weights.mjs SITE');
  process.exit(2);
}
const all = files(site);
const weigh = (/** @type {string} */ file) => brotliCompressSync(readFileSync(join(site, file))).length;
const sum = (/** @type {string[]} */ names) => names.reduce((total, name) => total + weigh(name), 0);

/** What a page loads before anything comes to life: itself, its style and its scripts. @param {string} page */
function loaded(page) {
  const html = readFileSync(join(site, page), 'utf8');
  const named = html.matchAll(/<(?:link rel="stylesheet" href|script src)="([^"]+)"/g);
  return [page, ...[...named].map(([, file = '']) => join(dirname(page), file))];
}

const pages = all.filter((name) => /^[a-z]+\/[^/]+\.html$/.test(name) && !/\/(print|404)\.html$/.test(name));
const heaviest = pages
  .map((page) => ({ page, bytes: sum(loaded(page)) }))
  .reduce((a, b) => (a.bytes > b.bytes ? a : b), { page: '', bytes: 0 });

/** @type {[part: string, bytes: number, limit: number][]} */
const parts = [
  [`the heaviest page, ${heaviest.page}, with style and scripts`, heaviest.bytes, 100_000],
  ['the widgets, script and module', sum(all.filter((name) => /^widgets-\w+\.(js|wasm)$/.test(name))), 60_000],
  ['the editor', sum(all.filter((name) => /^editor-\w+\.js$/.test(name))), 120_000],
  // It should have 700 KB. Since its checks are drawn and swept it has 156 too many: to be cut into one module for each lab.
  ['the bench, its module (700 is the goal)', sum(all.filter((name) => /^playground-\w+\/playground\.wasm$/.test(name))), 860_000],
];
let wrong = 0;
for (const [part, bytes, limit] of parts) {
  const good = bytes > 0 && bytes <= limit;
  if (!good) wrong += 1;
  const weight = bytes === 0 ? 'not there' : `${(bytes / 1000).toFixed(1)} KB`;
  console.log(`${weight.padStart(9)}  of ${String(limit / 1000).padStart(3)} KB  ${part}${good ? '' : '  ← missed'}`);
}
if (wrong > 0) console.error(`${wrong} of the parts are missing or over their limits.`);
process.exitCode = wrong > 0 ? 1 : 0;
