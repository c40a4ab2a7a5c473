// What the grader's page and a real browser must do alike. One ES module that
// both load; `run()` gives the outcome of every check by its name, as JSON.
//
// A check gives what a script can see and nothing else: no times (the browser's
// clock is real), no engine's words (messages differ), no port.

const later = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** What a call throws, or what its promise is rejected with, by name. */
const thrown = async (call) => {
  try {
    await call();
    return 'nothing';
  } catch (error) {
    return error instanceof DOMException ? `DOMException ${error.name}` : (error?.name ?? String(error));
  }
};

/** The next event of a type. */
const next = (target, type) =>
  new Promise((resolve) => target.addEventListener(type, resolve, { once: true }));

const local = (url) => String(url).replaceAll(location.origin, 'ORIGIN').replaceAll(location.host, 'HOST');

const bytes = (...values) => new Uint8Array(values);

const socketUrl = (path) => `ws://${location.host}${path}`;

const echo = async (input, init) => (await fetch(input, init)).json();

/** All chunks of a stream, as they come. */
const collect = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};

export const checks = {
  // ---- events

  'events: listeners run in order, once each': () => {
    const log = [];
    const target = new EventTarget();
    const twice = () => log.push('twice');
    target.addEventListener('x', twice);
    target.addEventListener('x', () => log.push('second'));
    target.addEventListener('x', twice);
    target.addEventListener('x', { handleEvent: (event) => log.push(`object ${event.type}`) });
    log.push(target.dispatchEvent(new Event('x')));
    return log;
  },

  'events: once, signal and removal': () => {
    const log = [];
    const target = new EventTarget();
    const controller = new AbortController();
    const removed = () => log.push('removed');
    target.addEventListener('x', () => log.push('once'), { once: true });
    target.addEventListener('x', () => log.push('until abort'), { signal: controller.signal });
    target.addEventListener('x', () => target.removeEventListener('x', removed));
    target.addEventListener('x', removed);
    target.addEventListener('x', () => log.push('no'), { signal: AbortSignal.abort() });
    target.dispatchEvent(new Event('x'));
    controller.abort();
    target.dispatchEvent(new Event('x'));
    return log;
  },

  'events: a listener added on the way waits': () => {
    const log = [];
    const target = new EventTarget();
    target.addEventListener('x', () => target.addEventListener('x', () => log.push('added')));
    target.dispatchEvent(new Event('x'));
    log.push('first over');
    target.dispatchEvent(new Event('x'));
    return log;
  },

  'events: preventDefault and stopImmediatePropagation': () => {
    const log = [];
    const target = new EventTarget();
    target.addEventListener('x', (event) => event.preventDefault());
    target.addEventListener('x', (event) => event.stopImmediatePropagation());
    target.addEventListener('x', () => log.push('not reached'));
    log.push(target.dispatchEvent(new Event('x', { cancelable: true })));
    log.push(target.dispatchEvent(new Event('x')));
    return log;
  },

  'events: what an event knows': () => {
    const target = new EventTarget();
    const seen = {};
    target.addEventListener('x', function (event) {
      Object.assign(seen, {
        type: event.type,
        isTarget: event.target === target && event.currentTarget === target && this === target,
        isTrusted: event.isTrusted,
        phase: event.eventPhase,
        detail: event.detail,
        path: event.composedPath().length,
      });
    });
    const event = new CustomEvent('x', { detail: { a: 1 }, bubbles: true });
    target.dispatchEvent(event);
    return { ...seen, after: [event.currentTarget, event.eventPhase, event.target === target] };
  },

  'events: an event dispatched twice at once': async () => {
    const target = new EventTarget();
    const event = new Event('x');
    let inner;
    target.addEventListener('x', () => {
      try {
        target.dispatchEvent(event);
      } catch (error) {
        inner = error.name;
      }
    });
    target.dispatchEvent(event);
    return [inner, await thrown(() => target.dispatchEvent({})), await thrown(() => new Event())];
  },

  'events: what a listener throws does not stop the others': async () => {
    const log = [];
    const target = new EventTarget();
    const controller = new AbortController();
    addEventListener(
      'error',
      (event) => {
        log.push(event.error.name);
        event.preventDefault();
      },
      { signal: controller.signal },
    );
    target.addEventListener('x', () => {
      throw new RangeError('x');
    });
    target.addEventListener('x', () => log.push('second'));
    target.dispatchEvent(new Event('x'));
    controller.abort();
    return log;
  },

  'events: a handler attribute keeps its place': async () => {
    const log = [];
    const { signal } = Object.assign(new AbortController());
    signal.onabort = () => log.push('old');
    signal.addEventListener('abort', () => log.push('listener'));
    signal.onabort = () => log.push('new');
    signal.dispatchEvent(new Event('abort'));
    signal.onabort = 'not a function';
    log.push(signal.onabort);
    return log;
  },

  'events: unhandled rejections': async () => {
    const log = [];
    const controller = new AbortController();
    addEventListener(
      'unhandledrejection',
      (event) => {
        log.push([event.type, event.reason.message, event.promise instanceof Promise]);
        event.preventDefault();
      },
      { signal: controller.signal },
    );
    Promise.reject(new Error('why'));
    Promise.reject(new Error('handled in time')).catch(() => {});
    await later(20);
    controller.abort();
    return log;
  },

  'events: event classes and their defaults': () => {
    const message = new MessageEvent('m');
    const close = new CloseEvent('c', { code: 4000, reason: 'r', wasClean: true });
    return [
      [message.data, message.origin, message.lastEventId],
      [close.code, close.reason, close.wasClean, close instanceof Event],
      new CloseEvent('c').code,
      new ErrorEvent('e', { message: 'm' }).message,
      Object.prototype.toString.call(new EventTarget()) !== '',
    ];
  },

  'events: options are read even where there is no listener': () => {
    const read = [];
    const options = {};
    for (const name of ['signal', 'passive', 'once', 'capture']) {
      Object.defineProperty(options, name, { get: () => void read.push(name) });
    }
    new EventTarget().addEventListener('x', null, options);
    return read;
  },

  'events: phases, and the older names of stopping': () => {
    const log = [];
    const target = document.createElement('p');
    document.body.append(target);
    const event = new Event('x', { bubbles: true, cancelable: true });
    document.body.addEventListener('x', () => log.push(event.eventPhase), { capture: true, once: true });
    document.body.addEventListener('x', () => log.push(event.eventPhase), { once: true });
    target.addEventListener('x', () => {
      log.push(event.eventPhase, event.returnValue, event.cancelBubble);
      event.returnValue = false;
    });
    log.push(target.dispatchEvent(event));
    target.addEventListener('y', (event) => (event.cancelBubble = true));
    document.body.addEventListener('y', () => log.push('not reached'), { once: true });
    target.dispatchEvent(new Event('y', { bubbles: true }));
    target.remove();
    return [log, Event.AT_TARGET, event.AT_TARGET, event.CAPTURING_PHASE];
  },

  'events: a rejection that is handled late': async () => {
    const log = [];
    const controller = new AbortController();
    const { signal } = controller;
    addEventListener('unhandledrejection', (event) => (log.push('unhandled'), event.preventDefault()), { signal });
    addEventListener('rejectionhandled', (event) => log.push([event.type, event.reason]), { signal });
    const promise = Promise.reject('why');
    await later(20);
    promise.catch((reason) => log.push(reason));
    await later(20);
    controller.abort();
    return log;
  },

  // ---- timers, tasks, microtasks

  'timers: by delay, then by order': async () => {
    const log = [];
    setTimeout(() => log.push('20'), 20);
    setTimeout(() => log.push('5 a'), 5);
    setTimeout(() => log.push('5 b'), 5);
    setTimeout((...values) => log.push(values), 10, 'with', 'arguments');
    const cleared = setTimeout(() => log.push('cleared'), 1);
    clearTimeout(cleared);
    clearTimeout(undefined);
    await later(50);
    return log;
  },

  'timers: an interval until it is cleared': async () => {
    const log = [];
    const id = setInterval(() => {
      log.push(log.length);
      if (log.length === 3) clearInterval(id);
    }, 2);
    await later(60);
    return [typeof id, log];
  },

  'timers: microtasks before the next task': async () => {
    const log = [];
    setTimeout(() => {
      log.push('timer 1');
      queueMicrotask(() => log.push('microtask of timer 1'));
      Promise.resolve().then(() => log.push('promise of timer 1'));
    }, 1);
    setTimeout(() => log.push('timer 2'), 1);
    queueMicrotask(() => log.push('microtask'));
    log.push('script');
    await later(20);
    return log;
  },

  'timers: no delay, a negative one, and nonsense': async () => {
    const log = [];
    setTimeout(() => log.push('none'));
    setTimeout(() => log.push('negative'), -5);
    setTimeout(() => log.push('nonsense'), 'x');
    await later(20);
    return log;
  },

  'promises: the order of await and then': async () => {
    const log = [];
    const inner = async () => {
      log.push('inner');
      await null;
      log.push('inner after await');
      return 'value';
    };
    const promise = inner().then((value) => log.push(value));
    Promise.resolve()
      .then(() => log.push('then 1'))
      .then(() => log.push('then 2'))
      .then(() => log.push('then 3'));
    log.push('outer');
    await promise;
    return log;
  },

  'promises: combinators': async () => {
    const slow = later(20).then(() => 'slow');
    const bad = Promise.reject(new TypeError('bad'));
    bad.catch(() => {});
    return [
      await Promise.race([slow, later(1).then(() => 'fast')]),
      await Promise.any([bad, slow]),
      (await Promise.allSettled([bad, slow])).map(({ status }) => status),
      await thrown(() => Promise.all([slow, bad])),
      await thrown(() => Promise.any([bad])),
    ];
  },

  // ---- abort

  'abort: reasons': () => {
    const own = new Error('own');
    const controller = new AbortController();
    const { signal } = controller;
    const before = [signal.aborted, signal.reason === undefined];
    controller.abort(own);
    controller.abort(new Error('second'));
    const plain = AbortSignal.abort();
    return [
      before,
      signal.aborted,
      signal.reason === own,
      [plain.reason.name, plain.reason instanceof DOMException, plain.reason.code],
      AbortSignal.abort(null).reason,
    ];
  },

  'abort: throwIfAborted throws the reason itself': async () => {
    const signal = AbortSignal.abort('a string');
    try {
      signal.throwIfAborted();
      return 'nothing';
    } catch (reason) {
      return reason;
    }
  },

  'abort: a timeout': async () => {
    const signal = AbortSignal.timeout(5);
    const early = signal.aborted;
    await next(signal, 'abort');
    return [early, signal.aborted, signal.reason.name];
  },

  'abort: any of several': () => {
    const [one, two] = [new AbortController(), new AbortController()];
    const any = AbortSignal.any([one.signal, two.signal]);
    const log = [];
    any.addEventListener('abort', () => log.push('any'));
    two.signal.addEventListener('abort', () => log.push(`two, and any is aborted: ${any.aborted}`));
    two.abort('two');
    one.abort('one');
    return [log, any.reason, AbortSignal.any([]).aborted, AbortSignal.any([AbortSignal.abort(1)]).reason];
  },

  'abort: nobody makes a signal by hand': () => thrown(() => new AbortSignal()),

  // ---- text

  'text: UTF-8 there and back': () => {
    const encoder = new TextEncoder();
    return [
      [...encoder.encode('aé€😀')],
      [...encoder.encode('\ud800x')],
      new TextDecoder().decode(encoder.encode('aé€😀')),
      encoder.encoding,
      new TextDecoder('UTF8').encoding,
    ];
  },

  'text: invalid bytes': async () => [
    new TextDecoder().decode(bytes(0x61, 0xff, 0x62)),
    new TextDecoder().decode(bytes(0xe2, 0x82)),
    new TextDecoder().decode(bytes(0xf0, 0x9f, 0x41)),
    new TextDecoder().decode(bytes(0xc0, 0x80, 0xed, 0xa0, 0x80)),
    await thrown(() => new TextDecoder('utf-8', { fatal: true }).decode(bytes(0xff))),
  ],

  'text: a byte order mark': () => {
    const marked = bytes(0xef, 0xbb, 0xbf, 0x61);
    return [
      new TextDecoder().decode(marked),
      new TextDecoder('utf-8', { ignoreBOM: true }).decode(marked).length,
    ];
  },

  'text: a stream of pieces': () => {
    const decoder = new TextDecoder();
    return [
      decoder.decode(bytes(0xe2), { stream: true }),
      decoder.decode(bytes(0x82), { stream: true }),
      decoder.decode(bytes(0xac, 0xf0, 0x9f), { stream: true }),
      decoder.decode(),
      decoder.decode(bytes(0x61)),
    ];
  },

  'text: decoder stream': async () => {
    const source = new ReadableStream({
      start(controller) {
        controller.enqueue(bytes(0x63, 0xc3));
        controller.enqueue(bytes(0xa9, 0xf0, 0x9f));
        controller.close();
      },
    });
    return collect(source.pipeThrough(new TextDecoderStream()));
  },

  // ---- URL

  'url: parts': () => {
    const url = new URL('HTTP://user:pa%20ss@Example.COM:8080/a/../b c?q=1&q=2#frag');
    const { href, protocol, username, password, host, hostname, port, pathname, search, hash, origin } = url;
    return { href, protocol, username, password, host, hostname, port, pathname, search, hash, origin };
  },

  'url: relative ones': async () => [
    new URL('../x?y', 'http://a.test/b/c/d').href,
    new URL('//b.test', 'https://a.test/').href,
    new URL('?only', 'http://a.test/p?q#f').href,
    new URL('http://a.test:80/').href,
    local(new URL('/p', location.href)),
    await thrown(() => new URL('/p')),
    URL.canParse('x', 'http://a.test'),
    URL.canParse('http://'),
  ],

  'url: changes': () => {
    const url = new URL('http://a.test/p');
    url.searchParams.append('after', '7');
    url.searchParams.set('s', 'a b&c=é');
    url.hash = 'x y';
    url.port = '99999';
    url.pathname = '/q/é';
    url.protocol = 'https';
    url.search += '&z=1';
    return [url.href, url.searchParams.get('z'), JSON.stringify({ url })];
  },

  'url: search parameters': () => {
    const params = new URLSearchParams('?b=1&a=2&b=3&c=%zz+d');
    const log = [params.get('b'), params.getAll('b'), params.get('no'), params.has('a', '3'), params.get('c')];
    params.delete('a');
    params.sort();
    params.append('é', '&');
    log.push(String(params), params.size, [...params.keys()]);
    log.push(String(new URLSearchParams({ x: 1, y: 'ä' })), String(new URLSearchParams([['p', 'q']])));
    return log;
  },

  // ---- headers

  'headers: names and values': async () => {
    const headers = new Headers({ 'Content-Type': ' text/plain ', 'X-B': '1' });
    headers.append('x-b', '2');
    headers.set('x-a', 'z');
    return [
      headers.get('content-type'),
      headers.get('X-B'),
      headers.get('none'),
      headers.has('x-A'),
      [...headers],
      await thrown(() => headers.set('bad name', '1')),
      await thrown(() => headers.set('x', 'a\nb')),
      await thrown(() => new Headers([['only one']])),
    ];
  },

  'headers: of a request, without the forbidden ones': () => {
    const request = new Request('/x', { headers: { host: 'evil', 'x-a': '1', 'sec-x': '2', origin: 'no' } });
    return [...request.headers];
  },

  'headers: of a response are immutable': async () => {
    const response = await fetch('/headers');
    const { headers } = response;
    return [
      headers.get('x-one'),
      headers.get('x-two'),
      headers.get('etag'),
      await thrown(() => headers.set('x-one', '2')),
    ];
  },

  // ---- requests and responses

  'request: defaults': () => {
    const request = new Request('/a?b#c');
    const { method, redirect, cache, credentials, keepalive, bodyUsed } = request;
    return [local(request.url), method, redirect, cache, credentials, keepalive, bodyUsed, request.body];
  },

  'request: methods and what they may carry': async () => [
    new Request('/', { method: 'post' }).method,
    new Request('/', { method: 'patch' }).method,
    await thrown(() => new Request('/', { method: 'TRACE' })),
    await thrown(() => new Request('/', { method: 'a b' })),
    await thrown(() => new Request('/', { body: 'x' })),
    await thrown(() => new Request('http://u:p@a.test/')),
    await thrown(() => new Request('http://')),
  ],

  'response: made by hand': async () => {
    const response = new Response('é', { status: 201, headers: { 'x-a': '1' } });
    const json = Response.json({ a: [1] }, { status: 202 });
    return [
      [response.status, response.ok, response.type, response.url, response.headers.get('content-type')],
      [...(await response.bytes())],
      response.bodyUsed,
      await thrown(() => response.text()),
      [json.status, json.headers.get('content-type'), await json.json()],
      Response.error().type,
      await thrown(() => new Response('x', { status: 204 })),
      await thrown(() => new Response('x', { status: 99 })),
    ];
  },

  'response: a clone has a body of its own': async () => {
    const response = await fetch('/chunks');
    const clone = response.clone();
    const [one, other] = await Promise.all([response.text(), clone.text()]);
    return [one === other, one.length, await thrown(() => response.clone())];
  },

  // ---- fetch

  'fetch: a status is no error': async () => {
    const log = [];
    for (const code of [200, 404, 500, 304, 204]) {
      const response = await fetch(`/status/${code}`);
      const { status, ok, statusText, redirected, type } = response;
      log.push([status, ok, statusText, redirected, type, (await response.text()).length]);
    }
    return log;
  },

  'fetch: an empty body where there is none': async () => {
    const none = await fetch('/status/204');
    const head = await fetch('/headers', { method: 'HEAD' });
    return [none.body === null, head.status, head.headers.get('x-one'), await head.text()];
  },

  'fetch: what goes out': async () => [
    await echo('/echo?q=1#hash'),
    await echo('/echo', { method: 'POST', body: 'text é' }),
    await echo('/echo', { method: 'POST', body: JSON.stringify({ a: 1 }), headers: { 'Content-Type': 'application/json' } }),
    await echo('/echo', { method: 'PUT', body: new URLSearchParams({ a: 'b c' }) }),
    await echo('/echo', { method: 'DELETE', headers: { accept: 'application/json', 'X-Test': ' spaces around ' } }),
    await echo(new Request('/echo', { method: 'POST', body: bytes(104, 105) })),
  ],

  'fetch: cache modes on the wire': async () => {
    const log = [];
    for (const cache of ['default', 'no-store', 'reload', 'no-cache']) {
      log.push((await echo('/echo', { cache })).headers);
    }
    return log;
  },

  'fetch: redirects': async () => {
    const log = [];
    for (const code of [301, 302, 303, 307, 308]) {
      const response = await fetch(`/redirect/${code}?to=/echo%3Fr`, { method: 'POST', body: 'b' });
      const { method, body, headers } = await response.json();
      log.push([code, response.redirected, local(response.url), method, body, headers['content-type'] ?? null]);
    }
    return log;
  },

  'fetch: redirects that are not followed': async () => {
    const manual = await fetch('/redirect/302', { redirect: 'manual' });
    return [
      [manual.type, manual.status, manual.ok],
      await thrown(() => fetch('/redirect/302', { redirect: 'error' })),
      await thrown(() => fetch('/loop')),
    ];
  },

  'fetch: no such address': async () => [
    await thrown(() => fetch('ftp://nowhere.invalid/')),
    await thrown(() => fetch('http://')),
    await thrown(() => fetch('/echo', { signal: 'no signal' })),
  ],

  'fetch: JSON that is none': async () => {
    const response = await fetch('/headers');
    return thrown(() => response.json());
  },

  'fetch: a body as it comes': async () => {
    const response = await fetch('/chunks');
    const reader = response.body.getReader();
    const locked = [response.body.locked, await thrown(() => response.text())];
    const values = [];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      values.push(...value);
    }
    return [locked, values, response.bodyUsed, await reader.closed.then(() => 'closed')];
  },

  'fetch: a body as text, piece by piece': async () => {
    const response = await fetch('/chunks');
    const pieces = await collect(response.body.pipeThrough(new TextDecoderStream()));
    return pieces.join('');
  },

  'fetch: a large body': async () => {
    const text = await (await fetch('/large')).text();
    return [text.length, text.slice(-3)];
  },

  'fetch: a body that breaks off': async () => {
    const response = await fetch('/broken');
    const reader = response.body.getReader();
    const first = await reader.read();
    return [
      response.status,
      new TextDecoder().decode(first.value),
      await thrown(() => reader.read()),
      await thrown(() => reader.closed),
      await thrown(async () => (await fetch('/broken')).text()),
    ];
  },

  'fetch: aborted before, during and after the head': async () => {
    const before = AbortSignal.abort(new RangeError('own'));
    const during = new AbortController();
    setTimeout(() => during.abort(), 5);
    const after = new AbortController();
    const response = await fetch('/endless', { signal: after.signal });
    const reader = response.body.getReader();
    await reader.read();
    after.abort();
    const done = new AbortController();
    const whole = await fetch('/headers', { signal: done.signal });
    const text = await whole.text();
    done.abort();
    return [
      await thrown(() => fetch('/slow', { signal: before })),
      await thrown(() => fetch('/slow', { signal: during.signal })),
      await thrown(() => reader.read()),
      text,
      await thrown(() => fetch('/slow', { signal: AbortSignal.timeout(5) })),
    ];
  },

  'fetch: a cancelled body': async () => {
    const response = await fetch('/endless');
    const reader = response.body.getReader();
    await reader.read();
    await reader.cancel();
    return [await reader.read(), await thrown(async () => response.text())];
  },

  // ---- streams

  'streams: a source that is pulled': async () => {
    const log = [];
    let count = 0;
    const stream = new ReadableStream(
      {
        start: () => void log.push('start'),
        pull(controller) {
          log.push(`pull ${controller.desiredSize}`);
          controller.enqueue(count++);
          if (count === 3) controller.close();
        },
      },
      { highWaterMark: 2 },
    );
    const reader = stream.getReader();
    await later(5);
    log.push('reading');
    for (let i = 0; i < 4; i++) log.push(await reader.read());
    return log;
  },

  'streams: locks': async () => {
    const stream = new ReadableStream({ start: (controller) => controller.enqueue('a') });
    const reader = stream.getReader();
    const log = [await thrown(() => stream.getReader()), await thrown(() => stream.cancel())];
    reader.releaseLock();
    log.push(stream.locked, await thrown(() => reader.read()), await thrown(() => reader.closed));
    log.push(await stream.getReader().read());
    return log;
  },

  'streams: errors reach whoever reads': async () => {
    let control;
    const stream = new ReadableStream({ start: (controller) => void (control = controller) });
    const reader = stream.getReader();
    const waiting = thrown(() => reader.read());
    control.error(new RangeError('x'));
    return [
      await waiting,
      await thrown(() => reader.closed),
      await thrown(() => control.enqueue(1)),
      control.desiredSize,
    ];
  },

  'streams: leaving a loop cancels': async () => {
    const log = [];
    const stream = new ReadableStream({
      pull: (controller) => controller.enqueue('x'),
      cancel: (reason) => void log.push(['cancelled', reason === undefined]),
    });
    for await (const chunk of stream) {
      log.push(chunk);
      break;
    }
    return [log, stream.locked];
  },

  'streams: tee': async () => {
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(1);
        controller.enqueue(2);
        controller.close();
      },
    });
    const [one, other] = stream.tee();
    return [await collect(one), await collect(other), stream.locked];
  },

  'streams: through a transform, into a sink': async () => {
    const log = [];
    const source = new ReadableStream({
      start(controller) {
        for (const chunk of ['a', 'b', 'c']) controller.enqueue(chunk);
        controller.close();
      },
    });
    const upper = new TransformStream({
      transform: (chunk, controller) => controller.enqueue(chunk.toUpperCase()),
      flush: (controller) => controller.enqueue('end'),
    });
    const sink = new WritableStream({
      write: (chunk) => void log.push(chunk),
      close: () => void log.push('closed'),
    });
    await source.pipeThrough(upper).pipeTo(sink);
    return log;
  },

  'streams: a sink that fails': async () => {
    const log = [];
    const source = new ReadableStream({
      pull: (controller) => controller.enqueue('x'),
      cancel: (reason) => void log.push(`source ${reason.name}`),
    });
    const sink = new WritableStream({
      write() {
        throw new RangeError('full');
      },
    });
    log.push(await thrown(() => source.pipeTo(sink)));
    return log;
  },

  'streams: a writer and its backpressure': async () => {
    const log = [];
    let release;
    const stream = new WritableStream(
      { write: () => new Promise((resolve) => (release = resolve)) },
      { highWaterMark: 2 },
    );
    const writer = stream.getWriter();
    await later(1);
    log.push(writer.desiredSize);
    writer.write('a');
    writer.write('b');
    log.push(writer.desiredSize);
    let isReady = false;
    writer.ready.then(() => (isReady = true));
    await later(1);
    log.push(isReady);
    release();
    await later(1);
    log.push(isReady, writer.desiredSize);
    return log;
  },

  // ---- EventSource

  'event source: the format': async () => {
    const source = new EventSource('/events/format');
    const log = [];
    const see = (event) => log.push([event.type, event.data, event.lastEventId]);
    source.onmessage = see;
    source.addEventListener('named', see);
    source.addEventListener('nothing', see);
    const end = await next(source, 'end');
    source.close();
    return [log, [end.data, end.lastEventId, local(end.origin), end.isTrusted, end.target === source]];
  },

  'event source: its life': async () => {
    const source = new EventSource('/events/format', { withCredentials: true });
    const log = [[source.readyState, local(source.url), source.withCredentials]];
    const open = await next(source, 'open');
    log.push([source.readyState, open instanceof Event, open instanceof MessageEvent]);
    source.close();
    log.push(source.readyState);
    source.close();
    return [log, [EventSource.CONNECTING, EventSource.OPEN, EventSource.CLOSED, source.OPEN]];
  },

  'event source: nothing after close': async () => {
    const source = new EventSource('/events/format');
    const log = [];
    for (const type of ['open', 'message', 'error']) source.addEventListener(type, () => log.push(type));
    await next(source, 'message');
    source.close();
    await later(80);
    return log;
  },

  'event source: goes on where it was, until 204': async () => {
    const source = new EventSource('/events/resume');
    const log = [];
    source.onopen = () => log.push('open');
    source.onmessage = (event) => log.push([event.data, event.lastEventId]);
    await new Promise((resolve) => {
      source.onerror = () => {
        log.push(`error, state ${source.readyState}`);
        if (source.readyState === EventSource.CLOSED) resolve();
      };
    });
    return log;
  },

  'event source: an error status ends it, even on the way back': async () => {
    const source = new EventSource('/events/retry');
    const log = [];
    source.onmessage = (event) => log.push(event.data);
    await new Promise((resolve) => {
      source.onerror = () => {
        log.push(`error, state ${source.readyState}`);
        if (source.readyState === EventSource.CLOSED) resolve();
      };
    });
    return log;
  },

  'event source: what it does not accept': async () => {
    const log = [];
    for (const path of ['/events/type', '/status/204', '/status/404', '/status/500', '/echo']) {
      const source = new EventSource(path);
      await next(source, 'error');
      log.push([path, source.readyState]);
    }
    log.push(await thrown(() => new EventSource('http://')));
    return log;
  },

  'event source: follows redirects': async () => {
    const log = [];
    for (const code of [301, 302, 303, 307, 308]) {
      const source = new EventSource(`/redirect/${code}?to=/events/format`);
      const event = await next(source, 'message');
      log.push([code, event.data, local(source.url)]);
      source.close();
    }
    return log;
  },

  // ---- bodies and streams at their ends

  'dom: elements and text beside others': () => {
    const list = document.createElement('ul');
    const item = (text) => Object.assign(document.createElement('li'), { textContent: text });
    list.append(item('b'));
    const first = list.firstElementChild;
    const placed = first.insertAdjacentElement('beforebegin', item('a'));
    first.insertAdjacentElement('AfterEnd', item('c'));
    first.insertAdjacentText('afterbegin', '<');
    first.insertAdjacentText('beforeend', '>');
    first.className = 'one two';
    first.style.setProperty('margin-top', '1px');
    const names = [];
    first.classList.forEach((name) => names.push(name));
    const copy = list.cloneNode(true);
    first.replaceWith('text');
    list.scrollTop = list.scrollHeight;
    return [
      [placed.textContent, placed.nextSibling.nodeValue, copy.textContent, list.textContent],
      [copy.children[1].className, copy.children[1].nextElementSibling.textContent, copy.children[0].previousElementSibling],
      [first.style.marginTop, first.style.getPropertyValue('margin-top'), names, first.classList.item(2)],
      [list.nodeType, list.lastChild.firstChild.nodeType, list.childNodes[1].nodeType, document.nodeType, list.isConnected],
      [document.getRootNode() === document, first.getRootNode() === first],
    ];
  },

  'dom: a place that is none': () => thrown(() => document.body.insertAdjacentText('inside', 'x')),

  'fetch: an abort when the whole body is there and nobody has read it': async () => {
    const controller = new AbortController();
    const response = await fetch('/headers', { signal: controller.signal });
    await later(60);
    controller.abort();
    return [await thrown(() => response.text()), await thrown(() => response.text())];
  },

  'fetch: an abort when the body has been read': async () => {
    const controller = new AbortController();
    const response = await fetch('/headers', { signal: controller.signal });
    const text = await response.text();
    controller.abort();
    return [text, response.bodyUsed];
  },

  'fetch: a request with a body is sent once': async () => {
    const request = new Request('/echo', { method: 'POST', body: 'once' });
    const copy = request.clone();
    const { body } = await echo(request);
    const other = new Request(copy);
    return [
      [body, request.bodyUsed, copy.bodyUsed, other.bodyUsed],
      await thrown(() => fetch(request)),
      await thrown(() => new Request(request)),
      (await echo(request, { body: 'twice' })).body,
      await other.text(),
    ];
  },

  'fetch: a location that is not escaped': async () =>
    (await (await fetch(`/redirect/302?to=${encodeURIComponent('/echo?q=é')}`)).json()).target,

  'fetch: what has been read stays locked': async () => {
    const outcomes = [];
    for (const response of [new Response('text'), await fetch('/headers')]) {
      await response.text();
      outcomes.push([
        response.bodyUsed,
        response.body.locked,
        await thrown(() => response.body.getReader()),
        await thrown(() => response.text()),
        await thrown(() => response.clone()),
      ]);
    }
    return outcomes;
  },

  'streams: both branches of a tee get the last chunk': async () => {
    let controller;
    const stream = new ReadableStream({ start: (its) => void (controller = its) });
    const branches = stream.tee().map(collect);
    await later(1);
    controller.enqueue('one');
    controller.enqueue('last');
    controller.close();
    return Promise.all(branches);
  },

  'streams: an aborted pipe writes what it has read and no more': async () => {
    const log = [];
    const controller = new AbortController();
    const stream = new ReadableStream({
      start(controller) {
        for (const chunk of ['one', 'two', 'three']) controller.enqueue(chunk);
      },
      cancel: (reason) => void log.push(`cancel ${reason}`),
    });
    const sink = {
      write: (chunk) => (log.push(chunk), later(10)),
      abort: (reason) => void log.push(`abort ${reason}`),
    };
    const piped = stream.pipeTo(new WritableStream(sink), { signal: controller.signal }).catch((reason) => log.push(reason));
    await later(5);
    controller.abort('enough');
    await piped;
    return log;
  },

  'streams: what cannot be piped': async () => {
    const locked = new ReadableStream();
    locked.getReader();
    const writer = new WritableStream();
    writer.getWriter();
    return [
      await thrown(() => locked.pipeThrough(new TransformStream())),
      await thrown(() => new ReadableStream().pipeThrough(new TextDecoder())),
      await thrown(() => new ReadableStream().pipeThrough({ readable: new ReadableStream(), writable: writer })),
      await thrown(() => locked.pipeTo(new WritableStream())),
      await thrown(() => new ReadableStream().pipeTo(new WritableStream(), { signal: {} })),
    ];
  },

  'streams: a transformer that fails at its start': async () => {
    const fail = () => {
      throw new RangeError('start');
    };
    const late = new TransformStream({ start: async () => fail() });
    return [
      await thrown(() => new TransformStream({ start: fail })),
      await thrown(() => late.readable.getReader().read()),
      await thrown(() => late.writable.getWriter().write('chunk')),
    ];
  },

  'streams: a transformer whose reader has gone': async () => {
    const log = [];
    const { readable, writable } = new TransformStream();
    await readable.cancel('gone');
    const writer = writable.getWriter();
    log.push(await writer.write('chunk').catch((reason) => reason), writer.desiredSize);
    return log;
  },

  'streams: an abort while a chunk is being written': async () => {
    const log = [];
    const sink = {
      write: () => later(10),
      abort: (reason) => void log.push(`abort ${reason}`),
    };
    const writer = new WritableStream(sink).getWriter();
    const outcome = (promise) => promise.then(() => 'resolved', (reason) => `rejected: ${reason}`);
    const writes = [outcome(writer.write('one')), outcome(writer.write('two'))];
    await later(1);
    const aborted = outcome(writer.abort('enough'));
    return [log, await Promise.all(writes), await aborted, await outcome(writer.closed), await outcome(writer.ready)];
  },

  'streams: a write that fails and that nobody handles': async () => {
    const log = [];
    const controller = new AbortController();
    addEventListener(
      'unhandledrejection',
      (event) => {
        log.push(event.reason);
        event.preventDefault();
      },
      { signal: controller.signal },
    );
    const writer = new WritableStream({ write: () => Promise.reject('full') }).getWriter();
    writer.write('chunk');
    await later(20);
    controller.abort();
    return log;
  },

  'streams: sizes that are none': async () => {
    const sized = (size) => new ReadableStream({ start: (controller) => controller.enqueue('chunk') }, { size });
    return [
      await thrown(() => sized(() => -1)),
      await thrown(() => sized(() => NaN)),
      await thrown(() => sized('no function')),
      await thrown(() => new WritableStream({}, { highWaterMark: -1 })),
    ];
  },

  'clone: what belongs to the browser is refused': async () => {
    const outcomes = [];
    for (const value of [new Response(), new Headers(), new URL('/', location.href), new ReadableStream(), new Event('x')]) {
      outcomes.push(await thrown(() => structuredClone({ value })));
    }
    return outcomes;
  },

  'url: hosts outside ASCII': () =>
    ['http://Zürich.example/x', 'ws://ZÜRICH.example', '//Z%C3%BCrich.example/', 'http:ZÜ'].map(
      (url) => local(new URL(url, location.href)),
    ),

  // ---- WebSocket

  'web socket: text and bytes': async () => {
    const socket = new WebSocket(socketUrl('/ws/echo'));
    socket.binaryType = 'arraybuffer';
    const log = [[socket.readyState, local(socket.url), socket.binaryType, socket.protocol]];
    await next(socket, 'open');
    log.push(socket.readyState);
    socket.send('text é');
    socket.send(bytes(1, 2, 3).subarray(1));
    socket.send(new Uint16Array([258]).buffer);
    socket.send(7);
    for (let i = 0; i < 4; i++) {
      const event = await next(socket, 'message');
      log.push(typeof event.data === 'string' ? event.data : [...new Uint8Array(event.data)]);
      log.push(local(event.origin));
    }
    socket.close();
    const close = await next(socket, 'close');
    return [log, [close.code, close.reason, close.wasClean, socket.readyState]];
  },

  'web socket: messages of one moment, each in its task': async () => {
    const socket = new WebSocket(socketUrl('/ws/greet'));
    const log = [];
    await new Promise((resolve) => {
      socket.onmessage = (event) => {
        log.push(event.data);
        queueMicrotask(() => log.push('microtask'));
        if (event.data === 'three') setTimeout(resolve, 5);
      };
    });
    socket.close();
    return log;
  },

  'web socket: subprotocols': async () => {
    const socket = new WebSocket(socketUrl('/ws/echo'), ['other', 'chat']);
    await next(socket, 'open');
    const { protocol } = socket;
    socket.close();
    const refused = new WebSocket(socketUrl('/ws/greet'), 'chat');
    const log = [];
    refused.onerror = () => log.push('error');
    const { code } = await next(refused, 'close');
    return [
      protocol,
      log,
      code,
      await thrown(() => new WebSocket(socketUrl('/'), ['a', 'a'])),
      await thrown(() => new WebSocket(socketUrl('/'), 'a b')),
    ];
  },

  'web socket: the server closes': async () => {
    const log = [];
    for (const query of ['?code=1000', '?code=1001&reason=bye', '?code=4321&reason=%C3%A9', '?code=1011', '']) {
      const socket = new WebSocket(socketUrl(`/ws/close${query}`));
      const errors = [];
      socket.onerror = () => errors.push('error');
      const { code, reason, wasClean } = await next(socket, 'close');
      log.push([query, code, reason, wasClean, errors, socket.readyState]);
    }
    return log;
  },

  'web socket: the client closes': async () => {
    const log = [];
    for (const values of [[], [1000], [3000, 'é'], [4999, 'x'.repeat(123)]]) {
      const socket = new WebSocket(socketUrl('/ws/echo'));
      await next(socket, 'open');
      socket.close(...values);
      const state = socket.readyState;
      socket.close(1000, 'a second one changes nothing');
      const { code, reason, wasClean } = await next(socket, 'close');
      log.push([state, code, reason.length, wasClean]);
    }
    return log;
  },

  'web socket: a line that is lost': async () => {
    const socket = new WebSocket(socketUrl('/ws/drop'));
    const log = [];
    socket.onopen = () => log.push('open');
    socket.onerror = () => log.push('error');
    const { code, reason, wasClean } = await next(socket, 'close');
    return [log, code, reason, wasClean];
  },

  'web socket: a handshake that fails': async () => {
    const log = [];
    for (const url of [socketUrl('/status/403'), socketUrl('/echo')]) {
      const socket = new WebSocket(url);
      const events = [];
      socket.onopen = () => events.push('open');
      socket.onerror = () => events.push(`error, state ${socket.readyState}`);
      const { code, wasClean } = await next(socket, 'close');
      log.push([events, code, wasClean]);
    }
    return log;
  },

  'web socket: closed before it opened': async () => {
    const socket = new WebSocket(socketUrl('/ws/echo'));
    const log = [];
    socket.onopen = () => log.push('open');
    socket.onerror = () => log.push('error');
    socket.close();
    log.push(socket.readyState);
    const { code, wasClean } = await next(socket, 'close');
    return [log, code, wasClean];
  },

  'web socket: sending too early and too late': async () => {
    const socket = new WebSocket(socketUrl('/ws/echo'));
    const early = await thrown(() => socket.send('x'));
    await next(socket, 'open');
    socket.close();
    socket.send('é');
    const closing = socket.bufferedAmount;
    await next(socket, 'close');
    socket.send(bytes(1, 2, 3));
    return [early, closing, socket.bufferedAmount];
  },

  'web socket: what is buffered': async () => {
    const socket = new WebSocket(socketUrl('/ws/echo'));
    await next(socket, 'open');
    const before = socket.bufferedAmount;
    socket.send('é'.repeat(10));
    const after = socket.bufferedAmount;
    await next(socket, 'message');
    const { bufferedAmount } = socket;
    socket.close();
    return [before, after, bufferedAmount];
  },

  'web socket: addresses and close codes it refuses': async () => {
    const socket = new WebSocket(socketUrl('/ws/echo'));
    await next(socket, 'open');
    const log = [];
    for (const code of [999, 1001, 1005, 1006, 2999, 5000, 'x']) {
      log.push(await thrown(() => socket.close(code)));
    }
    log.push(await thrown(() => socket.close(1000, 'é'.repeat(62))));
    socket.close();
    log.push(await thrown(() => new WebSocket('ftp://a.test/')));
    log.push(await thrown(() => new WebSocket('ws://a.test/#x')));
    log.push(await thrown(() => new WebSocket('http://[')));
    const relative = new WebSocket('/ws/echo');
    log.push(local(relative.url));
    relative.close();
    return log;
  },

  // ---- odds and ends

  'structuredClone: copies': () => {
    const original = {
      date: new Date(86400000),
      map: new Map([['k', { deep: 1 }]]),
      set: new Set([1, 'a']),
      bytes: bytes(1, 2),
      regexp: /a+/gi,
      list: [1, , 3],
      none: undefined,
      big: 10n,
    };
    original.self = original;
    const copy = structuredClone(original);
    return [
      copy !== original && copy.self === copy,
      copy.date.getTime(),
      [...copy.map],
      [...copy.set],
      [...copy.bytes],
      String(copy.regexp),
      1 in copy.list,
      'none' in copy,
      String(copy.big),
    ];
  },

  'structuredClone: errors and classes': () => {
    const error = structuredClone(new RangeError('m', { cause: 1 }));
    class Own {
      a = 1;
      get b() {
        return 2;
      }
    }
    const own = structuredClone(new Own());
    return [error instanceof RangeError, error.name, error.message, own, own instanceof Own];
  },

  'structuredClone: what cannot be cloned': async () => [
    await thrown(() => structuredClone(() => {})),
    await thrown(() => structuredClone({ a: Symbol('x') })),
    await thrown(() => structuredClone(new EventTarget())),
    await thrown(() => structuredClone(Promise.resolve())),
    await thrown(() => structuredClone(new WeakMap())),
  ],

  'base64: there and back': async () => [
    btoa('hello'),
    atob('aGVsbG8='),
    await thrown(() => btoa('é€')),
    await thrown(() => atob('*')),
  ],

  'document: elements and text': () => {
    const list = document.createElement('UL');
    const item = document.createElement('li');
    item.textContent = '<b>& text';
    item.className = 'a b';
    item.classList.add('c', 'a');
    item.classList.remove('b');
    item.dataset.someKey = 'v';
    list.append('first', item);
    list.prepend(document.createTextNode('zero'));
    return [
      list.tagName,
      list.textContent,
      list.childNodes.length,
      list.children.length,
      item.parentNode === list,
      item.className,
      item.getAttribute('data-some-key'),
      item.matches('li.c'),
      item.classList.toggle('c'),
      list.querySelector('.a') === item,
      (item.remove(), list.textContent),
      (list.replaceChildren('only'), list.textContent),
    ];
  },

  'document: what is no element, and belongs nowhere': async () => [
    await thrown(() => document.createElement()),
    await thrown(() => document.createElement('')),
    await thrown(() => document.createElement('<b>')),
    await thrown(() => document.createElement('a b')),
    document.createElement('my-price').tagName,
    await thrown(() => document.createElement('p').append(document)),
  ],

  'document: events go up': () => {
    const log = [];
    const outer = document.createElement('div');
    const inner = document.createElement('button');
    outer.append(inner);
    outer.addEventListener('click', (event) => log.push(`outer, target is inner: ${event.target === inner}`));
    outer.addEventListener('click', () => log.push('outer, capturing'), { capture: true });
    inner.onclick = () => log.push('inner');
    inner.click();
    inner.addEventListener('click', (event) => event.stopPropagation());
    inner.click();
    return log;
  },

  'document: what is there from the start': () => [
    document.visibilityState,
    document.hidden,
    typeof navigator.onLine,
    document.getElementById('nobody'),
    window === globalThis && self === window,
    typeof performance.now(),
    Math.random() < 1,
    new Date(0).toISOString(),
  ],

  'crypto: an id': () =>
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(crypto.randomUUID()),
};

/** How long a check may take before it counts as stuck. */
const PATIENCE = 10_000;

/** Runs all checks, one after the other: their outcomes by name. */
export const run = async () => {
  const outcomes = {};
  for (const [name, check] of Object.entries(checks)) {
    try {
      const stuck = later(PATIENCE).then(() => 'stuck');
      outcomes[name] = (await Promise.race([check(), stuck])) ?? null;
    } catch (error) {
      outcomes[name] = `threw ${error?.name}: ${error?.message}`;
    }
  }
  return outcomes;
};
