//! The files of remesos whose threads share data without a lock. Their models are in the files.
#![cfg(test)]

#[path = "../../src/per_process.rs"]
mod per_process;
