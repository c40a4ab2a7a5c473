// The module itself fails.
const element = document.getElementById('prices');
element.textContent = '';
export function watchPrices() {}
