//! What is fuzzed of the embedded cluster: what users and frameworks write of resources, options, and requests.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::options::SETTINGS;
use super::resources::Format;
use super::{Declared, Options, Resources};

pub use super::server::fuzz::bodies;

/// Resources are read as they are written, and what is added can be taken away.
pub fn resources(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(declared) = Declared::parse(text) else { return };
    let _ = declared.misspelt();
    let resources = declared.resources();
    for reservation_refinement in [true, false] {
        let format = Format { reservation_refinement, ..Format::default() };
        let again = Resources::from_proto(&resources.to_proto(&format)).map_err(|why| why.to_string());
        let again = again.expect("what was read of a text is read of a message");
        assert!(again.contains(&resources) && resources.contains(&again), "{again:?} of {resources:?}");
    }
    let mut twice = resources.clone();
    twice.add(&resources);
    assert!(twice.contains(&resources), "{twice:?} of {resources:?}");
    twice.subtract(&resources);
    assert!(resources.contains(&twice), "{twice:?} of {resources:?}");
    let mut none = resources.clone();
    none.subtract(&resources);
    assert!(none.is_empty(), "{none:?} of {resources:?}");
}

/// An option is read, or refused by its name. The input begins with which option it is.
pub fn options(data: &[u8]) {
    let Some((number, text)) = data.split_first() else { return };
    let (name, ..) = SETTINGS[usize::from(*number) % SETTINGS.len()];
    // Files are not read here.
    if text.starts_with(b"/") || text.windows(7).any(|window| window == b"file://") {
        return;
    }
    let given = HashMap::from([(name.to_owned(), OsStr::from_bytes(text).to_owned())]);
    match Options::new(&given) {
        Ok(options) => {
            assert!(options.agents.len() <= 1000 && options.queue_max > 0);
            let _ = (options.checked_port(), options.flags_of_master(5050), options.flags_of_agent(5051));
        }
        Err(error) => assert!(error.is_invalid_argument() && error.to_string().contains(name), "{error}"),
    }
}
