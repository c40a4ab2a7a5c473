// @ts-check
/** How many bytes `playground.wasm` has. The build writes the number of its module here; 0: not known. */
export const weight = 0;
