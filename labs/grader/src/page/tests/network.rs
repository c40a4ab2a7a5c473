//! fetch, EventSource and WebSocket against a server.
