//! The files of remesos whose threads share data without a lock. Their models are in the files.
#![cfg(test)]
#![allow(dead_code, reason = "models do not use all of a file")]

#[path = "../../src/per_process.rs"]
mod per_process;
