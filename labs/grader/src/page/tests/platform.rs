//! What the page has of a browser.
