//! What the processes below a reaper use, from `/proc`. Follows `usage` in `src/usage/usage.cpp` and `os::process` in
//! stout, which count the processes that live. Where there is no `/proc` nothing is known.

use nix::unistd::{Pid, SysconfVar, sysconf};

use super::tree::Descendants;
use crate::local::backend::Usage;

/// What all that descend from a process use together; `None` if nothing does.
pub fn below(ancestor: Pid) -> Option<Usage> {
    let descendants = Box::new(Descendants::of(ancestor.as_raw()));
    descendants.ids().iter().filter_map(|id| of(*id)).reduce(Usage::and)
}

fn of(process: i32) -> Option<Usage> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let setting = |name| sysconf(name).ok().flatten();
    let ticks = setting(SysconfVar::CLK_TCK)? as f64;
    parse(&stat, ticks, u64::try_from(setting(SysconfVar::PAGE_SIZE)?).ok()?)
}

/// Of `ID (NAME) STATE PARENT ...`, as proc_pid_stat(5) has it; the name may hold anything.
fn parse(stat: &str, ticks: f64, page: u64) -> Option<Usage> {
    let (_, fields) = stat.rsplit_once(')')?;
    // The first of these is the third of the line.
    let fields: Vec<_> = fields.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let seconds = |at: usize| number(at).map(|number| number as f64 / ticks);
    Some(Usage { user: seconds(11)?, system: seconds(12)?, resident: number(21)?.saturating_mul(page) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_proc_has_times_and_memory() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 96 0 0 0 250 50 0 0 20 0 1 0 5 8000 3 18446744073709551615 1";
        assert_eq!(parse(stat, 100.0, 4096), Some(Usage { user: 2.5, system: 0.5, resident: 12288 }));
        assert_eq!(parse("7 (a) S 1", 100.0, 4096), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_descends_from_this_process_is_measured() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("started");
        let used = below(Pid::this());
        child.kill().and_then(|()| child.wait()).expect("killed");
        assert!(used.expect("a child").resident > 0);
    }
}
