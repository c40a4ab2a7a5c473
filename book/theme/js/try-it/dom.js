// @ts-check
/**
 * What the parts of the lab in the page are made of.
 */

/** @typedef {string | Node | null | undefined | false} Child nothing is left out */

/**
 * An element. Attributes that are `false` or nothing are left out, `true` stands without a value, a function is called
 * on the event of its name.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number | boolean | null | undefined | ((event: Event) => void)>} [attributes]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/**
 * A button.
 *
 * @param {string} words
 * @param {(event: Event) => void} does
 * @param {Record<string, string | boolean>} [attributes]
 */
export const button = (words, does, attributes = {}) => el('button', { type: 'button', click: does, ...attributes }, words);

/**
 * An element with HTML in it that the bench wrote, which escapes what is not its own.
 *
 * @param {string} name its class
 * @param {string} html
 */
export function drawn(name, html) {
  const place = el('div', { class: name });
  place.innerHTML = html;
  return place;
}

/** Words in which `backticks` mark code. @param {string} text */
export const words = (text) => text.split('`').map((part, index) => (index % 2 === 1 ? el('code', {}, part) : part));

/** A number, its digits in groups of three. @param {number} number */
export const grouped = (number) => String(Math.round(number)).replace(/\B(?=(\d{3})+$)/g, '\u00a0');
