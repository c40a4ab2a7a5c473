//! The drawing of a transcript while it is played: which moments have been, the one at hand, and a bead on its way.

use wasm_bindgen::prelude::*;
use web_sys::{
    Element, HtmlElement, ScrollBehavior, ScrollToOptions, SvgGeometryElement, SvgGraphicsElement,
};

use crate::view::Played;

const SVG: &str = "http://www.w3.org/2000/svg";
/// Room that stays between a moment and what lies over the page, in pixels.
const MARGIN: f64 = 24.0;

/// What is played inside an element: its `svg.wire`, or two of them side by side.
pub(super) struct Drawing {
    sides: Vec<Side>,
    /// Which moment of either side belongs to which moment of the score, where there are two sides: the element's
    /// attribute `rows`.
    rows: Vec<[Option<usize>; 2]>,
    shown: Option<usize>,
}

/// One `svg.wire`.
struct Side {
    svg: Element,
    moments: Vec<SvgGraphicsElement>,
    /// Behind the moment at hand.
    band: Element,
    /// What travels.
    bead: Element,
    shown: Stand,
}

/// How far a side has been played.
#[derive(Clone, Copy, PartialEq)]
enum Stand {
    /// Not at all: it stands whole.
    Whole,
    /// This moment is at hand.
    At(usize),
    /// So many moments have been, and it is the other side's turn.
    Waits(usize),
}

impl Drawing {
    /// The drawings inside `host`, if there are any.
    pub(super) fn find(host: &HtmlElement) -> Result<Option<Drawing>, JsValue> {
        let Some(document) = host.owner_document() else { return Ok(None) };
        let found = host.query_selector_all("svg.wire")?;
        let mut sides = Vec::new();
        for svg in (0..found.length()).filter_map(|index| found.item(index)?.dyn_into::<Element>().ok()) {
            let found = svg.query_selector_all("g.moment")?;
            let moments =
                (0..found.length()).filter_map(|index| found.item(index)?.dyn_into().ok()).collect();
            let band = document.create_element_ns(Some(SVG), "rect")?;
            band.set_attribute("class", "band")?;
            band.set_attribute("rx", "6")?;
            let bead = document.create_element_ns(Some(SVG), "circle")?;
            bead.set_attribute("class", "bead")?;
            bead.set_attribute("r", "6")?;
            sides.push(Side { svg, moments, band, bead, shown: Stand::Whole });
        }
        let rows = host.get_attribute("rows").unwrap_or_default();
        let index = |word: Option<&str>| word.and_then(|word| word.parse().ok());
        let rows = rows.lines().map(|row| {
            let mut words = row.split(' ');
            [index(words.next()), index(words.next())]
        });
        Ok((!sides.is_empty()).then(|| Drawing { sides, rows: rows.collect(), shown: None }))
    }

    /// Shows how far it has been played. With `bar`, whatever lies over the page's lower end, the moment at hand
    /// comes into sight when it is a new one.
    pub(super) fn show(&mut self, played: Option<Played>, bar: Option<&Element>) -> Result<(), JsValue> {
        let rows = &self.rows;
        for (index, side) in self.sides.iter_mut().enumerate() {
            side.stand(stand(rows, index, played))?;
            side.send(played)?;
        }
        let at = played.map(|played| played.moment);
        if at != self.shown {
            self.shown = at;
            // The side that lies lower, where they lie below each other.
            if let (Some(bar), Some(side)) = (bar, self.sides.iter().rfind(|side| side.now().is_some())) {
                side.bring_into_sight(bar)?;
            }
        }
        Ok(())
    }
}

/// How far side `index` has been played.
fn stand(rows: &[[Option<usize>; 2]], index: usize, played: Option<Played>) -> Stand {
    let Some(Played { moment, .. }) = played else { return Stand::Whole };
    let of_row = |row: &[Option<usize>; 2]| row.get(index).copied().flatten();
    match rows.get(moment) {
        None => Stand::At(moment),
        Some(row) => of_row(row)
            .map_or_else(|| Stand::Waits(rows[..moment].iter().filter_map(of_row).count()), Stand::At),
    }
}

impl Side {
    fn stand(&mut self, stand: Stand) -> Result<(), JsValue> {
        if stand == self.shown {
            return Ok(());
        }
        self.shown = stand;
        for (index, moment) in self.moments.iter().enumerate() {
            let place = match stand {
                Stand::Whole => "moment",
                Stand::At(at) | Stand::Waits(at) if index < at => "moment been",
                Stand::At(at) if index == at => "moment now",
                _ => "moment later",
            };
            moment.set_attribute("class", place)?;
        }
        self.mark()
    }

    fn now(&self) -> Option<&SvgGraphicsElement> {
        match self.shown {
            Stand::At(at) => self.moments.get(at),
            _ => None,
        }
    }

    /// Lays the band behind the moment at hand.
    fn mark(&self) -> Result<(), JsValue> {
        let Some(now) = self.now() else {
            self.band.remove();
            return Ok(());
        };
        let place = now.get_b_box()?;
        let set = |name: &str, value: f32| self.band.set_attribute(name, &whole(value));
        set("x", place.x() - 6.0)?;
        set("y", place.y() - 3.0)?;
        set("width", place.width() + 12.0)?;
        set("height", place.height() + 6.0)?;
        // Behind the lifelines as well.
        self.svg.insert_before(&self.band, self.svg.first_child().as_ref())?;
        Ok(())
    }

    /// Puts the bead on its way along the arrow.
    fn send(&self, played: Option<Played>) -> Result<(), JsValue> {
        let arrow = self.now().map(|now| now.query_selector("g.arrow path")).transpose()?.flatten();
        let (Some(played), Some(arrow)) = (played, arrow) else {
            self.bead.remove();
            return Ok(());
        };
        let travels = played.way < 1.0 && !prefers_less_motion();
        let Ok(path) = arrow.dyn_into::<SvgGeometryElement>() else { return Ok(()) };
        if !travels {
            self.bead.remove();
            return Ok(());
        }
        let point = path.get_point_at_length(path.get_total_length() * played.way as f32)?;
        self.bead.set_attribute("cx", &whole(point.x()))?;
        self.bead.set_attribute("cy", &whole(point.y()))?;
        if let Some(group) = path.parent_node()
            && !group.contains(Some(&self.bead))
        {
            group.append_child(&self.bead)?;
        }
        Ok(())
    }

    /// Scrolls the page just as far as is needed to see the moment at hand between the page's head and the bar.
    fn bring_into_sight(&self, bar: &Element) -> Result<(), JsValue> {
        let (Some(now), Some(window)) = (self.now(), web_sys::window()) else { return Ok(()) };
        let place = now.get_bounding_client_rect();
        let document = window.document();
        let head = document.and_then(|document| document.query_selector(".top").ok().flatten());
        let top = head.map_or(0.0, |head| head.get_bounding_client_rect().bottom().max(0.0)) + MARGIN;
        let bottom = bar.get_bounding_client_rect().top() - MARGIN;
        let by = if place.bottom() > bottom {
            place.bottom() - bottom
        } else if place.top() < top {
            place.top() - top
        } else {
            return Ok(());
        };
        let options = ScrollToOptions::new();
        options.set_top(by);
        let behavior = if prefers_less_motion() { ScrollBehavior::Instant } else { ScrollBehavior::Smooth };
        options.set_behavior(behavior);
        window.scroll_by_with_scroll_to_options(&options);
        Ok(())
    }
}

/// A length in whole units, which are small enough. (Writing fractions would make the module a tenth larger.)
fn whole(length: f32) -> String {
    (length.round() as i32).to_string()
}

fn prefers_less_motion() -> bool {
    let query =
        web_sys::window().and_then(|window| window.match_media("(prefers-reduced-motion: reduce)").ok());
    query.flatten().is_some_and(|query| query.matches())
}
