//! WebSocket frames, to the letter of RFC 6455.
