// @ts-check
/**
 * A reader's work on a lab, kept in the browser.
 */

/** A text that is longer is no client, and the browser keeps five million letters for the whole site. */
export const LONGEST = 200_000;

export class Keep {
  #name;
  #available;

  /** @param {string} lab `lab3` */
  constructor(lab) {
    this.#name = `beyond-fetch/${lab}/client.js`;
    this.#available = this.#put(`${this.#name}/probe`, '1') && this.#put(`${this.#name}/probe`, null);
  }

  /** Whether this browser keeps anything: a private window may not. */
  get isAvailable() {
    return this.#available;
  }

  /** What was kept, if anything. @returns {string | null} */
  get text() {
    return this.#get(this.#name);
  }

  /** What stood there before the last reset. @returns {string | null} */
  get before() {
    return this.#get(`${this.#name}/before`);
  }

  /**
   * Keeps a text; null forgets it.
   *
   * @param {string | null} text
   * @returns {boolean} whether it is kept
   */
  keep(text) {
    return this.#put(this.#name, text);
  }

  /** @param {string | null} text */
  keepBefore(text) {
    return this.#put(`${this.#name}/before`, text);
  }

  /**
   * Calls `changed` when another tab has kept something else.
   *
   * @param {(text: string | null) => void} changed
   * @param {AbortSignal} signal
   */
  watch(changed, signal) {
    window.addEventListener('storage', ({ key, newValue }) => {
      if (key === this.#name) changed(newValue);
    }, { signal });
  }

  /** @param {string} name */
  #get(name) {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  }

  /** @param {string} name @param {string | null} text */
  #put(name, text) {
    try {
      if (text === null) localStorage.removeItem(name);
      else localStorage.setItem(name, text);
      return true;
    } catch {
      return false;
    }
  }
}
