//! Checks and health checks: when to look, and what to say of what was seen. Follows `src/checks/checker_process.cpp`
//! and `src/checks/health_checker.cpp`.

use std::time::Instant;

use crate::local::backend::{Outcome, Probe, ProbeKind, Subject};
use crate::proto::v1;
use crate::proto::v1::{check_info, check_status_info, health_check};
use crate::wire::duration::Period;

/// Defaults of `CheckInfo` and `HealthCheck` in `include/mesos/mesos.proto`.
const DELAY: Period = Period::from_secs(15);
const INTERVAL: Period = Period::from_secs(10);
const TIMEOUT: Period = Period::from_secs(20);
const GRACE_PERIOD: Period = Period::from_secs(10);
const CONSECUTIVE_FAILURES: u32 = 3;

/// What the scheduler is to be told.
#[derive(Debug, PartialEq)]
pub enum News {
    Check(v1::CheckStatusInfo),
    Health { healthy: bool, kill: bool },
}

/// One check of one task.
#[derive(Debug)]
pub struct Checker {
    probe: Probe,
    interval: Period,
    /// When to look next; `None` while an answer is awaited.
    due: Option<Instant>,
    judge: Judge,
}

#[derive(Debug)]
enum Judge {
    Check {
        last: v1::CheckStatusInfo,
    },
    Health {
        /// Failures before the first success are forgiven until then.
        grace_until: Instant,
        failures: u32,
        failures_max: u32,
        was_healthy: bool,
    },
}

impl Checker {
    /// The checks of a task that runs since now.
    pub fn all(now: Instant, task: &v1::TaskInfo) -> Vec<Self> {
        let check = task.check.as_ref().map(|check| Self::of_check(now, check));
        let health = task.health_check.as_ref().map(|check| Self::of_health(now, check));
        check.into_iter().chain(health).collect()
    }

    fn of_check(now: Instant, check: &v1::CheckInfo) -> Self {
        let http = check.http.clone().unwrap_or_default();
        let kind = match check.r#type() {
            check_info::Type::Http => ProbeKind::Http {
                scheme: "http".to_owned(),
                port: http.port,
                path: http.path.unwrap_or_else(|| "/".to_owned()),
            },
            check_info::Type::Tcp => ProbeKind::Tcp { port: check.tcp.unwrap_or_default().port },
            _ => ProbeKind::Command(check.command.clone().unwrap_or_default().command),
        };
        Self {
            probe: Probe { kind, timeout: seconds(check.timeout_seconds, TIMEOUT) },
            interval: seconds(check.interval_seconds, INTERVAL),
            due: Some(now + seconds(check.delay_seconds, DELAY)),
            judge: Judge::Check { last: nothing_known(check) },
        }
    }

    fn of_health(now: Instant, check: &v1::HealthCheck) -> Self {
        let http = check.http.clone().unwrap_or_default();
        let kind = match check.r#type() {
            health_check::Type::Http => ProbeKind::Http {
                scheme: http.scheme.unwrap_or_else(|| "http".to_owned()),
                port: http.port,
                path: http.path.unwrap_or_else(|| "/".to_owned()),
            },
            health_check::Type::Tcp => ProbeKind::Tcp { port: check.tcp.unwrap_or_default().port },
            _ => ProbeKind::Command(check.command.clone().unwrap_or_default()),
        };
        Self {
            probe: Probe { kind, timeout: seconds(check.timeout_seconds, TIMEOUT) },
            interval: seconds(check.interval_seconds, INTERVAL),
            due: Some(now + seconds(check.delay_seconds, DELAY)),
            judge: Judge::Health {
                grace_until: now + seconds(check.grace_period_seconds, GRACE_PERIOD),
                failures: 0,
                failures_max: check.consecutive_failures.unwrap_or(CONSECUTIVE_FAILURES),
                was_healthy: false,
            },
        }
    }

    /// Which check it is.
    pub fn subject(&self) -> Subject {
        match self.judge {
            Judge::Check { .. } => Subject::Check,
            Judge::Health { .. } => Subject::Health,
        }
    }

    /// When to look next.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The probes that are due.
    pub fn handle_timeout(&mut self, now: Instant) -> Option<Probe> {
        self.due.take_if(|due| *due <= now).map(|_| self.probe.clone())
    }

    /// Takes in what was seen; what there is to tell.
    pub fn probed(&mut self, now: Instant, outcome: &Outcome) -> Option<News> {
        self.due = Some(now + self.interval);
        match &mut self.judge {
            Judge::Check { last } => {
                let seen = seen(last, outcome);
                (*last != seen).then(|| {
                    last.clone_from(&seen);
                    News::Check(seen)
                })
            }
            Judge::Health { grace_until, failures, failures_max, was_healthy } => {
                let healthy = matches!(outcome, Outcome::Exited(0) | Outcome::Http(200..=399) | Outcome::Tcp(true));
                if healthy {
                    let news = !*was_healthy || *failures > 0;
                    (*was_healthy, *failures) = (true, 0);
                    return news.then_some(News::Health { healthy, kill: false });
                }
                if !*was_healthy && now < *grace_until {
                    return None;
                }
                *failures = failures.saturating_add(1);
                Some(News::Health { healthy, kill: *failures >= *failures_max })
            }
        }
    }
}

/// The status of a check of which nothing was seen yet: its kind is told, and no value.
pub fn nothing_known(check: &v1::CheckInfo) -> v1::CheckStatusInfo {
    let kind = check.r#type();
    v1::CheckStatusInfo {
        r#type: check.r#type,
        command: (kind == check_info::Type::Command).then(check_status_info::Command::default),
        http: (kind == check_info::Type::Http).then(check_status_info::Http::default),
        tcp: (kind == check_info::Type::Tcp).then(check_status_info::Tcp::default),
    }
}

fn seen(last: &v1::CheckStatusInfo, outcome: &Outcome) -> v1::CheckStatusInfo {
    let mut seen = v1::CheckStatusInfo {
        r#type: last.r#type,
        command: last.command.as_ref().map(|_| check_status_info::Command::default()),
        http: last.http.as_ref().map(|_| check_status_info::Http::default()),
        tcp: last.tcp.as_ref().map(|_| check_status_info::Tcp::default()),
    };
    match outcome {
        Outcome::Exited(code) => seen.command = Some(check_status_info::Command { exit_code: Some(*code) }),
        Outcome::Http(status) => seen.http = Some(check_status_info::Http { status_code: Some(u32::from(*status)) }),
        Outcome::Tcp(succeeded) => seen.tcp = Some(check_status_info::Tcp { succeeded: Some(*succeeded) }),
        Outcome::Failed(_) => {}
    }
    seen
}

/// The master refused what is negative; what is not a number says nothing.
fn seconds(given: Option<f64>, default: Period) -> Period {
    given.and_then(Period::from_seconds).unwrap_or(default)
}
