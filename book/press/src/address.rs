//! Where a site will stand on the web.

use std::fmt;
use url::Url;

/// The public address of a site's root: `https://example.org/beyond-fetch/`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address(Url);

impl Address {
    /// Reads an address; a slash that is missing at its end is added.
    ///
    /// # Errors
    /// A sentence, where it is not the address of a folder on the web.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            |why: &str| format!("`{text}` {why}; an address looks like https://example.org/beyond-fetch/.");
        let mut url = Url::parse(text).map_err(|error| wrong(&format!("is no address ({error})")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("does not begin with `https://` or `http://`"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("has a part behind `?` or `#`, which no folder has"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("names a user, and every reader would see that"));
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self(url))
    }

    /// Its path: `/beyond-fetch/`.
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// The address of a file below it.
    pub(crate) fn of(&self, file: &str) -> String {
        format!("{}{file}", self.0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_ends_with_a_slash_and_has_a_path() {
        for (text, whole, path) in [
            ("https://example.org/beyond-fetch", "https://example.org/beyond-fetch/", "/beyond-fetch/"),
            ("HTTP://Example.org", "http://example.org/", "/"),
            ("https://example.org:8443/a%20b/", "https://example.org:8443/a%20b/", "/a%20b/"),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!((address.to_string().as_str(), address.path()), (whole, path));
        }
    }

    #[test]
    fn what_is_no_address_is_told_in_a_sentence() {
        for (text, why) in [
            ("example.org/book", "is no address"),
            ("/beyond-fetch/", "is no address"),
            ("https://", "is no address"),
            ("ftp://example.org/", "does not begin with"),
            ("https://example.org/?a", "behind `?` or `#`"),
            ("https://example.org/#a", "behind `?` or `#`"),
            ("https://me:secret@example.org/", "names a user"),
        ] {
            let told = Address::parse(text).unwrap_err();
            assert!(told.contains(why) && told.ends_with("https://example.org/beyond-fetch/."), "{told}");
        }
    }
}
