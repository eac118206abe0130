//! The kernel's makefiles, as far as they say which option makes which module.
//!
//! In `drivers/net/ethernet/intel/Makefile` and its like stands `obj-$(CONFIG_IGB) += igb/`, and in the directory's own
//! `obj-$(CONFIG_IGB) += igb.o`. So it is known before minutes are spent whether a kernel will have what a board needs.
//! Read first: `Documentation/kbuild/makefiles.rst` in the kernel's source.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

/// Where modules are made from, in the kernel's source.
const PLACES: [&str; 7] = ["block", "crypto", "drivers", "fs", "lib", "net", "sound"];

/// The options that make each of these modules, by the modules' names. A module that is not in the answer is made nowhere.
///
/// # Errors
/// If the source cannot be read.
pub fn options_of(source: &Path, modules: &[String]) -> io::Result<BTreeMap<String, Vec<String>>> {
    let mut found = BTreeMap::new();
    for place in PLACES.iter().map(|place| source.join(place)).filter(|place| place.is_dir()) {
        walk(&place, modules, &mut found)?;
    }
    Ok(found)
}

fn walk(directory: &Path, modules: &[String], found: &mut BTreeMap<String, Vec<String>>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), modules, found)?;
        } else if ["Makefile", "Kbuild"].iter().any(|name| entry.file_name() == *name) {
            let text = fs::read(entry.path())?;
            collect(&String::from_utf8_lossy(&text), modules, found);
        }
    }
    Ok(())
}

/// What one makefile says of these modules.
fn collect(text: &str, modules: &[String], found: &mut BTreeMap<String, Vec<String>>) {
    let joined = text.replace("\\\n", " ");
    for line in joined.lines() {
        let Some((option, objects)) = line.strip_prefix("obj-$(").and_then(|rest| rest.split_once(')'))
        else {
            continue;
        };
        let objects = objects.trim_start().trim_start_matches(['+', ':', '=']);
        let names = objects.split_whitespace().filter_map(|object| object.strip_suffix(".o"));
        for name in names.map(|name| name.replace('-', "_")) {
            if modules.iter().any(|module| module.replace('-', "_") == name) {
                found.entry(name).or_default().push(option.to_owned());
            }
        }
    }
}
