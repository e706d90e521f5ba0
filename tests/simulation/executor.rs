//! Executors of frameworks' own: processes with the real driver, whose tasks take their time, and which may crash.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use remesos::driver::{Environment, ExecutorDriver};
use remesos::environment::Variables;
use remesos::local::simulation::{Container, Exit};
use remesos::proto::v1;
use remesos::proto::v1::TaskState;
use remesos::session::executor::Callback;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::network::Client;
use crate::stage::{Ends, Mood, Stage};

/// What `MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD` is.
const GRACE: Duration = Duration::from_secs(5);
/// An executor's driver has ended by then, once it is stopped.
const ENDS_WITHIN: Duration = Duration::from_secs(12);

/// An executor.
struct Executor {
    stage: Rc<Stage>,
    client: Client,
    driver: ExecutorDriver,
    random: fastrand::Rng,
    /// When tasks end, and how.
    tasks: BTreeMap<String, (Instant, TaskState)>,
}

/// Plays the process of a container until it ends.
pub async fn run(stage: Rc<Stage>, container: Container, seed: u64, ends: watch::Receiver<Ends>, client: Client) {
    let mut variables: Variables = container.environment.iter().map(|(k, v)| (k.into(), v.into())).collect();
    let path = container.environment["MESOS_SLAVE_PID"].split('@').next().unwrap_or_default().to_owned();
    variables.insert("MESOS_SLAVE_PID".into(), format!("{path}@{}", stage.address(client)).into());
    variables.insert("MESOS_DIRECTORY".into(), "/tmp".into());
    variables.insert("MESOS_LOCAL".into(), "1".into());
    let environment = Environment::read(&variables).expect("what an agent sets");
    let mut random = fastrand::Rng::with_seed(seed);
    sleep(Duration::from_secs_f64(random.f64())).await;
    let driver = ExecutorDriver::default();
    driver.start(&environment).expect("an address");
    let mut executor = Executor { stage: stage.clone(), client, driver, random, tasks: BTreeMap::new() };
    let exit = executor.play(ends).await;
    stage.world.note(|| format!("{} exits: {exit:?}", stage.name(client)));
    stage.kill(client);
    executor.driver.stop(false);
    stage.executors.borrow_mut().remove(&client);
    stage.container_ended(&container, exit);
}

/// What came of callbacks.
enum Told {
    Exit(Exit),
    ShutDown,
}

impl Executor {
    async fn play(&mut self, mut ends: watch::Receiver<Ends>) -> Exit {
        loop {
            let due = self.tasks.values().map(|(at, _)| *at).min();
            tokio::select! {
                biased;
                exit = signaled(&mut ends) => return exit,
                told = self.take() => match told {
                    Some(Told::Exit(exit)) => return exit,
                    Some(Told::ShutDown) => break,
                    None => {}
                },
                () = async { match due { Some(due) => sleep_until(due).await, None => std::future::pending().await } } => {
                    self.end_due();
                }
            }
        }
        tokio::select! {
            biased;
            exit = signaled(&mut ends) => exit,
            exit = self.shut_down() => exit,
        }
    }

    /// Takes what is called back, and says what ends it.
    async fn take(&mut self) -> Option<Told> {
        let mut callbacks = Vec::new();
        match self.driver.recv().await {
            None => return Some(Told::Exit(Exit::Exited(1))),
            Some(deliveries) => {
                for delivery in deliveries {
                    if delivery.begin(|_| {}) {
                        callbacks.push(delivery.callback().clone());
                        delivery.ack();
                    }
                }
            }
        }
        for callback in callbacks {
            self.stage.world.note(|| {
                let text = format!("{callback:?}");
                let words = text.split(['(', ' ']).next().unwrap_or_default();
                format!("{} is called back: {words}", self.stage.name(self.client))
            });
            match callback {
                Callback::LaunchTask(task) => self.launch(&task),
                Callback::KillTask { task_id, .. } => self.kill(&task_id),
                Callback::FrameworkMessage(data) => drop(self.driver.message([b"re:", &data[..]].concat().into())),
                Callback::Shutdown => return Some(Told::ShutDown),
                Callback::Error(_) => return Some(Told::Exit(Exit::Exited(1))),
                _ => {}
            }
        }
        None
    }

    fn launch(&mut self, task: &Bytes) {
        let id = v1::TaskInfo::decode(task.clone()).expect("a task").task_id.value;
        self.update(&id, TaskState::TaskRunning);
        let stormy = self.stage.mood() == Mood::Stormy;
        let seconds = if self.random.f64() < 0.1 { 1e7 } else { 30.0 * self.random.f64() };
        let state = if self.random.bool() { TaskState::TaskFinished } else { TaskState::TaskFailed };
        let seconds = if stormy { seconds } else { 1.0 };
        self.tasks.insert(id, (Instant::now() + Duration::from_secs_f64(seconds), state));
    }

    fn kill(&mut self, task_id: &Bytes) {
        let id = v1::TaskId::decode(task_id.clone()).expect("an id").value;
        if self.tasks.remove(&id).is_some() {
            self.update(&id, TaskState::TaskKilled);
        }
    }

    fn end_due(&mut self) {
        let now = Instant::now();
        let due: Vec<_> = self.tasks.iter().filter(|(_, (at, _))| *at <= now).map(|(id, _)| id.clone()).collect();
        for id in due {
            if let Some((_, state)) = self.tasks.remove(&id) {
                self.update(&id, state);
            }
        }
    }

    fn update(&mut self, id: &str, state: TaskState) {
        let uuid =
            uuid::Builder::from_random_bytes(self.random.u128(..).to_ne_bytes()).into_uuid().into_bytes().to_vec();
        let task_id = v1::TaskId { value: id.to_owned() };
        let status = v1::TaskStatus { task_id, state: state.into(), ..Default::default() };
        self.stage.world.truth(|truth| truth.says(id, state));
        let time = self.driver.clock().timestamp();
        self.driver.update_as(status.encode_to_vec().into(), time, uuid.into());
    }

    /// Ends in order, or does not: then its driver ends the process, as it does where processes are real.
    async fn shut_down(&mut self) -> Exit {
        if self.random.f64() < 0.2 {
            sleep(GRACE).await;
            return killed(9);
        }
        for id in std::mem::take(&mut self.tasks).into_keys() {
            self.update(&id, TaskState::TaskKilled);
        }
        self.driver.stop(false);
        if timeout(ENDS_WITHIN, self.driver.ended()).await.is_err() {
            let name = self.stage.name(self.client);
            self.stage.world.violated(format!("{name} was stopped, and its driver has not ended"));
        }
        Exit::Exited(0)
    }
}

/// Waits until the process gets a signal.
async fn signaled(ends: &mut watch::Receiver<Ends>) -> Exit {
    let ended = ends.wait_for(|ends| *ends != Ends::Lives).await.map(|ends| *ends);
    killed(if matches!(ended, Ok(Ends::Asked)) { 15 } else { 9 })
}

fn killed(number: i32) -> Exit {
    Exit::Signaled { number, name: "signal".to_owned(), core_dumped: false }
}
