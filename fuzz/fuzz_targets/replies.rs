#![no_main]

remesos_fuzz::target!(replies);
