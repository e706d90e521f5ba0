//! Seeds that are always played.

/// How many are played if nothing else is asked for.
pub const QUICK: u64 = 20;

/// Seeds that found something, and what.
pub const KEPT: &[(u64, &str)] = &[];
