//! The scenarios that come with the simulator.

use provision::Report;

use super::{Scenario, read};

/// Their names and their texts.
pub const SHIPPED: [(&str, &str); 16] = [
    ("first", include_str!("../../scenarios/first.toml")),
    ("reference-network", include_str!("../../scenarios/reference-network.toml")),
    ("traffic", include_str!("../../scenarios/traffic.toml")),
    ("hole-punching", include_str!("../../scenarios/hole-punching.toml")),
    ("double-nat", include_str!("../../scenarios/double-nat.toml")),
    ("address-change", include_str!("../../scenarios/address-change.toml")),
    ("port-scan", include_str!("../../scenarios/port-scan.toml")),
    ("ports-exhausted", include_str!("../../scenarios/ports-exhausted.toml")),
    ("table-full", include_str!("../../scenarios/table-full.toml")),
    ("clock-wrap", include_str!("../../scenarios/clock-wrap.toml")),
    ("fragments", include_str!("../../scenarios/fragments.toml")),
    ("pmtu-black-hole", include_str!("../../scenarios/pmtu-black-hole.toml")),
    ("off-path", include_str!("../../scenarios/off-path.toml")),
    ("spoofed-sources", include_str!("../../scenarios/spoofed-sources.toml")),
    ("forward-removed", include_str!("../../scenarios/forward-removed.toml")),
    ("hostile-links", include_str!("../../scenarios/hostile-links.toml")),
];

/// The file that they may name beside themselves.
const REFERENCE: (&str, &str) = (
    "../../image/provision/examples/reference.toml",
    include_str!("../../../image/provision/examples/reference.toml"),
);

/// The scenario of this name, if there is one.
///
/// # Errors
/// None, as long as the tests pass.
pub fn shipped(name: &str) -> Option<Result<Scenario, Report>> {
    let (name, text) = SHIPPED.iter().find(|(known, _)| *known == name)?;
    let find = |path: &str| {
        let found = Some(REFERENCE).filter(|(known, _)| *known == path);
        found.map(|(_, text)| text.to_owned()).ok_or_else(|| "there is no such file".to_owned())
    };
    Some(read(text, name, &format!("{name}.toml"), &find))
}
