// The module fails later, at its top-level await.
await Promise.resolve();
throw new TypeError('no market');
export function watchPrices() {}
