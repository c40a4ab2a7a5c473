// The one server there is: a client that asks for another is told so.

import { ORIGIN, host } from './host.js';

const LOCAL = 'use the value itself, without a URL';

/** Schemes that lead to a server, and those that browsers answer by themselves. */
const SERVERS = ['http:', 'https:', 'ws:', 'wss:'];
const LOCAL_SCHEMES = ['about:', 'blob:', 'data:'];

/** Tells the bench that the client asked for another server. */
export const otherServer = (what) => {
  const name = ORIGIN.slice('http://'.length);
  host.absent(what, `the only host is \`${name}\`, by HTTP on port 80; write the path alone, as in '/prices'`);
};

/** Whether a URL leads elsewhere than to the one server. Where a browser would go there, the bench is told `what` did. */
export const isRefused = (url, what) => {
  if (url.origin.replace(/^ws/, 'http') === ORIGIN) return false;
  if (SERVERS.includes(url.protocol)) otherServer(what);
  else if (LOCAL_SCHEMES.includes(url.protocol)) host.absent(what, LOCAL);
  return true;
};

/** A URL in a message, not longer than a line. */
export const short = (url) => (url.length > 60 ? `${url.slice(0, 60)}…` : url);
