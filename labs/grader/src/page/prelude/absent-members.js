// Members that every browser has and this page lacks, by the object they belong to. They are found as in a browser (a
// method has the type of a function, `'animate' in element` is true), and whoever uses one is told its name.
//
// Each list is a hint, and the names for which it holds; a method's name ends in brackets.

import { standIn, use } from './absent.js';

const GENERAL = 'the labs do without it';
const BUILD = 'build elements with document.createElement and append them';
const MARKUP = 'use textContent and append; what other people wrote must never become HTML';
const LAYOUT = 'the grader lays nothing out';
const SELECT = 'use querySelector or querySelectorAll';

const NODE = [
  [
    GENERAL,
    'appendData() compareDocumentPosition() deleteData() insertData() isDefaultNamespace() isEqualNode() isSameNode() lookupNamespaceURI() lookupPrefix() normalize() replaceData() splitText() substringData() wholeText',
  ],
  ['use document', 'ownerDocument'],
];

const ELEMENT = [
  [MARKUP, 'innerHTML outerHTML insertAdjacentHTML() setHTMLUnsafe() getHTML()'],
  [
    LAYOUT,
    'checkVisibility() clientLeft clientTop computedStyleMap() getBoundingClientRect() getClientRects() offsetLeft offsetParent offsetTop',
  ],
  [SELECT, 'getElementsByClassName() getElementsByTagName() getElementsByTagNameNS() elements namedItem()'],
  ['set a class instead', 'animate() getAnimations() attributeStyleMap'],
  ['use elements without a shadow', 'assignedSlot attachInternals() attachShadow() content shadowRoot'],
  [
    'use getAttribute and setAttribute',
    'attributes getAttributeNS() getAttributeNode() hasAttributeNS() removeAttributeNS() removeAttributeNode() setAttributeNS() setAttributeNode()',
  ],
  [
    BUILD,
    'createCaption() createTBody() createTFoot() createTHead() deleteCell() deleteRow() insertCell() insertRow() cells rows tBodies tHead',
  ],
  [
    'listen to its events instead',
    'checkValidity() form labels reportValidity() requestSubmit() reset() select() selectedIndex selectedOptions selectionEnd selectionStart setCustomValidity() setRangeText() setSelectionRange() showPicker() stepDown() stepUp() submit() validationMessage validity valueAsDate valueAsNumber willValidate',
  ],
  [
    'hide and show it with `hidden`',
    'close() hidePopover() requestFullscreen() show() showModal() showPopover() togglePopover()',
  ],
  [
    GENERAL,
    'canPlayType() getContext() toDataURL() hasPointerCapture() load() moveBefore() pause() play() releasePointerCapture() requestPointerLock() setPointerCapture() webkitMatchesSelector()',
  ],
];

const DOCUMENT = [
  ['keep it in a variable', 'cookie hasStorageAccess() requestStorageAccess()'],
  ['use append', 'close() open() write() writeln() execCommand()'],
  [SELECT, 'anchors embeds forms getElementsByName() images links scripts elementFromPoint() elementsFromPoint() evaluate()'],
  [BUILD, 'adoptNode() createAttribute() createCDATASection() createComment() createElementNS() importNode() implementation'],
  ['use `new Event(…)`', 'createEvent()'],
  [
    GENERAL,
    'adoptedStyleSheets createNodeIterator() createRange() createTreeWalker() exitFullscreen() exitPointerLock() fonts fullscreenElement getSelection() pointerLockElement scrollingElement startViewTransition() styleSheets',
  ],
];

const PERFORMANCE = [
  [
    'use performance.now()',
    'clearMarks() clearMeasures() clearResourceTimings() eventCounts getEntries() getEntriesByName() getEntriesByType() mark() measure() navigation setResourceTimingBufferSize() timing',
  ],
];

const NAVIGATOR = [
  ['use fetch with keepalive: true', 'sendBeacon()'],
  ['keep it in a variable', 'locks storage'],
  [
    GENERAL,
    'appCodeName appName appVersion canShare() clipboard credentials geolocation getGamepads() javaEnabled() maxTouchPoints mediaCapabilities mediaDevices mediaSession mimeTypes pdfViewerEnabled permissions platform plugins product registerProtocolHandler() serviceWorker share() vendor wakeLock webdriver',
  ],
];

const CRYPTO = [['the labs encrypt nothing', 'subtle']];

const REQUEST = [[GENERAL, 'duplex integrity isHistoryNavigation isReloadNavigation referrerPolicy']];

const URLS = [['the labs have no blobs', 'createObjectURL() revokeObjectURL()']];

const STREAMS = [['not every browser has it; use `new ReadableStream({ … })`', 'from()']];

const EVENT = [['use `new Event(type, { … })`', 'initEvent()']];

/** Name → whether it is a method, and the hint. Lists are read when somebody asks for what is not there. */
const readerOf = (lists) => {
  let known;
  return (name) => {
    if (typeof name !== 'string') return undefined;
    if (!known) {
      known = new Map();
      for (const [hint, names] of lists) {
        for (const name of names.split(' ')) known.set(name.replace('()', ''), { isMethod: name.endsWith(')'), hint });
      }
    }
    return known.get(name);
  };
};

/** Who asks with `in` is not known. */
const ANY = Symbol('any receiver');

/** An object for the end of a chain of prototypes, in front of `above`: it has what is absent. */
const absentAbove = (above, find, ownerOf) => {
  const what = (receiver, name) => `${ownerOf(receiver)}.${name}`;
  return new Proxy(Object.create(above), {
    get(target, name, receiver) {
      const absent = find(receiver, name);
      if (!absent) return Reflect.get(target, name, receiver);
      if (absent.isMethod) return standIn(what(receiver, name), absent.hint);
      return use(what(receiver, name), absent.hint);
    },
    set(target, name, value, receiver) {
      const absent = find(receiver, name);
      if (absent && !absent.isMethod) return use(what(receiver, name), absent.hint);
      return Reflect.set(target, name, value, receiver);
    },
    has: (target, name) => Boolean(find(ANY, name)) || name in target,
  });
};

/** Puts the members of one object in. */
const defineFor = (object, owner, lists) => {
  const find = readerOf(lists);
  Object.setPrototypeOf(object, absentAbove(Object.getPrototypeOf(object), (_, name) => find(name), () => owner));
};

/** Puts all of them in. */
export const defineAbsentMembers = ({ crypto, dom, events, fetch, navigator, performance, streams, url }) => {
  const [node, element, document] = [NODE, ELEMENT, DOCUMENT].map(readerOf);
  const find = (receiver, name) =>
    ((receiver === ANY || receiver instanceof dom.Document) && document(name)) ||
    ((receiver === ANY || receiver instanceof dom.Element) && element(name)) ||
    node(name);
  const ownerOf = (receiver) =>
    receiver instanceof dom.Document ? 'document' : receiver instanceof dom.Element ? 'element' : 'node';
  Object.setPrototypeOf(dom.Node.prototype, absentAbove(events.EventTarget.prototype, find, ownerOf));
  defineFor(crypto, 'crypto', CRYPTO);
  defineFor(navigator, 'navigator', NAVIGATOR);
  defineFor(performance, 'performance', PERFORMANCE);
  defineFor(events.Event.prototype, 'event', EVENT);
  defineFor(fetch.Request.prototype, 'request', REQUEST);
  defineFor(streams.ReadableStream, 'ReadableStream', STREAMS);
  defineFor(url.URL, 'URL', URLS);
};
