#![no_main]

remesos_fuzz::target!(scheduler_session);
