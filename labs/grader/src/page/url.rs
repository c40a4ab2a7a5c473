//! URLs as the page's scripts see them (URL Standard, by the `url` crate).
//!
//! The `url` crate's tables for other scripts than ASCII are left out of the build (see the workspace's `Cargo.toml`).
//! A host outside ASCII is therefore turned into Punycode here, in lower case; what Unicode would have normalised
//! beyond that (letters of full width, combining marks) stays as it was written.

use std::borrow::Cow;

use rquickjs::{Ctx, Object, Value};
use url::{Url, quirks};

/// Parses a URL, relative to `base` if there is one; nothing where it is none.
pub(super) fn join(base: Option<&Url>, text: &str) -> Option<Url> {
    let text = with_ascii_host(text, base);
    match base {
        Some(base) => base.join(&text),
        None => Url::parse(&text),
    }
    .ok()
}

/// Changes one part as the `URL` class does (URL § 6.1). A value that does not fit changes nothing.
pub(super) fn change(url: &mut Url, part: &str, value: &str) {
    // Whether it fitted is of no interest.
    let _ = match part {
        "host" => quirks::set_host(url, &changed_host(url, value)),
        "hostname" => quirks::set_hostname(url, &changed_host(url, value)),
        "password" => quirks::set_password(url, value),
        "port" => quirks::set_port(url, value),
        "protocol" => quirks::set_protocol(url, value),
        "username" => quirks::set_username(url, value),
        "hash" => {
            quirks::set_hash(url, value);
            Ok(())
        }
        "pathname" => {
            quirks::set_pathname(url, value);
            Ok(())
        }
        "search" => {
            quirks::set_search(url, value);
            Ok(())
        }
        _ => Ok(()),
    };
}

/// The parts of a URL as the `URL` class shows them (URL § 6.1).
pub(super) fn parts<'js>(ctx: &Ctx<'js>, url: &Url) -> rquickjs::Result<Value<'js>> {
    let parts = Object::new(ctx.clone())?;
    parts.set("href", quirks::href(url))?;
    parts.set("origin", quirks::origin(url))?;
    parts.set("protocol", quirks::protocol(url))?;
    parts.set("username", quirks::username(url))?;
    parts.set("password", quirks::password(url))?;
    parts.set("host", quirks::host(url))?;
    parts.set("hostname", quirks::hostname(url))?;
    parts.set("port", quirks::port(url))?;
    parts.set("pathname", quirks::pathname(url))?;
    parts.set("search", quirks::search(url))?;
    parts.set("hash", quirks::hash(url))?;
    Ok(parts.into_value())
}

/// Whether URLs of this scheme have a host that is a domain.
fn is_special(scheme: &str) -> bool {
    ["ftp", "http", "https", "ws", "wss"].iter().any(|special| scheme.eq_ignore_ascii_case(special))
}

/// A URL's text, its host in ASCII where it can be.
fn with_ascii_host<'a>(text: &'a str, base: Option<&Url>) -> Cow<'a, str> {
    let trimmed = text.trim_start_matches(|c: char| c <= ' ');
    let (scheme, rest) = match trimmed.split_once(':') {
        Some((scheme, rest)) if !scheme.contains(['/', '\\', '?', '#']) => (Some(scheme), rest),
        _ => (None, trimmed),
    };
    if !is_special(scheme.or(base.map(Url::scheme)).unwrap_or_default()) {
        return text.into();
    }
    let after = rest.trim_start_matches(['/', '\\']);
    let slashes = rest.len() - after.len();
    if slashes < 2 && base.is_some_and(|base| scheme.is_none_or(|scheme| scheme == base.scheme())) {
        // A path, and no host at all.
        return text.into();
    }
    let end = after.find(['/', '\\', '?', '#']).unwrap_or(after.len());
    match ascii_authority(&after[..end]) {
        Some(ascii) => {
            let before = &trimmed[..trimmed.len() - after.len()];
            format!("{before}{ascii}{}", &after[end..]).into()
        }
        None => text.into(),
    }
}

fn changed_host<'a>(url: &Url, value: &'a str) -> Cow<'a, str> {
    let end = value.find(['/', '\\', '?', '#']).unwrap_or(value.len());
    match ascii_authority(&value[..end]) {
        Some(ascii) if is_special(url.scheme()) => format!("{ascii}{}", &value[end..]).into(),
        _ => value.into(),
    }
}

/// `user@host:port` with the host in ASCII; nothing where that is no change, or cannot be.
fn ascii_authority(authority: &str) -> Option<String> {
    let (user, rest) =
        authority.rsplit_once('@').map_or(("", authority), |(user, _)| authority.split_at(user.len() + 1));
    let (host, port) = rest.rfind(':').map_or((rest, ""), |at| rest.split_at(at));
    let decoded: Cow<'_, [u8]> = decode(host);
    let host = std::str::from_utf8(&decoded).ok()?;
    (!host.is_ascii()).then_some(())?;
    let labels = host.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']).map(|label| {
        let label: String = label
            .chars()
            .filter(|c| !matches!(c, '\u{ad}' | '\u{200b}' | '\u{2060}' | '\u{feff}'))
            .flat_map(char::to_lowercase)
            .collect();
        match label.is_ascii() {
            true => Some(label),
            false => idna::punycode::encode_str(&label).map(|ascii| format!("xn--{ascii}")),
        }
    });
    Some(format!("{user}{}{port}", labels.collect::<Option<Vec<_>>>()?.join(".")))
}

/// Percent-decoded bytes.
fn decode(text: &str) -> Cow<'_, [u8]> {
    if !text.contains('%') {
        return text.as_bytes().into();
    }
    // The query's decoder also reads `+` as a blank, of which no host has any.
    url::form_urlencoded::parse(text.as_bytes())
        .next()
        .map_or_else(|| text.as_bytes().into(), |(name, _)| name.into_owned().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn href(text: &str, base: Option<&str>) -> Option<String> {
        let base = base.map(|base| Url::parse(base).unwrap());
        join(base.as_ref(), text).map(|url| url.to_string())
    }

    #[test]
    fn a_host_outside_ascii_becomes_punycode_whatever_its_case() {
        for text in ["http://Zürich.example/Ä", "http://zürich.example/Ä", "http://Z%C3%BCrich.Example/Ä"]
        {
            assert_eq!(href(text, None).as_deref(), Some("http://xn--zrich-kva.example/%C3%84"), "{text}");
        }
        let base = Some("http://lab.test/a/");
        assert_eq!(href("//ZÜRICH.example", base).as_deref(), Some("http://xn--zrich-kva.example/"));
        assert_eq!(href("ws:\\\\Me:Ä@ZÜRICH:81", base).as_deref(), Some("ws://Me:%C3%84@xn--zrich-kva:81/"));
        assert_eq!(href("http:ZÜ", base).as_deref(), Some("http://lab.test/a/Z%C3%9C"));
        assert_eq!(href("ZÜ:", base).as_deref(), Some("http://lab.test/a/Z%C3%9C:"));
        assert_eq!(href("ZÜ:", None), None);
        assert_eq!(href("/ZÜ//ZÜ", base).as_deref(), Some("http://lab.test/Z%C3%9C//Z%C3%9C"));
        assert_eq!(href("http://Z\u{fffd}ü%FF/", None), None);
        let mut url = Url::parse("http://lab.test/").unwrap();
        change(&mut url, "host", "ZÜRICH:81/x");
        assert_eq!(url.as_str(), "http://xn--zrich-kva:81/");
    }
}
