// The module never gives the page back.
for (;;);
export function watchPrices() {}
