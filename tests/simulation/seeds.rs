//! Seeds that are always played.

/// How many are played beside these if nothing else is asked for.
pub const QUICK: u64 = 19;

/// Seeds that found something, and what.
pub const KEPT: &[(u64, &str)] = &[
    (
        828,
        "a launch that waited for an agent that was cut off came to the agent's next process, after the task was lost",
    ),
    (4913, "an update of a task that was over, from an executor that had ended, became a task that runs for ever"),
    (78564, "such an update, from an executor that lives, became a task that runs until that ends"),
    // Finds a driver that leaves while its SUBSCRIBE is on the way.
    (265, "a scheduler is stopped within its first round trip"),
    // Finds a master that does not notice who leaves while it subscribes.
    (28, "a scheduler is killed while its SUBSCRIBE waits for a cluster that is busy"),
    // Found nothing in the product, and pins what is expected of it.
    (899, "a driver that is stopped before it connects leaves the framework of an earlier one, as Mesos' drivers do"),
];
