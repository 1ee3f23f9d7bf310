//! Which module of the library may use which: the rules of docs/architecture.md, checked over the `crate::` paths.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Everybody may use these.
const FOR_ALL: [&str; 3] = ["error", "config", "failpoints"];

/// Module, and what else it may use.
const MAY_USE: [(&str, &str); 18] = [
    ("error", ""),
    ("failpoints", ""),
    ("disk", ""),
    ("binlog", ""),
    ("charset", ""),
    ("wire", "binlog"),
    ("config", "binlog"),
    ("schema", "charset binlog"),
    ("checkpoint", "binlog"),
    ("source", "wire binlog"),
    ("relay", "source binlog disk"),
    ("decode", "charset schema binlog"),
    ("snapshot", "source wire decode schema charset binlog"),
    (
        "dispatch",
        "relay decode snapshot apply checkpoint schema charset binlog",
    ),
    (
        "apply",
        "decode snapshot checkpoint schema charset wire binlog disk",
    ),
    (
        "serve",
        "source relay dispatch apply checkpoint binlog disk",
    ),
    (
        "pipeline",
        "source snapshot relay decode dispatch apply checkpoint serve schema wire binlog disk",
    ),
    (
        "cli",
        "pipeline source relay decode dispatch apply checkpoint serve schema wire binlog disk",
    ),
];

#[test]
fn modules_use_only_what_they_may() {
    let mut wrong = Vec::new();
    for (path, module) in source_files() {
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{}: no rule for module `{module}`", path.display()));
            continue;
        };
        for used in used_modules(&fs::read_to_string(&path).unwrap()) {
            let known = used == module || FOR_ALL.contains(&used.as_str());
            if !known && !allowed.split(' ').any(|name| name == used) {
                wrong.push(format!(
                    "{}: `{module}` may not use `{used}`",
                    path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn paths_are_found_in_all_their_forms() {
    let text = "use crate::wire::packet;\nuse crate::{\n    error::Result,\n    relay::dir,\n};\n\
                fn f(x: crate::binlog::Header) {}\npub(crate) fn g() {} // crate::serve";
    let found: Vec<String> = used_modules(text).into_iter().collect();
    assert_eq!(found, ["binlog", "error", "relay", "wire"]);
}

/// All files of the library with the top-level module that each belongs to. `main.rs` and `lib.rs` belong to none.
fn source_files() -> Vec<(PathBuf, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut directories = vec![source.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let inside = path.strip_prefix(&source).unwrap();
                let first = inside.iter().next().unwrap().to_str().unwrap();
                let module = first.trim_end_matches(".rs").to_owned();
                if !["main", "lib"].contains(&module.as_str()) {
                    found.push((path, module));
                }
            }
        }
    }
    assert!(found.len() > 20);
    found
}

/// Top-level modules that a file names in its code.
fn used_modules(text: &str) -> BTreeSet<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let word = |text: &str| -> String {
        text.trim_start()
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    let mut found = BTreeSet::new();
    for after in code.split("crate::").skip(1) {
        if let Some(group) = after.strip_prefix('{') {
            found.extend(top_level(group).into_iter().map(word));
        } else {
            found.insert(word(after));
        }
    }
    // `crate::Result` and the like come from `error`.
    found
        .into_iter()
        .filter(|name| name.starts_with(char::is_lowercase))
        .collect()
}

/// The parts of `a::b, c::{d, e}}...` up to the brace that closes it.
fn top_level(group: &str) -> Vec<&str> {
    let (mut depth, mut from, mut parts) = (0, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                parts.push(&group[from..at]);
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&group[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts
}
