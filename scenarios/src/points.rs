//! All fault points that a scenario can name: those of boards and those of the in-process host.

use twinboard_models::fault;
use twinboard_sim::fault::PointSpec;
use twinboard_usbip::host::faults;

/// All points, family by family.
pub fn all() -> impl Iterator<Item = &'static PointSpec> {
    fault::points().chain(faults::POINTS)
}

/// The point called `name`.
#[must_use]
pub fn point(name: &str) -> Option<&'static PointSpec> {
    all().find(|point| point.name == name)
}

/// What is said of a name that no point has: the points of its family, or the families.
#[must_use]
pub fn unknown(name: &str) -> String {
    let family = |name: &'static str| name.split_once('.').map_or(name, |(family, _)| family);
    let wanted = name.split_once('.').map_or(name, |(family, _)| family);
    let mut known: Vec<_> = all().filter(|point| family(point.name) == wanted).map(|point| point.name).collect();
    if known.is_empty() {
        known = all().map(|point| family(point.name)).collect();
        known.dedup();
        return format!("there is no fault point {name}; there are those of {}", known.join(", "));
    }
    format!("there is no fault point {name}; there are {}", known.join(", "))
}

/// The parameters that a point takes, for people.
#[must_use]
pub fn taken(point: &PointSpec) -> String {
    let names: Vec<_> = point.params.iter().map(|taken| taken.param.name()).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

/// Whether the host offers the point, not the board.
#[must_use]
pub fn is_hosts(point: &PointSpec) -> bool {
    faults::point(point.name).is_some()
}
