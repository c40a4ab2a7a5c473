//! The event stream format, to the letter of HTML § 9.2.
