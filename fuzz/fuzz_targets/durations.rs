#![no_main]

remesos_fuzz::target!(durations);
