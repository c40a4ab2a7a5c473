// The console: lines for the messages of a failed check.

import { host, text, withoutOwnFrames } from './host.js';

const MAX_DEPTH = 3;
const MAX_ITEMS = 50;

const show = (value, depth = 0, seen = []) => {
  switch (typeof value) {
    case 'string':
      return depth === 0 ? value : JSON.stringify(value);
    case 'bigint':
      return `${value}n`;
    case 'function':
      return `[function ${value.name || 'anonymous'}]`;
    case 'object':
      break;
    default:
      return String(value);
  }
  if (value === null) return 'null';
  if (value instanceof Error || value instanceof DOMException) return `${value.name}: ${value.message}`;
  if (seen.includes(value)) return '[circular]';
  const name = value.constructor?.name;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (value instanceof ArrayBuffer) return `ArrayBuffer(${value.byteLength})`;
  if (depth > MAX_DEPTH) return Array.isArray(value) ? '[…]' : '{…}';
  const inside = [...seen, value];
  const list = (items) => {
    const shown = items.slice(0, MAX_ITEMS);
    if (items.length > MAX_ITEMS) shown.push(`… ${items.length - MAX_ITEMS} more`);
    return shown.join(', ');
  };
  const inner = (item) => show(item, depth + 1, inside);
  if (Array.isArray(value)) return `[${list(value.slice(0, MAX_ITEMS + 1).map(inner))}]`;
  if (ArrayBuffer.isView(value)) {
    return `${name}(${value.byteLength}) [${list([...(value.subarray?.(0, MAX_ITEMS + 1) ?? [])])}]`;
  }
  if (value instanceof Map) {
    return `Map {${list([...value].map(([key, item]) => `${inner(key)} => ${inner(item)}`))}}`;
  }
  if (value instanceof Set) return `Set {${list([...value].map(inner))}}`;
  const entries = Object.entries(value).map(([key, item]) => `${key}: ${inner(item)}`);
  const label = name && name !== 'Object' ? `${name} ` : '';
  return entries.length === 0 ? `${label}{}` : `${label}{ ${list(entries)} }`;
};

/** Values as one line, with the console's `%s`-like directives. */
const format = (values) => {
  const [first, ...rest] = values;
  if (typeof first !== 'string' || !first.includes('%')) return values.map((v) => show(v)).join(' ');
  const line = first.replace(/%([sdifoOc%])/g, (directive, kind) => {
    if (kind === '%') return '%';
    if (rest.length === 0) return directive;
    const value = rest.shift();
    switch (kind) {
      case 'c':
        return '';
      case 'd':
      case 'i':
        return String(Math.trunc(Number(value)));
      case 'f':
        return String(Number(value));
      default:
        return show(value, kind === 's' ? 0 : 1);
    }
  });
  return [line, ...rest.map((value) => show(value))].join(' ');
};

let indentation = '';
const write = (level, values) => {
  const prefix = level === 'log' ? '' : `${level}: `;
  host.log(withoutOwnFrames(text(indentation + prefix + format(values))));
};

const counts = new Map();
const times = new Map();

export const console = {
  log: (...values) => write('log', values),
  info: (...values) => write('info', values),
  debug: (...values) => write('debug', values),
  warn: (...values) => write('warn', values),
  error: (...values) => write('error', values),
  dir: (value) => write('log', [value]),
  table: (value) => write('log', [value]),
  trace: (...values) => write('trace', values),
  assert: (holds, ...values) => {
    if (!holds) write('error', ['Assertion failed:', ...values]);
  },
  count: (label = 'default') => {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    write('log', [`${label}: ${counts.get(label)}`]);
  },
  countReset: (label = 'default') => counts.delete(label),
  time: (label = 'default') => times.set(label, host.sinceOpened()),
  timeEnd: (label = 'default') => {
    if (times.has(label)) write('log', [`${label}: ${host.sinceOpened() - times.get(label)} ms`]);
    times.delete(label);
  },
  group: (...values) => {
    if (values.length > 0) write('log', values);
    indentation += '  ';
  },
  groupEnd: () => {
    indentation = indentation.slice(2);
  },
  clear: () => {},
};
console.timeLog = (label = 'default') =>
  write('log', [`${label}: ${host.sinceOpened() - (times.get(label) ?? host.sinceOpened())} ms`]);
console.groupCollapsed = console.group;
