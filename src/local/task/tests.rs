//! A task's process in virtual time.

use std::time::Duration;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn health(failures: u32) -> v1::HealthCheck {
    v1::HealthCheck {
        r#type: Some(v1::health_check::Type::Tcp.into()),
        delay_seconds: Some(1.0),
        interval_seconds: Some(1.0),
        grace_period_seconds: Some(3.0),
        consecutive_failures: Some(failures),
        tcp: Some(v1::health_check::TcpCheckInfo { port: 1, ..Default::default() }),
        ..Default::default()
    }
}

fn running(info: v1::TaskInfo, now: Instant) -> TaskProcess {
    let mut task = TaskProcess::new(info, true);
    task.starting();
    task.started(now);
    reports(&mut task);
    task
}

fn reports(task: &mut TaskProcess) -> Vec<v1::TaskStatus> {
    let actions = std::iter::from_fn(|| task.poll_action());
    actions.filter_map(|action| if let Action::Report(status) = action { Some(*status) } else { None }).collect()
}

fn look(task: &mut TaskProcess, now: Instant, outcome: &Outcome) -> Vec<v1::TaskStatus> {
    task.handle_timeout(now);
    let probed = std::iter::from_fn(|| task.poll_action()).any(|action| matches!(action, Action::Probe(..)));
    assert!(probed, "a probe is due");
    task.probed(now, Subject::Health, outcome);
    reports(task)
}

#[test]
fn failures_are_forgiven_within_the_grace_period_and_kill_in_a_row_after_it() {
    let mut now = Instant::now();
    let mut task = running(v1::TaskInfo { health_check: Some(Box::new(health(2))), ..Default::default() }, now);
    for forgiven in [true, true, false] {
        now += SECOND;
        assert_eq!(look(&mut task, now, &Outcome::Tcp(false)).is_empty(), forgiven);
    }
    now += SECOND;
    let told = look(&mut task, now, &Outcome::Tcp(false));
    let states: Vec<_> = told.iter().map(|s| (s.state(), s.healthy)).collect();
    assert_eq!(states, [(TaskState::TaskRunning, Some(false)), (TaskState::TaskKilling, Some(false))]);
    task.exited(&Exit::Signaled { number: 15, name: "Terminated".to_owned(), core_dumped: false });
    let last = reports(&mut task).pop().expect("a terminal status");
    assert_eq!((last.state(), last.healthy), (TaskState::TaskKilled, Some(false)));
}

#[test]
fn health_is_told_when_it_is_first_known_and_when_it_comes_back() {
    let mut now = Instant::now();
    let mut task = running(v1::TaskInfo { health_check: Some(Box::new(health(3))), ..Default::default() }, now);
    for (up, told) in [(true, Some(true)), (true, None), (false, Some(false)), (true, Some(true))] {
        now += SECOND;
        let health = look(&mut task, now, &Outcome::Tcp(up)).pop().and_then(|status| status.healthy);
        assert_eq!(health, told);
    }
}

#[test]
fn a_check_is_told_when_what_it_sees_changes() {
    let mut now = Instant::now();
    let check = v1::CheckInfo {
        r#type: Some(v1::check_info::Type::Command.into()),
        command: Some(v1::check_info::Command::default()),
        delay_seconds: Some(1.0),
        interval_seconds: Some(1.0),
        ..Default::default()
    };
    let mut task = TaskProcess::new(v1::TaskInfo { check: Some(check), ..Default::default() }, false);
    task.starting();
    task.started(now);
    let first = reports(&mut task);
    assert!(first.iter().all(|s| s.check_status.as_ref().is_some_and(|c| c.command.is_some())));
    for (outcome, told) in [
        (Outcome::Exited(1), Some(Some(1))),
        (Outcome::Exited(1), None),
        (Outcome::Failed("late".into()), Some(None)),
        (Outcome::Exited(0), Some(Some(0))),
    ] {
        now += SECOND;
        task.handle_timeout(now);
        reports(&mut task);
        task.probed(now, Subject::Check, &outcome);
        let seen = reports(&mut task).pop().map(|s| s.check_status.and_then(|c| c.command).and_then(|c| c.exit_code));
        assert_eq!(seen, told, "{outcome:?}");
    }
}

#[test]
fn a_task_past_its_time_fails_at_once() {
    let now = Instant::now();
    let limit = Some(v1::DurationInfo { nanoseconds: 1_000_000_000 });
    let mut task = running(v1::TaskInfo { max_completion_time: limit, ..Default::default() }, now);
    task.handle_timeout(now + SECOND);
    assert_eq!(task.poll_timeout(), Some(now + SECOND), "the SIGKILL");
    reports(&mut task);
    task.exited(&Exit::Signaled { number: 15, name: "Terminated".to_owned(), core_dumped: false });
    let last = reports(&mut task).pop().expect("a terminal status");
    assert_eq!((last.state(), last.reason()), (TaskState::TaskFailed, Reason::MaxCompletionTimeReached));
}
