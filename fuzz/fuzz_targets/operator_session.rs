#![no_main]

remesos_fuzz::target!(operator_session);
