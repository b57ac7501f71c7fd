//! `twinboard boards [--json]`: lists the built-in boards.

use std::process::ExitCode;

use serde_json::json;
use twinboard_models::board::{BUILT_IN, BoardFile};

use crate::failure::Failure;

pub fn run(as_json: bool) -> Result<ExitCode, Failure> {
    let mut boards = Vec::new();
    for (name, text) in BUILT_IN {
        let file = BoardFile::parse(text).map_err(|error| Failure::board(name.as_ref(), text, &error))?;
        boards.push(file);
    }
    if as_json {
        let list: Vec<_> = boards
            .iter()
            .map(|board| {
                let chips: Vec<_> = board
                    .chips
                    .iter()
                    .map(|chip| json!({ "name": chip.name.as_ref(), "model": chip.model.as_ref() }))
                    .collect();
                json!({ "name": board.name, "title": board.title, "chips": chips })
            })
            .collect();
        println!("{:#}", json!(list));
    } else {
        for board in &boards {
            let chips: Vec<_> =
                board.chips.iter().map(|chip| format!("{}: {}", chip.name.as_ref(), chip.model.as_ref())).collect();
            println!("{:<14} {:<22} {}", board.name, board.title, chips.join(", "));
        }
    }
    Ok(ExitCode::SUCCESS)
}
