//! Seeds that are always played.

/// How many are played beside these if nothing else is asked for.
pub const QUICK: u64 = 19;

/// Seeds that found something, and what.
pub const KEPT: &[(u64, &str)] = &[
    (
        828,
        "a launch that waited for an agent that was cut off came to the agent's next process, after the task was lost",
    ),
    // Found nothing in the product, and pins what is expected of it.
    (899, "a driver that is stopped before it connects leaves the framework of an earlier one, as Mesos' drivers do"),
];
