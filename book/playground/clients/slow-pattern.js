// A pattern that tries everything.
export function watchPrices() {
  /^(a+)+$/.test(`${'a'.repeat(40)}!`);
}
