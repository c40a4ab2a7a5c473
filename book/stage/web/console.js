// The console: the wire of the connection that is watched.

import { follow, teller } from './wire.js';

const panel = /** @type {HTMLElement} */ (document.querySelector('.stage-wire'));
follow(panel, '/instructor/wire', teller(/** @type {HTMLElement} */ (document.getElementById('wire-said'))));
