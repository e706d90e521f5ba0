//! What keeps time from moving that moves only when it is told to: real processes that start or stop, and real processes
//! that run while time moves by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;
use crate::clock::skipping::{Busy, Running, Skipping};
use crate::local::backend::{Event, Order, Stop};

/// A process that was asked to end may do something else for longer than this: then time moves, so that it is killed.
const ANSWER: Duration = Duration::from_secs(1);

/// The real containers of a cluster.
#[derive(Default)]
pub struct Holds(HashMap<String, Hold>);

/// What holds the time up because of one container.
#[derive(Default)]
struct Hold {
    running: Option<Running>,
    starting: Option<Busy>,
    stopping: Option<Arc<Mutex<Option<Busy>>>>,
    probing: Vec<Busy>,
}

impl Holds {
    /// A backend is about to do this.
    pub fn ordered(&mut self, clock: &Clock, order: &Order) {
        let Some(clock) = clock.as_skipping() else { return };
        match order {
            Order::Start(launch) if launch.run.is_none() => {
                self.0.entry(launch.container.clone()).or_default().starting = Some(clock.busy());
            }
            Order::Stop { container, how } => self.stops(clock, container, *how == Stop::Kill),
            Order::Signal { container, signal } => self.stops(clock, container, *signal == libc::SIGKILL),
            Order::Probe { container, .. } => {
                if let Some(hold) = self.0.get_mut(container) {
                    hold.probing.push(clock.busy());
                }
            }
            _ => {}
        }
    }

    fn stops(&mut self, clock: &Arc<Skipping>, container: &str, surely: bool) {
        let Some(hold) = self.0.get_mut(container) else { return };
        let busy = Arc::new(Mutex::new(Some(clock.busy())));
        if !surely {
            let busy = busy.clone();
            tokio::spawn(async move {
                tokio::time::sleep(ANSWER).await;
                busy.lock().unwrap_or_else(PoisonError::into_inner).take()
            });
        }
        hold.stopping = Some(busy);
    }

    /// This has happened in a container.
    pub fn happened(&mut self, clock: &Clock, event: &Event) {
        let Some(clock) = clock.as_skipping() else { return };
        match event {
            Event::Started { container, process: Some(_) } => {
                let hold = self.0.entry(container.clone()).or_default();
                hold.running = Some(clock.running());
                hold.starting = None;
            }
            Event::Failed { container, .. } | Event::Ended { container, .. } => {
                if let Some(Hold { stopping: Some(busy), .. }) = self.0.remove(container) {
                    busy.lock().unwrap_or_else(PoisonError::into_inner).take();
                }
            }
            Event::Probed { container, .. } => {
                self.0.get_mut(container).and_then(|hold| hold.probing.pop());
            }
            _ => {}
        }
    }
}
