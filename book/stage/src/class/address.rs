//! Where others on the network reach this machine, as text and as a QR code.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use qrcode::{
    EcLevel, QrCode,
    render::{svg, unicode::Dense1x2},
};

/// The addresses under which others may reach this machine, the likeliest first.
pub fn addresses() -> Vec<Ipv4Addr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "this machine's addresses cannot be listed");
        Vec::new()
    });
    let mut addresses: Vec<Ipv4Addr> = interfaces
        .iter()
        .filter_map(|interface| match interface.ip() {
            IpAddr::V4(address) if !address.is_loopback() && !address.is_link_local() => Some(address),
            _ => None,
        })
        .collect();
    let likeliest = outward();
    // Of the others, those of a local network come before those that a tunnel might have.
    addresses.sort_by_key(|address| (Some(*address) != likeliest, !address.is_private()));
    addresses.dedup();
    addresses
}

/// The address that this machine would speak to the world from. Asking sends nothing.
fn outward() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    // An address for documentation (RFC 5737): nobody is there.
    socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(address) if !address.is_loopback() => Some(address),
        _ => None,
    }
}

/// A QR code for a terminal: two modules in a character, dark on light whatever the terminal's colours are.
pub fn in_terminal(text: &str) -> Option<String> {
    let code = code(text)?;
    let drawn = code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).build();
    // Black on white, said with the codes that every terminal knows.
    Some(drawn.lines().map(|line| format!("\x1b[38;5;16;48;5;231m{line}\x1b[0m\n")).collect())
}

/// A QR code for a page.
pub(super) fn in_page(text: &str) -> Option<String> {
    let drawn = code(text)?.render::<svg::Color<'_>>().build();
    // Of the document only the drawing; the page gives it its size.
    let start = drawn.find("<svg")?;
    let (tag, rest) = drawn[start..].split_once('>')?;
    let view = tag.split_once("viewBox=").and_then(|(_, rest)| rest.split('"').nth(1))?;
    Some(format!(
        "<svg class=\"qr\" viewBox=\"{view}\" shape-rendering=\"crispEdges\" aria-hidden=\"true\">{rest}"
    ))
}

fn code(text: &str) -> Option<QrCode> {
    QrCode::with_error_correction_level(text, EcLevel::M).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_leads_back_to_whoever_asks() {
        for address in addresses() {
            assert!(!address.is_loopback() && !address.is_unspecified(), "{address}");
        }
    }

    #[test]
    fn a_code_is_drawn_for_both() {
        let page = in_page("http://192.168.1.20:8080/join").unwrap();
        assert!(page.starts_with("<svg class=\"qr\" viewBox=\"0 0 "), "{page}");
        assert!(page.ends_with("</svg>") && !page.contains("style"), "{page}");
        let lines = in_terminal("http://192.168.1.20:8080/join").unwrap();
        let widths: Vec<usize> = lines.lines().map(|line| line.chars().count()).collect();
        assert!(widths.len() > 10 && widths.iter().all(|width| *width == widths[0]), "{widths:?}");
    }
}
