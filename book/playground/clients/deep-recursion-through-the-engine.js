// The same through getters and callbacks of the engine's own.
export function watchPrices() {
  const prices = {
    get last() {
      return [1].map(() => prices.last)[0];
    },
  };
  return prices.last;
}
