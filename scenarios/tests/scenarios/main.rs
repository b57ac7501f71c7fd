//! Scenario files: the library, what happens to it when its faults are removed or its expectations broken, and files that
//! are wrong.

mod events;
mod faultless;
mod invalid;
mod library;
mod mutation;
mod outside;

use std::path::{Path, PathBuf};

use twinboard_scenarios::run::{Places, PrepareError, Prepared};

/// The folder of the scenarios that ship.
fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("library")
}

/// All of them: name and text.
fn texts() -> Vec<(String, String)> {
    let mut texts: Vec<_> = std::fs::read_dir(library())
        .expect("a folder")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("UTF-8"))
        })
        .collect();
    texts.sort();
    texts
}

/// A scenario ready to run.
fn prepare(name: &str, text: &str) -> Result<Prepared, PrepareError> {
    let images = twinboard_models::image::known::folder();
    Prepared::new(text, name, Places { folder: &library(), images: &images })
}

/// Does `work` for every item on all processors; the answers come in the items' order.
fn everywhere<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let parts: Vec<Vec<(usize, R)>> = std::thread::scope(|scope| {
        let run = || {
            let mut done = Vec::new();
            loop {
                let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some(item) = items.get(index) else { return done };
                done.push((index, work(item)));
            }
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        handles.into_iter().map(|handle| handle.join().expect("no panic")).collect()
    });
    let mut all: Vec<_> = parts.into_iter().flatten().collect();
    all.sort_by_key(|(index, _)| *index);
    all.into_iter().map(|(_, result)| result).collect()
}
