#![no_main]

remesos_fuzz::target!(executor_session);
