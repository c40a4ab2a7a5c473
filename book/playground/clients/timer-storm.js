// A timer that is due as soon as it is set.
export function watchPrices() {
  const again = () => {
    setTimeout(again, 0);
    setTimeout(again, 0);
  };
  again();
}
