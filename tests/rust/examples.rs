//! Each public type of the client's layers shows an example in its documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::layers::{module, root, sources};

const LAYERS: [&str; 3] = ["src/session", "src/wire", "src/driver"];

/// The types that a file declares as `pub`, with their documentation.
fn types(file: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(file).expect("readable");
    let mut types = BTreeMap::new();
    let mut docs = String::new();
    for line in text.lines() {
        let declared =
            ["pub struct ", "pub enum ", "pub trait ", "pub type "].iter().find_map(|k| line.strip_prefix(k));
        if let Some(doc) = line.strip_prefix("///") {
            docs += doc;
            docs.push('\n');
        } else if let Some(rest) = declared {
            let end = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
            types.insert(rest[..end].to_owned(), std::mem::take(&mut docs));
        } else if !line.starts_with("#[") {
            docs.clear();
        }
    }
    types
}

/// Whether a type of this module can be named from outside the crate: each module on the way to it is public, or
/// exports the type.
fn is_public(path: &[String], name: &str) -> bool {
    (1..path.len()).all(|depth| {
        let parent = root().join("src").join(path[..depth].join("/"));
        let parent = [parent.join("mod.rs"), parent.with_extension("rs")].into_iter().find(|file| file.exists());
        let text = std::fs::read_to_string(parent.expect("a module has a file")).expect("readable");
        let exported = format!("pub use {}::", path[depth]);
        let mut declarations = text.split(';').map(str::trim_start);
        text.contains(&format!("pub mod {};", path[depth]))
            || declarations.any(|declaration| {
                let names = declaration.strip_prefix(&exported).unwrap_or_default();
                names.split(|c: char| !c.is_alphanumeric()).any(|exported| exported == name)
            })
    })
}

/// The types that a documentation names as those whose example it shares.
fn shared(docs: &str) -> BTreeSet<String> {
    let text = docs.replace('\n', "");
    let sentence =
        text.split("See").nth(1).filter(|rest| rest.contains("for an example") || rest.contains("for examples"));
    let names = sentence.unwrap_or_default().split("[`").skip(1).filter_map(|rest| rest.split('`').next());
    names.filter_map(|path| path.rsplit("::").next()).map(str::to_owned).collect()
}

#[test]
fn every_public_type_shows_an_example() {
    let files = LAYERS.iter().flat_map(|layer| sources(&root().join(layer)));
    let public: Vec<_> = files
        .flat_map(|file| types(&file).into_iter().map(move |(name, docs)| (file.clone(), name, docs)))
        .filter(|(file, name, _)| is_public(&module(file), name))
        .collect();
    let with_example: BTreeSet<_> =
        public.iter().filter(|(.., docs)| docs.contains("```\n")).map(|(_, name, _)| name.clone()).collect();
    assert!(["Handle", "Delivery", "Session", "Call"].iter().all(|name| with_example.contains(*name)));
    assert!(!public.iter().any(|(_, name, _)| name == "CallbackQueue"), "a type of a private module");
    for (file, name, docs) in &public {
        let named = shared(docs);
        let has_example = docs.contains("```\n") || (!named.is_empty() && named.is_subset(&with_example));
        assert!(has_example, "{}: {name} has no example, and names no type whose example it shares", file.display());
    }
}
