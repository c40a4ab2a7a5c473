// Many small things.
export function watchPrices() {
  const kept = [];
  for (;;) kept.push({ symbol: 'BMRI', price: kept.length });
}
