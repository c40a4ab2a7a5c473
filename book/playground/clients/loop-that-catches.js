// A loop that would catch being stopped.
export function watchPrices() {
  for (;;) {
    try {
      for (;;);
    } catch {}
  }
}
