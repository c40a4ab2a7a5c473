// The way out: what the bench offers the prelude. Clients never see it.

export const host = globalThis.__host;
delete globalThis.__host;

/** The page's origin. */
export const ORIGIN = host.origin;

/** Where relative URLs start from. */
export const BASE_URL = `${host.origin}/`;

let ids = 0;

/** A number that names a timer, a request or a socket. */
export const nextId = () => ++ids;

/** A string as the platform passes it on: without lone surrogates (Infra, USVString). */
export const text = (value) => String(value).toWellFormed();

/**
 * Calls a function of the client's; what it throws is reported, as a browser
 * reports an exception, and does not reach the caller.
 */
export const guarded = (callback, self, ...values) => {
  try {
    return Reflect.apply(callback, self, values);
  } catch (error) {
    report(error);
  }
};

let onError = () => false;

/** Who hears of an exception first (`window`'s `error` event); true if it is dealt with. */
export const setErrorListener = (listener) => {
  onError = listener;
};

let isReporting = false;

/** Reports an exception that nothing caught (HTML § 8.1.4.6). */
export const report = (error) => {
  if (isReporting) {
    host.report(error);
    return;
  }
  isReporting = true;
  try {
    if (!onError(error)) host.report(error);
  } finally {
    isReporting = false;
  }
};

const asked = new WeakMap();

/** Keeps where the client asked (the stack of `error`) for what fails with a reason that was made elsewhere. */
export const keepPlace = (reason, error) => {
  if (Object(reason) === reason) asked.set(reason, error.stack);
};

/** Where the client asked for what failed with this reason, as a stack. */
export const placeOf = (reason) => asked.get(reason) ?? '';

// Room for the prelude's own frames beside the client's.
Error.stackTraceLimit = 30;

/** Frames of the prelude are nobody's business: printed traces are shown without them. */
export const withoutOwnFrames = (printed) => printed.replace(/\n? +at [^\n]*\(?grader:[^\n]*/g, '');
