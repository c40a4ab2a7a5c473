// Serves a built site as a web host does: files as they are, compressed once, below a folder of the host.
import { createServer } from 'node:http';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { extname, join, sep } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';

/** @type {Record<string, string>} */
const KINDS = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.xml': 'application/xml',
  '.txt': 'text/plain; charset=utf-8',
};
const COMPRESSED = /^(text\/|application\/|image\/svg)/;

/** Every file below a folder, by its path there with `/` between the parts. @param {string} folder */
export function files(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .map((name) => name.split(sep).join('/'));
}

/**
 * Serves `folder` at `http://127.0.0.1:PORT/BASE/` until closed; each file is compressed when first asked for.
 * @param {string} folder
 * @param {string} base
 */
export async function serve(folder, base) {
  const known = new Set(files(folder));
  /** @type {Map<string, Buffer>} */
  const made = new Map();
  const server = createServer((request, response) => {
    let path = decodeURIComponent(new URL(request.url ?? '/', 'http://host').pathname);
    path = path.startsWith(`/${base}/`) ? path.slice(base.length + 2) : '\0';
    if (path === '' || path.endsWith('/')) path += 'index.html';
    const found = known.has(path);
    if (!found) path = '404.html';
    if (!known.has(path)) return void response.writeHead(404).end();
    const kind = KINDS[extname(path)] ?? 'application/octet-stream';
    const takes = String(request.headers['accept-encoding'] ?? '');
    const coding = !COMPRESSED.test(kind) ? '' : /\bbr\b/.test(takes) ? 'br' : /\bgzip\b/.test(takes) ? 'gzip' : '';
    const key = `${coding} ${path}`;
    let body = made.get(key);
    if (!body) {
      body = readFileSync(join(folder, path));
      if (coding === 'br') body = brotliCompressSync(body);
      if (coding === 'gzip') body = gzipSync(body);
      made.set(key, body);
    }
    response.writeHead(found ? 200 : 404, {
      'content-type': kind,
      'content-length': body.length,
      // What GitHub Pages says of every file.
      'cache-control': 'max-age=600',
      vary: 'accept-encoding',
      ...(coding && { 'content-encoding': coding }),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return { url: `http://127.0.0.1:${port}/${base}/`, close: () => server.close() };
}
