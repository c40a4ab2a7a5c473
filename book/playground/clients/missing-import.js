// There is no such file.
import { backoff } from './backoff.js';
export function watchPrices() {
  backoff();
}
