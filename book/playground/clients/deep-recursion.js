// Comes back by calling itself.
export function watchPrices(options) {
  return watchPrices({ ...options }) + 1;
}
